// A shell of the learner's on a terminal of its own, into which a lesson's commands are typed, with
// everything that it shows on the learner's terminal.
#pragma once

#include "sys/kernel.hpp"

#include <functional>
#include <optional>
#include <string>

namespace teach {

/// The terminal that stdin is, in another mode while this lives.
class TerminalMode {
public:
    explicit TerminalMode(void (*change)(termios*));
    ~TerminalMode();
    TerminalMode(const TerminalMode&) = delete;
    TerminalMode& operator=(const TerminalMode&) = delete;

private:
    std::optional<termios> before_;
};
struct RawMode : TerminalMode {
    RawMode() : TerminalMode(cfmakeraw) {}
};
/// Keys are neither shown nor obeyed; what is printed goes out as ever.
struct Unechoed : TerminalMode {
    Unechoed()
        : TerminalMode([](termios* mode) {
              mode->c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG | IEXTEN);
          }) {}
};

class LessonShell {
public:
    using Show = std::function<void(const std::string&)>;
    explicit LessonShell(Show show) : show_(std::move(show)) {}
    /// Hangs up; what still runs on its terminal is told by SIGHUP.
    ~LessonShell();
    LessonShell(const LessonShell&) = delete;
    LessonShell& operator=(const LessonShell&) = delete;

    /// bash, at its first prompt.
    sys::Result<void> start();
    /// The prompt that it waits at: "$ ", "/ # " or "> "; "" when it has ended.
    const std::string& prompt() const { return prompt_; }
    /// Type a command, and the further lines of it, and show what comes until the next prompt. What
    /// the learner types meanwhile goes there too.
    sys::Result<void> type(const sys::Strings& lines);

private:
    sys::Result<void> until_prompt();
    bool take_prompt();
    void release(std::size_t count);

    Show show_;
    sys::Fd master_;
    pid_t pid_ = 0;
    std::string prompt_;
    std::string held_;        ///< not shown yet: what may be a prompt
    bool fresh_ = true;       ///< it begins a line
    bool line_ended_ = false; ///< since something was typed
};

} // namespace teach
