// Processes that a test starts, and what they print, without ever sleeping: every wait is a poll
// on what it waits for, with a deadline. A wait that fails throws, with what was printed so far.
//
//   Process cat({.argv = {"cat"}});
//   cat.type("hello\n");
//   cat.until("hello");
//   cat.close_input();
//   EXPECT_EQ(cat.wait().status, 0);
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>
#include <termios.h>

namespace support {

using Strings = std::vector<std::string>;
using Duration = std::chrono::milliseconds;

/// How long anything may take on a busy machine, or on one that is emulated. A learner whose stage
/// does not answer need not wait so long: GOCONTAINER_PATIENCE, in milliseconds.
inline const Duration kPatience{
    getenv("GOCONTAINER_PATIENCE") != nullptr ? atoi(getenv("GOCONTAINER_PATIENCE")) : 60'000};

struct Command {
    Strings argv;
    Strings env;     ///< NAME=VALUE to set, or NAME to unset
    std::string cwd; ///< empty: the test's own
    /// Descriptors that the process gets: (ours, its number).
    std::vector<std::pair<int, int>> fds;
    /// Runs in the new process just before its exec; what it throws ends the test.
    std::function<void()> before_exec;
    std::string input; ///< typed at once; a pipe keeps it until it is read
    bool input_ends = false;
};

struct Ended {
    int status = 0; ///< as a shell sees it: 128 + N for a signal
    int signal = 0; ///< that ended it, or 0
    std::string out;
    std::string err;
    /// Somebody still has its output open, though it has ended.
    bool held_open = false;
};

/// A process in a session of its own, with pipes for its three streams.
class Process {
public:
    explicit Process(Command command);
    /// Kills it, when it has not ended, and waits.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    void type(std::string_view text);
    void close_input();
    /// Wait until stdout (or stderr) has `text`.
    void until(const std::string& text);
    void until_complains(const std::string& text);
    const std::string& out() const { return out_; }
    const std::string& err() const { return err_; }
    /// Everything of stdout that has not been taken yet, up to `mark`; the mark is taken too.
    std::string take(const std::string& mark);
    void kill(int signal);
    bool running();
    Ended wait(Duration patience = kPatience);

private:
    bool pump(std::chrono::steady_clock::time_point deadline);
    void read_some(int& fd, std::string& into);
    [[noreturn]] void give_up(const std::string& what);
    void until_in(const std::string& where, const std::string& text);

    std::string name_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int in_ = -1, out_fd_ = -1, err_fd_ = -1;
    std::string out_, err_, to_type_;
    std::size_t taken_ = 0;
    bool ended_ = false;
    bool close_when_typed_ = false;
    int wait_status_ = 0;
};

/// Start, give it no more input, wait.
Ended run(Command command);

/// A process on a pseudo-terminal of its own, in a session of its own.
class Terminal {
public:
    explicit Terminal(Command command, unsigned short rows = 24, unsigned short columns = 80);
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    pid_t pid() const { return pid_; }
    void type(std::string_view text);
    /// Wait until the terminal shows `text`, after what was waited for last.
    void until(const std::string& text);
    /// The same; also gives back what came before it.
    std::string take(const std::string& text);
    void resize(unsigned short rows, unsigned short columns);
    termios modes() const;
    /// As they were before the process began.
    const termios& first_modes() const { return first_modes_; }
    const std::string& screen() const { return screen_; }
    pid_t foreground() const;
    Ended wait(Duration patience = kPatience);
    bool running();
    /// As when the window is closed.
    void hang_up();

private:
    bool pump(std::chrono::steady_clock::time_point deadline, bool until_writable = false);

    std::string name_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int master_ = -1, slave_ = -1;
    termios first_modes_{};
    std::string screen_;
    std::size_t seen_ = 0;
    bool ended_ = false;
    int wait_status_ = 0;
};

/// Wait until `done()` holds, looking anew whenever a moment has passed; for what the kernel tells
/// nobody about, as a cgroup's removal by another process. False when the time is over.
bool eventually(const std::function<bool()>& done, Duration patience = kPatience);

/// Let so much time pass: for what is to be hit in the midst of something.
void pass(std::chrono::microseconds time);
/// How long `what` takes: the median of five times.
std::chrono::microseconds time_of(const std::function<void()>& what);

/// Throws with errno's text.
[[noreturn]] void fail_with_errno(const std::string& what);

} // namespace support
