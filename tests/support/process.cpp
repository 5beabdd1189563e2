// Starting, feeding and awaiting processes.
#include "tests/support/process.hpp"

#include "tests/support/proc.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace support {

using Clock = std::chrono::steady_clock;

void fail_with_errno(const std::string& what) {
    throw std::runtime_error(what + ": " + strerror(errno));
}

namespace {

int remaining(Clock::time_point deadline) {
    auto left = std::chrono::duration_cast<Duration>(deadline - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left);
}

std::string join(const Strings& words) {
    std::string line;
    for (const std::string& word : words)
        line += (line.empty() ? "" : " ") + word;
    return line;
}

int shell_status(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

void close_fd(int& fd) {
    if (fd >= 0)
        close(fd);
    fd = -1;
}

/// What a program is started with, as execve(2) wants it.
std::vector<char*> pointers(const Strings& words) {
    std::vector<char*> all;
    for (const std::string& word : words)
        all.push_back(const_cast<char*>(word.c_str()));
    all.push_back(nullptr);
    return all;
}

/// Our own environment, changed as `changes` say: NAME=VALUE, or NAME to leave it out.
Strings changed_environment(const Strings& changes) {
    Strings all;
    for (char** variable = environ; *variable != nullptr; ++variable)
        all.emplace_back(*variable);
    for (const std::string& change : changes) {
        std::string name = change.substr(0, change.find('='));
        std::erase_if(all, [&](const std::string& one) { return one.starts_with(name + "="); });
        if (change.contains('='))
            all.push_back(change);
    }
    return all;
}

/// In the new process: everything between fork and exec, which `streams` differ for. Without a
/// before_exec, the memory that it works in is the test's own.
[[noreturn]] void become(const Command& command, const std::function<void()>& streams,
                         char* const* argv) {
    try {
        setsid();
        streams();
        // Signals and limits as a login shell would hand them down.
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        for (int number : {SIGPIPE, SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU})
            signal(number, SIG_DFL);
        if (!command.cwd.empty() && chdir(command.cwd.c_str()) != 0)
            fail_with_errno("chdir " + command.cwd);
        for (auto [ours, its] : command.fds)
            if (dup2(ours, its) < 0)
                fail_with_errno("dup2");
        if (command.before_exec)
            command.before_exec();
        execvp(argv[0], argv);
        fail_with_errno("exec " + command.argv[0]);
    } catch (const std::exception& problem) {
        dprintf(2, "tests/support: %s\n", problem.what());
    }
    _exit(99);
}

pid_t start(const Command& command, const std::function<void()>& streams, int& pidfd) {
    // Whatever a launcher leaves behind becomes our child, so that it can be found.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(nullptr);
    std::vector<char*> argv = pointers(command.argv);
    Strings variables = changed_environment(command.env);
    std::vector<char*> env = pointers(variables);
    char** before = std::exchange(environ, env.data()); // which execvp looks for PATH in
    // A copy of a test program costs more than most of what it starts.
    pid_t pid = command.before_exec ? fork() : vfork();
    if (pid == 0)
        become(command, streams, argv.data());
    environ = before;
    if (pid < 0)
        fail_with_errno("fork");
    pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); // glibc 2.36 has it for C alone
    if (pidfd < 0)
        fail_with_errno("pidfd_open");
    return pid;
}

bool reap(pid_t pid, int pidfd, int& wait_status) {
    pollfd end{.fd = pidfd, .events = POLLIN, .revents = 0};
    if (poll(&end, 1, 0) <= 0)
        return false;
    if (waitpid(pid, &wait_status, 0) != pid)
        fail_with_errno("waitpid");
    return true;
}

} // namespace

