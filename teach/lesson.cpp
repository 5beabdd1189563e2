// The list, the options, and where the lessons are shown whole.
#include "teach/lesson.hpp"

#include "teach/lesson_text.hpp"
#include "teach/lesson_walk.hpp"
#include "teach/markdown.hpp"
#include "teach/paint.hpp"
#include "teach/progress.hpp"
#include "teach/root_range.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace teach {

using sys::Result;

namespace {

constexpr const char* kUsage = R"(Usage: gocontainer lesson [OPTIONS] [list|N]

Sixteen lessons on how containers work, in your terminal. N walks through one:
Enter runs the next command in a shell of yours, s skips it, q leaves, and next
time you go on there. Without a terminal, all of the lesson's text is printed.

      --anew                      Begin lesson N at its beginning
      --plain                     No colours, boxes or arrows
  -h,--help                       This text
)";

struct Options {
    bool help = false, plain = false, anew = false;
    std::optional<unsigned> number;
};

Result<Options> parse(const sys::Strings& args) {
    Options options;
    bool named = false;
    for (const std::string& arg : args) {
        if (arg == "-h" || arg == "--help") {
            options.help = true;
        } else if (arg == "--plain") {
            options.plain = true;
        } else if (arg == "--anew") {
            options.anew = true;
        } else if (arg.starts_with('-') || named) {
            return sys::wrong("lesson: what is \"" + arg + "\"?", "'gocontainer lesson --help'");
        } else {
            named = true;
            if (arg == "list")
                continue;
            unsigned number = 0;
            auto [end, error] = std::from_chars(arg.data(), arg.data() + arg.size(), number);
            if (error != std::errc{} || end != arg.data() + arg.size())
                return sys::wrong("lesson: \"" + arg + "\" is no number of a lesson",
                                  "'gocontainer lesson list' has them");
            options.number = number;
        }
    }
    return options;
}

std::string state_of(const nlohmann::json& progress, const Lesson& lesson) {
    const auto& all = progress["lessons"];
    auto found = all.find(progress_key(lesson.number));
    if (found == all.end() || !found->is_object())
        return "";
    if (found->contains("passed") && !(*found)["passed"].is_null())
        return "passed";
    std::size_t seen = sections_seen(progress, lesson);
    if (seen == 0)
        return "";
    return seen >= lesson.sections.size()
               ? "read"
               : std::to_string(seen) + " of " + std::to_string(lesson.sections.size());
}

std::string listed(const std::vector<Lesson>& lessons, const nlohmann::json& progress,
                   const Paint& paint) {
    std::string out;
    for (const Lesson& lesson : lessons) {
        std::string number = std::to_string(lesson.number);
        std::string state = state_of(progress, lesson);
        std::string stage = lesson.stage == "none" ? "" : lesson.stage;
        out += std::string(number.size() < 2 ? 1 : 0, ' ') + paint.bold(number) + "  " +
               padded(lesson.title, 42) + "  " + padded(stage, 12);
        if (!state.empty())
            out += "  " + (state == "passed" ? paint.green(state) : paint.yellow(state));
        while (out.ends_with(' '))
            out.pop_back();
        out += "\n";
    }
    return out + "\n'gocontainer lesson N' begins one, or goes on where you left it\n";
}

std::string whole(const Lesson& lesson, const Paint& paint) {
    std::string out = paint.bold(std::to_string(lesson.number) + ". " + lesson.title) + "\n";
    for (const Section& section : lesson.sections) {
        out += heading(section, paint);
        for (const Piece& piece : section.pieces)
            out += piece.kind.empty() ? rendered_prose(piece.lines, paint) + "\n"
                                      : rendered_block(piece.lines, paint) + "\n";
    }
    return out;
}

/// For such a root (teach/root_range.hpp), whether it walks through a lesson or types it elsewhere.
std::string note_for_root(const Paint& paint) {
    return wrapped("You are root, and /etc/subuid gives root ids: your containers would run as "
                   "one of those, and not print what the lessons say. 'gocontainer lesson N' and "
                   "'lab check N' hide that line from themselves. What you type in a terminal of "
                   "your own, type in this shell:",
                   0, paint.width()) +
           "\n  unshare -m sh -c 'mount --bind /dev/null /etc/subuid && exec bash'\n\n";
}

} // namespace

Result<void> lesson(const sys::Strings& args, const std::function<void(const std::string&)>& show) {
    Options options = TRY(parse(args));
    if (options.help) {
        show(kUsage);
        return {};
    }
    const char* term = getenv("TERM");
    bool dumb = term == nullptr || std::string_view(term) == "dumb";
    std::string folder = TRY(lessons_folder());
    std::vector<Lesson> lessons = TRY(load_lessons(folder));
    const Paint paint = Paint::for_stream(STDOUT_FILENO, options.plain);
    bool range = root_has_range();
    if (range)
        show(note_for_root(paint));
    if (!options.number) {
        show(listed(lessons, TRY(load_progress()), paint));
        return {};
    }
    auto found = std::ranges::find(lessons, *options.number, &Lesson::number);
    if (found == lessons.end())
        return sys::wrong("there is no lesson " + std::to_string(*options.number),
                          "'gocontainer lesson list' has them");
    if (!sys::isatty(STDIN_FILENO) || !sys::isatty(STDOUT_FILENO)) {
        show(whole(*found, paint));
        return {};
    }
    if (range)
        TRY(hide_root_range());
    return walk(*found, folder, Paint::for_stream(STDOUT_FILENO, options.plain || dumb),
                options.anew, found + 1 != lessons.end(), show);
}

} // namespace teach
