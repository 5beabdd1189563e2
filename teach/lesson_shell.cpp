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
constexpr std::string_view kPrompts[] = {"$ ", "/ # ", "> ",
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

RawMode::RawMode() {
    auto mode = sys::tcgetattr(STDIN_FILENO);
    if (!mode)
        return; // not a terminal
    before_ = *mode;
    cfmakeraw(&*mode);
    (void)sys::tcsetattr(STDIN_FILENO, *mode); // cooked will do: keys then take an Enter
}

RawMode::~RawMode() {
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
    for (const std::string& line : lines) {
        show_(std::exchange(held_, ""));
        line_ended_ = false;
        TRY(sys::write(master_.get(), line + "\n"));
        TRY(until_prompt());
    }
    return {};
}

/// Is what is held a prompt? Then we wait at it.
bool LessonShell::take_prompt() {
    std::size_t start = held_.rfind('\n');
    std::string last = visible(std::string_view(held_).substr(start + 1)); // npos + 1 is 0
    const auto* found = std::ranges::find(kPrompts, last);
    if (!line_ended_ || found == std::end(kPrompts))
        return false;
    show_(held_.substr(0, start + 1));
    held_.erase(0, start + 1);
    prompt_ = *found;
    return true;
}

Result<void> LessonShell::until_prompt() {
    RawMode raw;
    prompt_.clear();
    std::array<char, 4096> buffer;
    bool keys = true;
    for (;;) {
        if (take_prompt())
            return {};
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
                show_(std::exchange(held_, ""));
                return {};
            }
            held_.append(buffer.data(), *got);
            line_ended_ = line_ended_ || held_.contains('\n');
            // All but a last line that may become a prompt.
            std::size_t start = held_.rfind('\n') + 1;
            std::string last = visible(std::string_view(held_).substr(start));
            if (!line_ended_ || std::ranges::none_of(kPrompts, [&](std::string_view prompt) {
                    return prompt.starts_with(last);
                }))
                start = held_.size();
            show_(held_.substr(0, start));
            held_.erase(0, start);
        }
    }
}

} // namespace teach