Process::Process(Command command) : name_(join(command.argv)) {
    std::array<std::array<int, 2>, 3> pipes{};
    for (auto& ends : pipes)
        if (pipe2(ends.data(), O_CLOEXEC) != 0)
            fail_with_errno("pipe2");
    pid_ = start(
        command,
        [&] {
            dup2(pipes[0][0], 0);
            dup2(pipes[1][1], 1);
            dup2(pipes[2][1], 2);
        },
        pidfd_);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    in_ = pipes[0][1];
    out_fd_ = pipes[1][0];
    err_fd_ = pipes[2][0];
    for (int fd : {in_, out_fd_, err_fd_})
        fcntl(fd, F_SETFL, O_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    if (!command.input.empty())
        type(command.input);
    if (command.input_ends)
        close_input();
}

Process::~Process() {
    if (!ended_) {
        ::kill(pid_, SIGKILL);
        // A job that its shell has stopped does not end by a hangup alone.
        while (waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
        }
    }
    for (int* fd : {&in_, &out_fd_, &err_fd_, &pidfd_})
        close_fd(*fd);
}

void Process::read_some(int& fd, std::string& into) {
    std::array<char, 1 << 16> buffer;
    ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got > 0)
        into.append(buffer.data(), static_cast<std::size_t>(got));
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(fd);
}

/// Move what can be moved; false when nothing did before the deadline. The process's own end
/// counts only once: after it, the streams are awaited alone.
bool Process::pump(Clock::time_point deadline) {
    std::array<pollfd, 4> fds{};
    fds[0] = {.fd = out_fd_, .events = POLLIN, .revents = 0};
    fds[1] = {.fd = err_fd_, .events = POLLIN, .revents = 0};
    fds[2] = {.fd = to_type_.empty() ? -1 : in_, .events = POLLOUT, .revents = 0};
    fds[3] = {.fd = ended_ ? -1 : pidfd_, .events = POLLIN, .revents = 0};
    int ready = poll(fds.data(), fds.size(), remaining(deadline));
    if (ready < 0 && errno != EINTR)
        fail_with_errno("poll");
    if (ready <= 0)
        return ready < 0;
    if (fds[0].revents != 0)
        read_some(out_fd_, out_);
    if (fds[1].revents != 0)
        read_some(err_fd_, err_);
    if (fds[2].revents != 0) {
        ssize_t put = write(in_, to_type_.data(), to_type_.size());
        if (put > 0)
            to_type_.erase(0, static_cast<std::size_t>(put));
        else if (put < 0 && errno != EAGAIN)
            to_type_.clear(); // nobody reads it any more
    }
    if (to_type_.empty() && close_when_typed_)
        close_fd(in_);
    if (fds[3].revents != 0)
        ended_ = reap(pid_, pidfd_, wait_status_);
    return true;
}

namespace {

/// What a process that does not end is doing, and all below it.
std::string describe(pid_t pid, const std::string& indent = "") {
    std::string in = "/proc/" + std::to_string(pid) + "/";
    auto one_line = [&](const char* file) {
        std::string text = try_slurp(in + file).value_or("?");
        std::ranges::replace(text, '\0', ' ');
        return text.substr(0, text.find('\n'));
    };
    std::string out = indent + std::to_string(pid) + " " + one_line("cmdline") + "\n" + indent +
                      "  waits in " + one_line("wchan") + ", syscall " + one_line("syscall");
    try {
        auto fields = status(pid);
        for (const char* field : {"State", "SigBlk", "SigIgn", "SigCgt", "ShdPnd"})
            out += std::string("\n") + indent + "  " + field + " " + fields[field];
        for (const auto& [number, target] : descriptors(pid))
            out += "\n" + indent + "  " + std::to_string(number) + " -> " + target;
    } catch (const std::exception& problem) {
        out += std::string("\n") + indent + "  " + problem.what();
    }
    out += "\n";
    for (pid_t child : children_of(pid))
        out += describe(child, indent + "    ");
    return out;
}

} // namespace

