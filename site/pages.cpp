// Makes the website of the lessons, for `make site`: site-pages SOURCE RECORDED OUT
//
// SOURCE is this repository, RECORDED what site/record has written, OUT a folder that gets a page
// for each lesson and guide, for each file of the source that they name, and the recorded pictures.
// The pages have no script; a link that leads nowhere is an error.
#include "site/file.hpp"
#include "site/markdown.hpp"
#include "site/recorded.hpp"
#include "teach/lesson_text.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

namespace {

namespace fs = std::filesystem;
using site::escaped;

struct Page {
    std::string source; ///< "lessons/03-uts/README.md"
    std::string url;    ///< "03-uts.html"
    std::string title;  ///< "A name of its own"
    std::string label;  ///< "3. A name of its own", or the title
    const teach::Lesson* lesson = nullptr;
};

class Site {
public:
    Site(std::string source, std::string recorded, std::string out);
    void make();

private:
    std::string target(const Page& from, const std::string& link);
    std::string named(const Page& from, const std::string& code);
    std::string source_page(const std::string& path);
    std::string around(const Page& page, const std::string& up, const std::string& style,
                       const std::string& inner) const;
    std::string turn(const Page& page) const;
    std::string body(const Page& page);
    void write_sources();
    void write_pictures();

    std::string source_, recorded_, out_;
    std::vector<teach::Lesson> lessons_;
    std::vector<Page> pages_;
    std::set<std::string> sources_; ///< files that the pages name
};

Site::Site(std::string source, std::string recorded, std::string out)
    : source_(std::move(source)), recorded_(std::move(recorded)), out_(std::move(out)) {
    auto lessons = teach::load_lessons(source_ + "/lessons");
    if (!lessons)
        throw std::runtime_error(lessons.error().detail);
    lessons_ = std::move(*lessons);
    pages_.push_back({"lessons/README.md", "index.html", "Sixteen lessons", "Lessons"});
    for (const teach::Lesson& one : lessons_)
        pages_.push_back({"lessons/" + one.folder + "/README.md", one.folder + ".html", one.title,
                          std::to_string(one.number) + ". " + one.title, &one});
    pages_.push_back({"lessons/ON-YOUR-MACHINE.md", "on-your-machine.html", "On your machine",
                      "On your machine"});
    pages_.push_back({"lessons/TEACHING.md", "teaching.html", "Teaching", "Teaching"});
    pages_.push_back({"README.md", "gocontainer.html", "gocontainer", "The program"});
}

std::string in_folder(const std::string& of, const std::string& path) {
    return (fs::path(of).parent_path() / path).lexically_normal().string();
}

std::string Site::source_page(const std::string& path) {
    sources_.insert(path);
    std::string name = path;
    std::ranges::replace(name, '/', '-');
    return "source/" + name + ".html";
}

std::string Site::target(const Page& from, const std::string& link) {
    if (link.find("://") != std::string::npos || link.starts_with('#'))
        return link;
    std::size_t hash = std::min(link.find('#'), link.size());
    std::string path = in_folder(from.source, link.substr(0, hash));
    for (const Page& page : pages_)
        if (page.source == path)
            return page.url + link.substr(hash);
    if (!fs::is_regular_file(source_ + "/" + path))
        throw std::runtime_error(from.source + ": a link to \"" + link +
                                 "\", and there is no such file");
    return source_page(path);
}

/// A file of this repository, relative to the page's folder or the top. A solution is not shown to
/// whoever only wants to read.
std::string Site::named(const Page& from, const std::string& code) {
    static const std::set<std::string> kFolders{"bench", "cli",  "lessons", "oci", "rootfs-scripts",
                                                "run",   "spec", "stages",  "sys", "teach",
                                                "tests", "tools"};
    if (code.find('/') == std::string::npos || code.find("solution/") != std::string::npos)
        return "";
    for (const std::string& path : {in_folder(from.source, code), in_folder("README.md", code)})
        if (kFolders.contains(path.substr(0, path.find('/'))) &&
            fs::is_regular_file(source_ + "/" + path))
            return source_page(path);
    return "";
}

std::string anchor(const Page& to, const Page* here, const std::string& up) {
    return "<a href=\"" + up + to.url + "\"" +
           (&to == here ? " aria-current=\"page\"" : std::string()) + ">" + escaped(to.label) +
           "</a>";
}

std::string Site::around(const Page& page, const std::string& up, const std::string& style,
                         const std::string& inner) const {
    std::string guides, lessons;
    for (const Page& one : pages_) {
        std::string link = anchor(one, &page, up);
        if (one.lesson != nullptr)
            lessons += "<li>" + link + "</li>\n";
        else
            guides += link + "\n";
    }
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
           "style-src 'self' 'unsafe-inline'; img-src 'self' data:\">\n"
           "<title>" +
           escaped(page.label) + (page.source == "README.md" ? "" : " · gocontainer") +
           "</title>\n<link rel=\"stylesheet\" href=\"" + up + "style.css\">\n" +
           "<link rel=\"icon\" href=\"data:,\">\n" + style +
           "</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the text</a>\n"
           "<header><nav aria-label=\"Site\">" +
           guides +
           "</nav>\n"
           "<details><summary>All sixteen lessons</summary>\n<ol>\n" +
           lessons + "</ol></details></header>\n<main id=\"main\">\n" + inner + "</main>\n" +
           turn(page) +
           "<footer>Made by <code>make site</code>; no scripts, nothing from elsewhere.</footer>\n"
           "</body>\n</html>\n";
}

/// To the lesson before, and to the next.
std::string Site::turn(const Page& page) const {
    std::string links;
    auto at = std::ranges::find(pages_, page.source, &Page::source);
    if (page.lesson != nullptr && std::prev(at)->lesson != nullptr)
        links += "<a class=\"previous\" rel=\"prev\" href=\"" + std::prev(at)->url + "\">← " +
                 escaped(std::prev(at)->label) + "</a>\n";
    if (at != pages_.end() && std::next(at) != pages_.end() && std::next(at)->lesson != nullptr)
        links += "<a class=\"next\" rel=\"next\" href=\"" + std::next(at)->url + "\">" +
                 escaped(std::next(at)->label) + " →</a>\n";
    return links.empty() ? "" : "<nav class=\"turn\" aria-label=\"Next\">" + links + "</nav>\n";
}

/// A lesson's page has its parts named at the top, and what was recorded before "How it works".
std::string Site::body(const Page& page) {
    site::Html html =
        site::to_html(site::read(source_ + "/" + page.source),
                      {.target = [&](const std::string& link) { return target(page, link); },
                       .named = [&](const std::string& code) { return named(page, code); }});
    if (page.lesson == nullptr)
        return html.body;
    std::string recorded =
        site::recorded_section(recorded_, page.lesson->folder, page.lesson->stage);
    if (page.lesson == &lessons_.back())
        recorded += site::gauntlet_section(recorded_);
    std::string parts;
    for (const site::Heading& one : html.headings) {
        if (one.level != 2)
            continue;
        if (one.id == "how-it-works" && !recorded.empty())
            parts += "<li><a href=\"#recorded\">Seen by the kernel</a></li>\n";
        parts += "<li><a href=\"#" + one.id + "\">" + escaped(one.text) + "</a></li>\n";
    }
    std::size_t works = html.body.find("<h2><span id=\"how-it-works\">");
    html.body.insert(std::min(works, html.body.size()), recorded);
    html.body.insert(html.body.find("</h1>") + 6, "<ul class=\"parts\">\n" + parts + "</ul>\n");
    return html.body;
}

void Site::write_sources() {
    for (const std::string& path : sources_) {
        Page page{path, source_page(path), path, path};
        site::write(out_ + "/" + page.url,
                    around(page, "../", "",
                           "<h1>" + escaped(path) + "</h1>\n<pre tabindex=\"0\"><code>" +
                               escaped(site::read(source_ + "/" + path)) + "</code></pre>\n"));
    }
}

/// The pages with sliders stand for themselves; they get a way back.
void Site::write_pictures() {
    for (const Page& page : pages_) {
        if (page.lesson == nullptr)
            continue;
        std::string name = page.lesson->folder + ".html";
        auto picture = site::read_if_there(recorded_ + "/" + name);
        if (!picture)
            continue;
        const std::string header = "<header>";
        picture->insert(picture->find(header) + header.size(),
                        "<p><a href=\"../" + page.url + "#recorded\">← " + escaped(page.label) +
                            "</a></p>");
        site::write(out_ + "/pictures/" + name, *picture);
    }
    if (auto gauntlet = site::read_if_there(recorded_ + "/gauntlet.svg"))
        site::write(out_ + "/pictures/gauntlet.svg", *gauntlet);
}

void Site::make() {
    for (const Page& page : pages_) {
        std::string rules =
            page.lesson == nullptr ? "" : site::picture_rules(recorded_, page.lesson->folder);
        site::write(
            out_ + "/" + page.url,
            around(page, "", rules.empty() ? "" : "<style>" + rules + "</style>\n", body(page)));
    }
    write_sources();
    write_pictures();
    site::write(out_ + "/style.css", site::read(source_ + "/site/style.css"));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        (void)fputs("usage: site-pages SOURCE RECORDED OUT\n", stderr);
        return 2;
    }
    try {
        Site(argv[1], argv[2], argv[3]).make();
    } catch (const std::exception& error) {
        (void)fprintf(stderr, "site-pages: %s\n", error.what());
        return 1;
    }
    return 0;
}
