// Sections, questions and commands, each when the learner asks for it.
#include "teach/lesson_walk.hpp"

#include "sys/path.hpp"
#include "teach/lesson_needs.hpp"
#include "teach/lesson_shell.hpp"
#include "teach/markdown.hpp"
#include "teach/progress.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

namespace teach {

using sys::Result;
using Show = std::function<void(const std::string&)>;

namespace {

enum class Choice { run, skip, leave };

struct Walk {
    const Lesson& lesson;
    const Paint& paint;
    const Show& show;
    std::map<std::string, std::unique_ptr<LessonShell>> shells; ///< by terminal
    std::string terminal = "1";                                 ///< that was typed into last
};

/// Shows `hint`, waits for Enter, s or q, and takes `rows` lines and the hint away again.
Result<Choice> ask(const Walk& walk, const std::string& hint, std::size_t rows = 0) {
    walk.show(walk.paint.dim(hint));
    std::optional<Choice> choice;
    {
        RawMode raw;
        while (!choice) {
            std::array<char, 1> key{};
            std::size_t got = TRY(sys::read(STDIN_FILENO, key));
            if (got == 0 || key[0] == 'q' || key[0] == '\x03' || key[0] == '\x04')
                choice = Choice::leave;
            else if (key[0] == '\r' || key[0] == '\n')
                choice = Choice::run;
            else if (key[0] == 's')
                choice = Choice::skip;
        }
    }
    if (walk.paint.plain())
        walk.show("\n");
    else
        walk.show((rows > 0 ? "\r\033[" + std::to_string(rows) + "A" : "\r") + "\033[J");
    return *choice;
}

Result<std::string> typed_line() {
    std::string line;
    std::array<char, 1> key{};
    while (TRY(sys::read(STDIN_FILENO, key)) > 0 && key[0] != '\n')
        line += key[0];
    return line;
}

std::string even(const std::string& text) {
    std::istringstream words(text);
    std::string out;
    for (std::string word; words >> word;)
        out += (out.empty() ? "" : " ") + word;
    return out;
}

/// What a command prints.
Result<std::string> output_of(const std::string& command) {
    auto [reader, writer] = TRY(sys::pipe());
    sys::Spawn spawn;
    spawn.path = sys::find_program("bash");
    if (spawn.path.empty())
        return sys::wrong("there is no bash",
                          "install it: the lessons' commands are typed into it");
    spawn.argv = {"bash", "-c", command};
    std::string variables = TRY(sys::read_file("/proc/self/environ"));
    for (std::size_t at = 0, end = 0; (end = variables.find('\0', at)) != std::string::npos;
         at = end + 1)
        spawn.env.push_back(variables.substr(at, end - at));
    spawn.fds = {{writer.get(), STDOUT_FILENO}};
    pid_t pid = TRY(sys::start(spawn));
    writer.close();
    std::string out = TRY(sys::read_all(reader.get()));
    TRY(sys::waitpid(pid, 0));
    return out;
}

/// In small letters, without what ends a sentence.
std::string bare(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    text.erase(text.find_last_not_of(".,;!") + 1);
    return text;
}

/// "Yes.", "no, it is hidden" and "8 of them" are answers too.
bool agrees(const std::string& said, const std::string& answer) {
    return bare(said) == bare(answer) || bare(said.substr(0, said.find(' '))) == bare(answer);
}

Result<void> predict(const Walk& walk, const Piece& piece) {
    auto typed = std::ranges::find_if(piece.lines, [](auto& l) { return l.starts_with("$ "); });
    std::string command;
    for (auto line = typed; line != piece.lines.end(); ++line)
        command += line->substr(2) + "\n"; // behind "$ " or "> "
    walk.show(rendered_prose({piece.lines.begin(), typed}, walk.paint));
    walk.show(walk.paint.bold("Your prediction: "));
    std::string said = even(TRY(typed_line()));
    if (said.empty()) { // once more: what one has predicted wrongly, one remembers
        walk.show(walk.paint.bold("A guess will do: "));
        said = even(TRY(typed_line()));
    }
    walk.show("\n" + rendered_block({typed, piece.lines.end()}, walk.paint));
    if (std::string needs = missing(piece.fact("needs")); !needs.empty()) {
        walk.show(walk.paint.yellow("Not here: this needs " + needs + ".") +
                  "\nElsewhere the answer is: " + piece.fact("is") + "\n\n");
        return {};
    }
    std::string answer = TRY(output_of(command));
    walk.show("  " + (answer.empty() ? "(nothing)\n" : answer));
    if (said.empty())
        walk.show("\n");
    else if (agrees(said, even(answer)))
        walk.show(walk.paint.green("As you said.") + "\n\n");
    else
        walk.show(walk.paint.yellow("You said: " + said) + "\n\n");
    return {};
}

Result<LessonShell*> shell_of(Walk& walk, const std::string& terminal) {
    std::unique_ptr<LessonShell>& shell = walk.shells[terminal];
    if (!shell || shell->prompt().empty()) {
        shell = std::make_unique<LessonShell>(walk.show);
        TRY(shell->start());
    }
    return shell.get();
}

/// False when the learner leaves.
Result<bool> commands(Walk& walk, const Piece& piece) {
    std::string terminal = piece.fact("terminal").empty() ? "1" : piece.fact("terminal");
    if (terminal != walk.terminal)
        walk.show(walk.paint.yellow(terminal == "1" ? "[back in the first terminal]"
                                                    : "[in a second terminal]") +
                  "\n");
    walk.terminal = terminal;
    if (std::string needs = missing(piece.fact("needs")); !needs.empty()) {
        walk.show(walk.paint.yellow("Not here: this needs " + needs + ".") +
                  "\nElsewhere it goes so:\n\n" + rendered_block(piece.lines, walk.paint) + "\n");
        return true;
    }
    Unechoed unechoed; // what the terminal answers to a program that asks it is nothing to be read
    for (const Typed& typed : typed_in(piece)) {
        LessonShell* shell = TRY(shell_of(walk, terminal));
        std::size_t rows = 0;
        for (std::size_t i = 0; i < typed.lines.size(); ++i) {
            std::string line = (i == 0 ? typed.prompt : "> ") + typed.lines[i];
            walk.show(walk.paint.bold(line) + "\n");
            rows += (columns(line) + walk.paint.width() - 1) / walk.paint.width();
        }
        // What is meant for a container that did not start is not for the host.
        bool here = shell->prompt() == typed.prompt;
        Choice choice =
            TRY(ask(walk,
                    here ? "Enter: run   s: skip   q: leave "
                         : "not at \"" + shell->prompt() + "\".   Enter: skip   q: leave ",
                    rows));
        switch (here || choice == Choice::leave ? choice : Choice::skip) {
        case Choice::leave:
            return false;
        case Choice::run:
            TRY(shell->type(typed.lines));
            break;
        case Choice::skip:
            walk.show(walk.paint.dim(typed.prompt + typed.lines.front() + "   (skipped)") + "\n");
            for (const std::string& line : typed.shown)
                walk.show(walk.paint.dim(line) + "\n");
            break;
        }
    }
    walk.show("\n");
    return true;
}

Result<bool> section(Walk& walk, const Section& section) {
    walk.show(heading(section, walk.paint));
    for (const Piece& piece : section.pieces) {
        if (piece.kind.empty()) {
            walk.show(rendered_prose(piece.lines, walk.paint) + "\n");
        } else if (piece.kind == "predict") {
            TRY(predict(walk, piece));
        } else if (piece.kind == "console") {
            if (!TRY(commands(walk, piece)))
                return false;
        } else {
            walk.show(rendered_block(piece.lines, walk.paint) + "\n");
        }
    }
    return true;
}

Result<void> keep(const Lesson& lesson, std::size_t seen) {
    return update_progress([&](nlohmann::json& progress) {
        nlohmann::json& mine = progress["lessons"][progress_key(lesson.number)];
        if (!mine.is_object())
            mine = nlohmann::json{{"passed", nullptr}};
        mine["section"] = seen;
        mine["sections"] = lesson.sections.size();
    });
}

/// What the learner has to do about ./rootfs first, or "".
std::string about_rootfs(const Paint& paint) {
    auto rootfs = sys::fstatat(AT_FDCWD, "rootfs", 0);
    if (!rootfs)
        return paint.yellow("There is no ./rootfs here: make one by 'rootfs-scripts/busybox "
                            "rootfs'") +
               "\n";
    if (sys::geteuid() == 0 && rootfs->st_uid != 0) // made when /etc/subuid gave root a range
        return paint.yellow("./rootfs belongs to uid " + std::to_string(rootfs->st_uid) +
                            ", not to you: 'chown -hR 0:0 rootfs' makes it yours") +
               "\n";
    return "";
}

} // namespace

std::string heading(const Section& section, const Paint& paint) {
    return section.heading.empty() ? "" : "\n" + paint.bold(paint.green(section.heading)) + "\n\n";
}

std::size_t sections_seen(const nlohmann::json& progress, const Lesson& lesson) {
    const auto& all = progress["lessons"];
    auto mine = all.find(progress_key(lesson.number));
    if (mine == all.end() || !mine->is_object() || !mine->contains("section") ||
        !(*mine)["section"].is_number_unsigned())
        return 0;
    return (*mine)["section"].get<std::size_t>();
}

Result<void> walk(const Lesson& lesson, const std::string& folder, const Paint& paint, bool anew,
                  bool next, const Show& show) {
    // Where the commands are meant to be typed: beside ./gocontainer and ./rootfs.
    std::string checkout = sys::join(folder, "..");
    if (sys::exists(sys::join(checkout, "gocontainer")))
        TRY(sys::chdir(checkout));
    std::size_t from = sections_seen(TRY(load_progress()), lesson);
    bool again = !anew && from > 0 && from < lesson.sections.size();
    if (!again)
        from = 0;
    Walk walk{.lesson = lesson, .paint = paint, .show = show, .shells = {}};
    show(paint.bold(std::to_string(lesson.number) + ". " + lesson.title) + "\n");
    if (again)
        show(paint.dim("(you have read as far as here; --anew begins at the beginning)") + "\n");
    show(about_rootfs(paint));
    show("\n");
    for (std::size_t i = from; i < lesson.sections.size(); ++i) {
        if (!TRY(section(walk, lesson.sections[i])))
            return {};
        TRY(keep(lesson, i + 1));
        bool last = i + 1 == lesson.sections.size();
        if (!last && !lesson.sections[i].heading.empty() &&
            TRY(ask(walk, "Enter: go on to \"" + lesson.sections[i + 1].heading +
                              "\"   q: leave ")) == Choice::leave)
            return {};
    }
    show(paint.green("That was lesson " + std::to_string(lesson.number) + ".") +
         (next ? " 'gocontainer lesson " + std::to_string(lesson.number + 1) + "' is the next.\n"
               : "\n"));
    return {};
}

} // namespace teach