void Process::give_up(const std::string& what) {
    throw std::runtime_error(
        name_ + ": " + what +
        (ended_ ? " (ended with " + std::to_string(shell_status(wait_status_)) + ")"
                : " (still running)\n" + describe(pid_)) +
        "\n-- stdout:\n" + out_.substr(0, 4000) + "\n-- stderr:\n" + err_.substr(0, 4000));
}

void Process::type(std::string_view text) {
    to_type_ += text;
    // What fits goes now; the rest while somebody waits for something.
    pump(Clock::now());
}

void Process::close_input() {
    close_when_typed_ = true;
    if (to_type_.empty())
        close_fd(in_);
}

void Process::until_in(const std::string& where, const std::string& text) {
    auto deadline = Clock::now() + kPatience;
    auto found = [&] { return (where == "stdout" ? out_ : err_).find(text) != std::string::npos; };
    while (!found()) {
        if (out_fd_ < 0 && err_fd_ < 0 && !found())
            give_up("ended without \"" + text + "\" on " + where);
        if (!pump(deadline))
            give_up("no \"" + text + "\" on " + where);
    }
}

void Process::until(const std::string& text) {
    until_in("stdout", text);
}

void Process::until_complains(const std::string& text) {
    until_in("stderr", text);
}

std::string Process::take(const std::string& mark) {
    auto deadline = Clock::now() + kPatience;
    for (;;) {
        std::size_t at = out_.find(mark, taken_);
        if (at != std::string::npos) {
            std::string text = out_.substr(taken_, at - taken_);
            taken_ = at + mark.size();
            return text;
        }
        if (out_fd_ < 0 || !pump(deadline))
            give_up("no \"" + mark + "\" on stdout");
    }
}

void Process::kill(int signal) {
    if (ended_ || ::kill(pid_, signal) != 0)
        give_up("is not there to be killed");
}

bool Process::running() {
    pump(Clock::now());
    return !ended_;
}

