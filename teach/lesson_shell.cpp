// Relaying between the learner's terminal and the shell's, and knowing a prompt when it comes.
#include "teach/lesson_shell.hpp"

#include "sys/path.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <utility>

namespace teach {

using sys::Fd;
using sys::Result;

namespace {

// The shells' and that of `parent --pause`.
constexpr std::string_view kMore = "> ";
constexpr std::string_view kPrompts[] = {"$ ", "/ # ", kMore,
                                         "(look, diff, host, explain, shell, continue, quit) > "};

/// Without the sequences that a terminal obeys.
std::string visible(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i).starts_with("\033[")) {
            for (i += 2; i < text.size() && (text[i] < '@' || text[i] > '~'); ++i) {
            }
        } else if (text[i] != '\r') {
            out += text[i];
        }
    }
    return out;
}

Result<sys::Strings> shell_environment() {
    std::string text = TRY(sys::read_file("/proc/self/environ"));
    sys::Strings out{"PS1=$ ", "PS2=> ", "HISTFILE=/dev/null"};
    for (std::size_t at = 0, end = 0; (end = text.find('\0', at)) != std::string::npos;
         at = end + 1) {
        std::string variable = text.substr(at, end - at);
        if (std::ranges::none_of(out, [&](const std::string& ours) {
                return variable.starts_with(ours.substr(0, ours.find('=') + 1));
            }))
            out.push_back(std::move(variable));
    }
    return out;
}

} // namespace

TerminalMode::TerminalMode(void (*change)(termios*)) {
    auto mode = sys::tcgetattr(STDIN_FILENO);
    if (!mode)
        return; // not a terminal
    before_ = *mode;
    change(&*mode);
    (void)sys::tcsetattr(STDIN_FILENO, *mode); // cooked will do: keys then take an Enter
}

TerminalMode::~TerminalMode() {
    if (before_)
        (void)sys::tcsetattr(STDIN_FILENO, *before_); // the terminal may be gone
}

LessonShell::~LessonShell() {
    master_.close();
    if (pid_ <= 0)
        return;
    auto pidfd = sys::pidfd_open(pid_);
    if (pidfd) {
        pollfd ended{.fd = pidfd->get(), .events = POLLIN, .revents = 0};
        auto ready = sys::poll(std::span(&ended, 1), std::chrono::seconds(5));
        if (!ready || *ready == 0)
            (void)sys::kill(pid_, SIGKILL); // it has ended meanwhile, or does now
    }
    (void)sys::waitpid(pid_, 0); // nobody asks for its status
}

Result<void> LessonShell::start() {
    std::string bash = sys::find_program("bash");
    if (bash.empty())
        return sys::wrong("there is no bash",
                          "install it: the lessons' commands are typed into it");
    master_ = TRY(sys::openat(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY));
    Fd slave = TRY(sys::pty_peer(master_.get()));
    if (auto size = sys::get_winsize(STDOUT_FILENO))
        TRY(sys::set_winsize(master_.get(), *size));
    sys::Spawn spawn;
    spawn.argv = {bash, "--norc", "--noprofile", "-i"};
    spawn.env = TRY(shell_environment());
    spawn.fds = {{slave.get(), 0}, {slave.get(), 1}, {slave.get(), 2}};
    spawn.terminal = true;
    spawn.death_signal = SIGHUP;
    pid_ = TRY(sys::start(spawn));
    line_ended_ = true;
    return until_prompt();
}

Result<void> LessonShell::type(const sys::Strings& lines) {
    if (auto size = sys::get_winsize(STDOUT_FILENO))
        TRY(sys::set_winsize(master_.get(), *size));
    // What has come meanwhile, of what runs in the background.
    pollfd more{.fd = master_.get(), .events = POLLIN, .revents = 0};
    for (std::array<char, 4096> buffer;
         TRY(sys::poll(std::span(&more, 1), std::chrono::seconds(0))) > 0;) {
        auto got = sys::read(master_.get(), buffer);
        if (!got || *got == 0)
            break;
        show_({buffer.data(), *got});
    }
    for (const std::string& line : lines) {
        release(held_.size());
        line_ended_ = false;
        TRY(sys::write(master_.get(), line + "\n"));
        TRY(until_prompt());
    }
    return {};
}

/// Shows the first `count` bytes of what is held.
void LessonShell::release(std::size_t count) {
    if (count == 0)
        return;
    fresh_ = held_[count - 1] == '\n';
    show_(held_.substr(0, count));
    held_.erase(0, count);
}

/// Is a line of what is held a prompt? Then we wait at it. What runs in the background may have
/// written behind it already: that is shown before it.
bool LessonShell::take_prompt() {
    if (!line_ended_)
        return false;
    for (std::size_t start = fresh_ ? 0 : held_.find('\n') + 1, end = 0;
         (fresh_ || start > 0) && end != std::string::npos; start = end + 1) {
        end = held_.find('\n', start);
        std::string line = visible(std::string_view(held_).substr(start, end - start));
        const auto* found = std::ranges::find_if(kPrompts, [&](std::string_view prompt) {
            return line == prompt || (prompt != kMore && line.starts_with(prompt));
        });
        if (found == std::end(kPrompts) || (line == *found && end != std::string::npos))
            continue;
        std::size_t at = held_.find(*found, start);
        if (line != *found && at != std::string::npos)
            held_.erase(at, found->size());
        prompt_ = *found;
        if (line == prompt_) {
            release(start);
        } else {
            release(held_.size());
            held_ = prompt_;
        }
        return true;
    }
    return false;
}

Result<void> LessonShell::until_prompt() {
    RawMode raw;
    prompt_.clear();
    std::array<char, 4096> buffer;
    bool keys = true;
    for (;;) {
        pollfd fds[2] = {{.fd = keys ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0},
                         {.fd = master_.get(), .events = POLLIN, .revents = 0}};
        TRY(sys::poll(fds));
        if (fds[0].revents != 0) {
            auto got = sys::read(STDIN_FILENO, buffer);
            keys = got && *got > 0;
            if (keys)
                TRY(sys::write(master_.get(), std::string_view(buffer.data(), *got)));
        }
        if (fds[1].revents != 0) {
            auto got = sys::read(master_.get(), buffer);
            if (!got || *got == 0) { // EIO: nobody has the terminal open any more
                release(held_.size());
                return {};
            }
            held_.append(buffer.data(), *got);
            line_ended_ = line_ended_ || held_.contains('\n');
            if (take_prompt())
                return {};
            // All but a last line that may become a prompt.
            std::size_t start = held_.rfind('\n') + 1;
            std::string last = visible(std::string_view(held_).substr(start));
            if (!line_ended_ || std::ranges::none_of(kPrompts, [&](std::string_view prompt) {
                    return prompt.starts_with(last);
                }))
                start = held_.size();
            release(start);
        }
    }
}

} // namespace teach
