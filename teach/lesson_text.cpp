// Finding the lessons and taking their Markdown apart.
#include "teach/lesson_text.hpp"

#include "sys/path.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

namespace teach {

using sys::Fd;
using sys::Result;

namespace {

constexpr std::string_view kStage = "Stage: ";
constexpr std::string_view kShownPrompts[] = {
    "$ ", "/ # ", "(look, diff, host, explain, shell, continue, quit) > "};

std::string parent_of(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

} // namespace

std::string Piece::fact(std::string_view name) const {
    std::istringstream words(facts);
    for (std::string word; words >> word;)
        if (word.starts_with(name) && word.substr(name.size()).starts_with('='))
            return word.substr(name.size() + 1);
    return "";
}

Result<std::string> lessons_folder() {
    if (const char* named = getenv("GOCONTAINER_LESSONS"); named != nullptr && *named != '\0')
        return named;
    std::string beside = parent_of(TRY(sys::readlinkat(AT_FDCWD, "/proc/self/exe")));
    std::string checkout = sys::join(beside, "lessons");
    std::string installed = sys::join(parent_of(beside), "share/gocontainer/lessons");
    for (const std::string& place : {checkout, installed})
        if (sys::exists(place))
            return place;
    return sys::wrong("no lessons in \"" + checkout + "\" or \"" + installed + "\"",
                      "GOCONTAINER_LESSONS=DIR says where they are");
}

Result<std::vector<Lesson>> load_lessons(const std::string& folder) {
    Fd directory = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
    std::vector<Lesson> lessons;
    for (const sys::Entry& entry : TRY(sys::entries(directory.get()))) {
        std::string path = sys::join(entry.name, "README.md");
        auto digit = [&](std::size_t at) { return entry.name[at] >= '0' && entry.name[at] <= '9'; };
        if (entry.name.size() < 4 || !digit(0) || !digit(1) || entry.name[2] != '-')
            continue;
        lessons.push_back(parse_lesson(entry.name, TRY(sys::read_file(directory.get(), path))));
    }
    if (lessons.empty())
        return sys::wrong("there are no lessons in \"" + folder + "\"",
                          "GOCONTAINER_LESSONS=DIR says where they are");
    std::ranges::sort(lessons, {}, &Lesson::number);
    return lessons;
}

Lesson parse_lesson(const std::string& folder, std::string_view text) {
    Lesson lesson;
    lesson.folder = folder;
    (void)std::from_chars(folder.data(), folder.data() + folder.size(), lesson.number); // else 0
    lesson.sections.emplace_back();
    std::istringstream lines{std::string(text)};
    bool in_block = false;
    auto pieces = [&]() -> std::vector<Piece>& { return lesson.sections.back().pieces; };
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("```")) {
            in_block = !in_block;
            if (!in_block)
                continue;
            std::size_t blank = std::min(line.find(' '), line.size());
            pieces().push_back({line.substr(3, blank - 3), line.substr(blank), {}});
            if (pieces().back().kind.empty())
                pieces().back().kind = "text";
            continue;
        }
        if (!in_block && line.starts_with("# ") && lesson.title.empty()) {
            std::size_t dot = line.find(". ");
            lesson.title = line.substr(dot == std::string::npos ? 2 : dot + 2);
            continue;
        }
        if (!in_block && line.starts_with("## ")) {
            lesson.sections.push_back({line.substr(3), {}});
            continue;
        }
        if (!in_block && line.starts_with(kStage) && lesson.stage.empty())
            lesson.stage = line.substr(kStage.size(), line.find('.') - kStage.size());
        if (!in_block && (pieces().empty() || !pieces().back().kind.empty()))
            pieces().emplace_back();
        if (!in_block && line.empty() && pieces().back().lines.empty())
            continue;
        pieces().back().lines.push_back(line);
    }
    for (Section& section : lesson.sections) {
        for (Piece& piece : section.pieces)
            while (piece.kind.empty() && !piece.lines.empty() && piece.lines.back().empty())
                piece.lines.pop_back();
        std::erase_if(section.pieces,
                      [](const Piece& piece) { return piece.kind.empty() && piece.lines.empty(); });
    }
    return lesson;
}

std::vector<Typed> typed_in(const Piece& piece) {
    std::vector<Typed> out;
    for (const std::string& line : piece.lines) {
        bool typed = false;
        for (std::string_view prompt : kShownPrompts) {
            if (line.starts_with(prompt)) {
                out.push_back({std::string(prompt), {line.substr(prompt.size())}, {}});
                typed = true;
            }
        }
        if (typed || out.empty())
            continue;
        if (line.starts_with("> ") && out.back().shown.empty())
            out.back().lines.push_back(line.substr(2));
        else
            out.back().shown.push_back(line);
    }
    return out;
}

} // namespace teach