Ended Process::wait(Duration patience) {
    auto deadline = Clock::now() + patience;
    while (!ended_)
        if (!pump(deadline))
            give_up("did not end");
    // Its last words are in the pipes already; whether anybody else holds them shows at once, or
    // as soon as that process is gone.
    Ended ended;
    auto soon = Clock::now() + Duration{5'000};
    while (out_fd_ >= 0 || err_fd_ >= 0) {
        if (!pump(soon)) {
            ended.held_open = true;
            break;
        }
    }
    ended.status = shell_status(wait_status_);
    ended.signal = WIFSIGNALED(wait_status_) ? WTERMSIG(wait_status_) : 0;
    ended.out = out_;
    ended.err = err_;
    return ended;
}

Ended run(Command command) {
    command.input_ends = true;
    return Process(std::move(command)).wait();
}

Terminal::Terminal(Command command, unsigned short rows, unsigned short columns)
    : name_(join(command.argv)) {
    winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (openpty(&master_, &slave_, nullptr, nullptr, &size) != 0)
        fail_with_errno("openpty");
    first_modes_ = modes();
    fcntl(master_, F_SETFD, FD_CLOEXEC);
    fcntl(slave_, F_SETFD, FD_CLOEXEC);
    fcntl(master_, F_SETFL, O_NONBLOCK);
    pid_ = start(
        command,
        [&] {
            if (ioctl(slave_, TIOCSCTTY, 0) != 0)
                fail_with_errno("TIOCSCTTY");
            for (int stream : {0, 1, 2})
                dup2(slave_, stream);
        },
        pidfd_);
    if (!command.input.empty())
        type(command.input);
}

Terminal::~Terminal() {
    if (!ended_) {
        ::kill(pid_, SIGKILL);
        ::kill(pid_, SIGCONT);
        while (waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
        }
    }
    for (int* fd : {&master_, &slave_, &pidfd_})
        close_fd(*fd);
}

bool Terminal::pump(Clock::time_point deadline, bool until_writable) {
    std::array<pollfd, 2> fds{};
    fds[0] = {.fd = master_,
              .events = static_cast<short>(POLLIN | (until_writable ? POLLOUT : 0)),
              .revents = 0};
    fds[1] = {.fd = ended_ ? -1 : pidfd_, .events = POLLIN, .revents = 0};
    int ready = poll(fds.data(), fds.size(), remaining(deadline));
    if (ready < 0 && errno != EINTR)
        fail_with_errno("poll");
    if (ready <= 0)
        return ready < 0;
    std::array<char, 1 << 14> buffer;
    if (fds[0].revents != 0) {
        ssize_t got = read(master_, buffer.data(), buffer.size());
        if (got > 0)
            screen_.append(buffer.data(), static_cast<std::size_t>(got));
    }
    if (fds[1].revents != 0)
        ended_ = reap(pid_, pidfd_, wait_status_);
    return true;
}

void Terminal::type(std::string_view text) {
    auto deadline = Clock::now() + kPatience;
    while (!text.empty()) {
        ssize_t put = write(master_, text.data(), text.size());
        if (put > 0)
            text.remove_prefix(static_cast<std::size_t>(put));
        else if (errno != EAGAIN)
            fail_with_errno("write to the terminal");
        else if (!pump(deadline, /*until_writable=*/true)) // full: what comes the other way must be
                                                           // read meanwhile
            throw std::runtime_error(name_ + ": the terminal takes no more input");
    }
}

std::string Terminal::take(const std::string& text) {
    auto deadline = Clock::now() + kPatience;
    for (;;) {
        std::size_t at = screen_.find(text, seen_);
        if (at != std::string::npos) {
            std::string before = screen_.substr(seen_, at - seen_);
            seen_ = at + text.size();
            return before;
        }
        if (!pump(deadline))
            throw std::runtime_error(name_ + ": the terminal does not show \"" + text +
                                     (ended_ ? "\" (ended)" : "\"") + "\n-- it shows:\n" + screen_);
    }
}

void Terminal::until(const std::string& text) {
    (void)take(text);
}

void Terminal::resize(unsigned short rows, unsigned short columns) {
    winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (ioctl(master_, TIOCSWINSZ, &size) != 0)
        fail_with_errno("TIOCSWINSZ");
}

termios Terminal::modes() const {
    termios mode{};
    if (tcgetattr(slave_, &mode) != 0)
        fail_with_errno("tcgetattr");
    return mode;
}

pid_t Terminal::foreground() const {
    return tcgetpgrp(master_);
}

bool Terminal::running() {
    pump(Clock::now());
    return !ended_;
}

void Terminal::hang_up() {
    close_fd(slave_);
    close_fd(master_);
}

Ended Terminal::wait(Duration patience) {
    auto deadline = Clock::now() + patience;
    while (!ended_)
        if (!pump(deadline))
            throw std::runtime_error(name_ + ": did not end\n-- the terminal shows:\n" + screen_);
    while (pump(Clock::now())) {
    } // what is left to be read is there already
    Ended ended;
    ended.status = shell_status(wait_status_);
    ended.signal = WIFSIGNALED(wait_status_) ? WTERMSIG(wait_status_) : 0;
    ended.out = screen_;
    return ended;
}

bool eventually(const std::function<bool()>& done, Duration patience) {
    auto deadline = Clock::now() + patience;
    while (!done()) {
        if (Clock::now() > deadline)
            return false;
        poll(nullptr, 0, 5);
    }
    return true;
}

void pass(std::chrono::microseconds time) {
    timespec left{.tv_sec = time.count() / 1'000'000, .tv_nsec = time.count() % 1'000'000 * 1000};
    while (nanosleep(&left, &left) != 0) {
    }
}

std::chrono::microseconds time_of(const std::function<void()>& what) {
    std::array<Clock::duration, 5> times{};
    for (Clock::duration& time : times) {
        auto start = Clock::now();
        what();
        time = Clock::now() - start;
    }
    std::ranges::sort(times);
    return std::chrono::duration_cast<std::chrono::microseconds>(times[2]);
}

} // namespace support
