// A container that a test starts with $GOCONTAINER and looks at from outside: through cgroupfs,
// /proc and the exit status, never through what the program says about itself. Unlike that of
// tests/support, it runs a script of the test's, as a user and in a cgroup of the test's choice.
//
//     vm::Container c({"--pids", "20"}, "read go; exit 7");
//     read_file(c.leaf() + "/pids.max");
//     c.go();                              // closes its stdin, so that the script's read returns
//     EXPECT_EQ(c.wait(), 7);
#pragma once

#include "tests/support/process.hpp"

#include <memory>
#include <optional>

namespace vm {

/// The text of a file without its last newline; empty when it can't be read.
std::string read_file(const std::string& path);
/// False, with errno, when the file did not take the text.
bool write_file(const std::string& path, const std::string& text);
bool exists(const std::string& path);
/// The number after `key` in lines of "key number", as in memory.events; -1 without one.
long long field(const std::string& text, const std::string& key);
/// Has the list of words `text`, as in cgroup.controllers, the word `word`?
bool has_word(const std::string& text, const std::string& word);
/// Processes of this machine with `token` in their command line.
int processes_with(const std::string& token);

/// Are we in the machine that tests/vm/boot made, whose settings a test may change?
bool own_machine();
/// The machine's ordinary user.
std::optional<uid_t> ordinary_user();

/// Why no leaf of ours can have `controller` here, as "host lacks …"; empty when it can.
std::string lacks_controller(const std::string& controller);
/// The directory of our own cgroup.
std::string own_cgroup();

/// Who starts the container, and from where.
struct Caller {
    std::optional<uid_t> user; ///< default: ours
    std::string cgroup;        ///< directory; default: ours
    std::string program;       ///< default: $GOCONTAINER
    support::Strings before;   ///< a program that is to start it, with arguments
};

class Container {
public:
    /// `gocontainer parent OPTIONS -- /bin/sh -c SCRIPT TOKEN`, without a network, silent but for
    /// errors, in $GOCONTAINER_ROOTFS.
    Container(const support::Strings& options, const std::string& script,
              const Caller& caller = {});
    ~Container();

    /// The process that was started: `gocontainer parent`.
    pid_t launcher() const { return launcher_->pid(); }
    /// Process 1 of the container once it runs the command; -1 when it did not get that far.
    pid_t process();
    /// The directory of its cgroup; empty when there is no such process.
    std::string leaf();
    /// A random word, in the command line of all that the script starts.
    const std::string& token() const { return token_; }

    /// Give it a line of input: one read of the script returns.
    void step() { launcher_->type("\n"); }
    /// End its input: every read of the script returns.
    void go() { launcher_->close_input(); }
    /// The exit status, 128 + N for a signal.
    int wait() { return launcher_->wait().status; }
    const std::string& out() const { return launcher_->out(); }
    const std::string& err() const { return launcher_->err(); }

private:
    std::string token_;
    support::Strings command_;
    pid_t process_ = -1;
    std::unique_ptr<support::Process> launcher_;
};

/// `gocontainer doctor --json` to its end, started by the caller, beside the root filesystem.
support::Ended doctor(const Caller& caller);

} // namespace vm
