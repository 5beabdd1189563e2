// Takes the moments that belong to a lesson out of what `inspect --recording --html` has written:
// its sections, which are well-formed and begin and end on lines of their own.
#include "site/recorded.hpp"

#include "site/file.hpp"
#include "site/markdown.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

namespace site {

namespace {

/// What stands between two marks, the first of each; "" when there is no such thing.
std::string between(const std::string& text, const std::string& open, const std::string& close) {
    std::size_t begin = text.find(open);
    if (begin == std::string::npos)
        return "";
    begin += open.size();
    std::size_t end = text.find(close, begin);
    return end == std::string::npos ? "" : text.substr(begin, end - begin);
}

struct Moment {
    std::string id;    ///< "step-6": on the page with the slider
    std::string title; ///< "after uts"
    std::string why;
    std::string changes; ///< a table, or a paragraph
    std::string picture;
};

std::vector<Moment> moments_of(const std::string& page) {
    std::vector<Moment> all;
    const std::string open = "<section class=\"frame\"";
    for (std::size_t at = page.find(open); at != std::string::npos; at = page.find(open, at + 1)) {
        std::string frame = page.substr(at, page.find("</section>", at) - at);
        std::string changes = between(frame, "<h3>What changed</h3>\n", "</table>");
        all.push_back({between(frame, "id=\"", "\""), between(frame, "<h2>", "</h2>"),
                       between(frame, "<div class=\"side\">\n<p>", "</p>"),
                       changes.starts_with("<table") ? changes + "</table>" : "",
                       between(frame, "<figure>\n", "</figure>")});
    }
    return all;
}

/// "after uts" and "after uts (parent)" are uts's.
bool is_of(const Moment& moment, const std::string& stages) {
    std::istringstream names(stages);
    for (std::string name; names >> name;) {
        std::string title = "after " + name.substr(0, name.find(','));
        if (moment.title == title || moment.title.starts_with(title + " ("))
            return true;
    }
    return false;
}

/// What changed; a long list of mounts behind its number, which is shorter to scroll past.
std::string folded(const std::string& table) {
    if (table.empty())
        return "";
    int rows = -1; // the head's
    for (std::size_t at = table.find("<tr>"); at != std::string::npos;
         at = table.find("<tr>", at + 1))
        ++rows;
    std::string scroll = "<div class=\"scroll\" tabindex=\"0\">" + table + "</div>\n";
    constexpr int kFew = 8;
    return rows <= kFew ? scroll
                        : "<details><summary>" + std::to_string(rows) +
                              " things have changed</summary>\n" + scroll + "</details>\n";
}

std::string failure(const std::string& said) {
    std::istringstream lines(said);
    std::string command, line, reason;
    std::getline(lines, command);
    while (std::getline(lines, line))
        reason += line + "\n";
    return "<p class=\"failed\">The machine that made these pages can't do <code>" +
           escaped(command) + "</code>: " + escaped(reason) + "</p>\n";
}

} // namespace

std::string recorded_section(const std::string& recorded, const std::string& lesson,
                             const std::string& stages) {
    std::string base = recorded + "/" + lesson;
    std::string out;
    if (auto error = read_if_there(base + ".error"))
        out += failure(*error);
    std::optional<std::string> page = read_if_there(base + ".html");
    if (page) {
        std::string command = read(base + ".command");
        command.erase(command.find_last_not_of('\n') + 1);
        std::vector<Moment> moments = moments_of(*page);
        std::string seen;
        Moment last = moments.empty() ? Moment{} : moments.back();
        std::string when = "at the end";
        for (const Moment& moment : moments) {
            if (!is_of(moment, stages))
                continue;
            last = moment;
            when = moment.title;
            seen += "<div class=\"moment\"><h3>" + moment.title + "</h3>\n<p>" + moment.why +
                    "</p>\n" + folded(moment.changes) + "</div>\n";
        }
        out += "<p>Recorded when these pages were made, by <code>" + escaped(command) +
               "</code>. <a href=\"pictures/" + lesson + ".html#" + last.id +
               "\">Every step of it, with a slider</a>.</p>\n" + seen;
        if (auto said = read_if_there(base + ".explain"); said && !said->empty())
            out += "<details><summary>Each system call, and the command that would do the same: "
                   "what <code>--explain</code> said</summary>\n<pre tabindex=\"0\"><code>" +
                   escaped(*said) + "</code></pre></details>\n";
        out += "<figure>\n<figcaption>The process in its namespaces, beside the host's, " + when +
               ". What this step changed has a green frame.</figcaption>\n" + last.picture +
               "</figure>\n";
    }
    return out.empty() ? "" : "<h2><span id=\"recorded\"></span>Seen by the kernel</h2>\n" + out;
}

std::string picture_rules(const std::string& recorded, const std::string& lesson) {
    auto picture = read_if_there(recorded + "/" + lesson + ".svg");
    return picture ? between(*picture, "<style>", "</style>") : "";
}

std::string gauntlet_section(const std::string& recorded) {
    std::string out = "<h2><span id=\"gauntlet\"></span>The gauntlet</h2>\n";
    if (auto error = read_if_there(recorded + "/gauntlet.error"))
        return out + failure("./gocontainer lab gauntlet\n" + *error);
    return out +
           "<figure>\n<div class=\"wide\" tabindex=\"0\"><img src=\"pictures/gauntlet.svg\" "
           "alt=\"A "
           "table of escapes by the stage that was left out: with all stages each is "
           "safe\"></div>\n"
           "<figcaption>Recorded by <code>./gocontainer lab gauntlet</code>: each escape against a "
           "container with all stages, and with one left out. "
           "<a href=\"pictures/gauntlet.svg\">The picture alone</a> says, under the pointer, what "
           "was tried.</figcaption></figure>\n";
}

} // namespace site
