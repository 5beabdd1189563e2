// The page is well-formed XML, too, so that it can be checked.
#include "teach/page.hpp"

#include "teach/describe.hpp"
#include "teach/diff.hpp"
#include "teach/markup.hpp"
#include "teach/picture.hpp"

#include <cstddef>

namespace teach {

namespace {

constexpr const char* kStyle = R"(:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 12px; max-width: 1400px; color: #14171c; background: #fff;
  font: 17px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .3rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: .8rem 0 .2rem; }
h3 { font-size: 1.05rem; margin: 1rem 0 .2rem; }
code, pre, td, h1 { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code, td { font-size: .9rem; overflow-wrap: anywhere; }
pre { font-size: .74rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .2rem .4rem; border-bottom: 1px solid #8a93a3; }
th { font-weight: 600; overflow-wrap: anywhere; }
th:first-child { width: 34%; }
ol { padding-left: 1.6rem; }
a { color: #0b57a4; }
summary { cursor: pointer; padding: .3rem 0; }
.steps { display: flex; flex-wrap: wrap; gap: .2rem .9rem; list-style: none; padding: 0; margin: .4rem 0; }
.steps a { display: inline-block; padding: .25rem 0; }
.steps a[aria-current] { font-weight: 700; text-decoration: none; }
nav { position: sticky; top: 0; background: #fff; padding: .3rem 0; border-bottom: 2px solid #0b57a4; }
.slider { display: none; }
.js .slider { display: flex; gap: .8rem; align-items: center; }
.js .steps { display: none; }
@media (min-width: 700px) { .js .steps { display: flex; } }
.slider input { flex: 1; min-width: 0; height: 2.2rem; }
.slider output { min-width: 9em; font-weight: 700; }
.frame { display: none; scroll-margin-top: 9rem; }
.frame:last-child, .frame:target, .js .frame.on { display: block; }
.frames:has(.frame:target) .frame:not(:target), .js .frames .frame:not(.on) { display: none; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.2rem; }
figure { margin: 0 -8px; }
@media (min-width: 1000px) {
  .columns { grid-template-columns: minmax(0, 11fr) minmax(0, 10fr); }
  figure { margin: 0; order: -1; }
}
.added { color: #0a6b2d; } .gone { color: #a01c1c; }
@media (prefers-color-scheme: dark) {
  body, nav { color: #eef1f5; background: #14171c; }
  a { color: #8cc3fa; } nav { border-color: #6fb1f3; }
  .added { color: #7fdc9c; } .gone { color: #ff9d95; }
}
@media print { .js .frame, .frame { display: block !important; } nav { display: none; } }
)";

constexpr const char* kScript = R"(
(function () {
  var frames = Array.prototype.slice.call(document.querySelectorAll(".frame"));
  var links = Array.prototype.slice.call(document.querySelectorAll(".steps a"));
  var slider = document.getElementById("at");
  var said = document.getElementById("said");
  if (!slider) return;
  document.documentElement.className = "js";
  function show(at) {
    frames.forEach(function (frame, i) { frame.classList.toggle("on", i === at); });
    links.forEach(function (link, i) {
      if (i === at) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    });
    slider.value = at;
    said.textContent = links[at].textContent;
    slider.setAttribute("aria-valuetext", links[at].textContent);
  }
  function from_hash() {
    var at = frames.findIndex(function (frame) { return "#" + frame.id === location.hash; });
    show(at === -1 ? frames.length - 1 : at);
  }
  slider.addEventListener("input", function () { show(Number(slider.value)); });
  links.forEach(function (link, i) {
    link.addEventListener("click", function (event) { event.preventDefault(); show(i); });
  });
  window.addEventListener("hashchange", from_hash);
  from_hash();
})();
)";

std::string element(const std::string& name, const std::string& inner) {
    return "<" + name + ">" + inner + "</" + name.substr(0, name.find(' ')) + ">\n";
}

std::string cell(const std::string& text, const char* style) {
    if (text.empty())
        return "<td></td>";
    return std::string("<td class=\"") + style + "\">" + xml(text) + "</td>";
}

std::string changes_table(const std::vector<Change>& changes) {
    if (changes.empty())
        return "<p>Nothing that the kernel shows of it.</p>\n";
    std::string rows;
    for (const Change& one : grouped(changes))
        rows += "<tr><th scope=\"row\">" + xml(one.what) + "</th>" +
                cell(one.before, one.after.empty() ? "gone" : "was") +
                cell(one.after, one.before.empty() ? "added" : "now") + "</tr>\n";
    return "<table><thead><tr><th>what</th><th>before</th><th>now</th></tr></thead><tbody>\n" +
           rows + "</tbody></table>\n";
}

std::string calls_list(const Strings& calls) {
    if (calls.empty())
        return {};
    std::string items;
    for (const std::string& call : calls)
        items += "<li><code>" + xml(call) + "</code></li>\n";
    constexpr std::size_t kFew = 12;
    return (calls.size() <= kFew ? std::string("<details open=\"open\">") : "<details>") +
           "<summary>" + std::to_string(calls.size()) +
           (calls.size() == 1 ? " system call" : " system calls") + "</summary><ol>\n" + items +
           "</ol></details>\n";
}

std::string in_words(const Snapshot& of, bool alone) {
    // Plain: no colours, and sets of capabilities that can be read aloud.
    std::string text = describe(of, Paint::for_stream(STDOUT_FILENO, /*plain=*/true));
    std::string lines;
    std::string_view rest = text;
    while (!rest.empty()) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        lines += xml(line) + "\n";
    }
    return std::string(alone ? "<details open=\"open\">" : "<details>") +
           "<summary>Everything, in words</summary>\n<pre>" + lines + "</pre></details>\n";
}

std::string frame(const Recording& recording, std::size_t at) {
    const Frame& now = recording.frames[at];
    const Snapshot* host = recording.host ? &*recording.host : nullptr;
    bool alone = recording.frames.size() == 1;
    std::string side;
    if (!now.summary.empty())
        side += element("p", xml(now.summary));
    if (at > 0)
        side += element("h3", "What changed") +
                changes_table(diff(recording.frames[at - 1].snapshot, now.snapshot));
    side += calls_list(now.calls) + in_words(now.snapshot, alone);
    std::string figure =
        "<figure>\n" +
        picture(now.snapshot, host, at > 0 ? &recording.frames[at - 1].snapshot : nullptr) +
        "</figure>\n";
    side = "<div class=\"side\">\n" + side + "</div>\n";
    // Where there is no room beside the picture: what a step does is read before looking.
    return "<section class=\"frame\" id=\"step-" + std::to_string(at) + "\">\n" +
           (alone ? "" : element("h2", xml(now.title))) + "<div class=\"columns\">\n" +
           (alone ? figure + side : side + figure) + "</div>\n</section>\n";
}

std::string navigation(const Recording& recording) {
    if (recording.frames.size() == 1)
        return {};
    std::string last = std::to_string(recording.frames.size() - 1);
    std::string items;
    for (std::size_t i = 0; i < recording.frames.size(); ++i)
        items += "<li><a href=\"#step-" + std::to_string(i) + "\">" +
                 xml(recording.frames[i].title) + "</a></li>\n";
    return "<nav aria-label=\"Stages\">\n<div class=\"slider\"><label for=\"at\">Stage</label>"
           "<input type=\"range\" id=\"at\" min=\"0\" max=\"" +
           last + "\" value=\"" + last +
           "\"/><output id=\"said\" for=\"at\"></output></div>\n<ol class=\"steps\">\n" + items +
           "</ol>\n</nav>\n";
}

} // namespace

std::string page(const Recording& recording) {
    const Snapshot& last = recording.frames.back().snapshot;
    std::string name = "process " + std::to_string(last.pid) + ": " + title(last);
    std::string heading = "process " + std::to_string(last.pid) + ", step by step";
    std::string frames;
    for (std::size_t i = 0; i < recording.frames.size(); ++i)
        frames += frame(recording, i);
    return std::string(
               "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n"
               "<head>\n<meta charset=\"utf-8\"/>\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
               "style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\n<title>") +
           xml(name) + "</title>\n<style>/*<![CDATA[*/\n" + kStyle + picture_style() +
           "/*]]>*/</style>\n</head>\n<body>\n<header>" +
           element("h1", xml(recording.frames.size() == 1 ? title(last) : heading)) +
           "</header>\n" + navigation(recording) + "<main class=\"frames\">\n" + frames +
           "</main>\n<script>//<![CDATA[" + kScript + "//]]></script>\n</body>\n</html>\n";
}

} // namespace teach
