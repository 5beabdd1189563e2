// A container that a test keeps running while it looks at it, or one that it lets run to its end.
//
//   Container box({"--hostname", name});              // a shell waits inside for orders
//   EXPECT_NE(namespace_of(box.first(), "uts"), namespace_of(getpid(), "uts"));
//   EXPECT_EQ(box.ask("hostname").out, name + "\n");
//
//   Ended ended = launch({"--read-only"}, {"touch", "/x"});
//
// GOCONTAINER names the program, GOCONTAINER_ROOTFS a root filesystem with busybox,
// GOCONTAINER_SRC the source (defaults: ./gocontainer, ./rootfs, the working directory). Nothing
// else is known of the program but the options of `parent`.
#pragma once

#include "tests/support/host.hpp"
#include "tests/support/process.hpp"

#include <memory>

namespace support {

/// Absolute paths.
std::string gocontainer();
std::string rootfs();
std::string source();

/// A copy of it, and the options that lend it this machine's programs and libraries, read-only: for
/// a learner's program in any language, which runs where the container's root is in place.
Strings lent();

/// `gocontainer parent OPTIONS -- COMMAND`, with --rootfs and --net none, unless OPTIONS name a
/// rootfs or a network, or leave them out.
Strings parent_words(const Strings& options, const Strings& command);

/// Run it to its end, with no input.
Ended launch(const Strings& options, const Strings& command, Command with = {});

class Container {
public:
    /// Started, with a shell inside that waits for orders. `with` may give cwd, env, fds and
    /// before_exec of the launcher.
    explicit Container(const Strings& options = {}, Command with = {});
    ~Container();
    /// The container's first process: the launcher's child that the command is or descends from.
    pid_t first() const { return first_; }
    /// The command's own process; the same, unless something stands between, as --init does.
    pid_t command() const { return command_; }
    Process& launcher() { return *launcher_; }

    struct Answer {
        int status = 0;
        std::string out;
    };
    /// Have the shell inside run `line`, with no input; errors go to the launcher's stderr.
    Answer ask(const std::string& line);
    /// The shell inside ends, with this status.
    Ended end(int status = 0);

private:
    std::unique_ptr<Process> launcher_;
    pid_t first_ = -1, command_ = -1;
};

/// Of the launcher's descendants, the one that runs exactly `command`, and the launcher's child
/// that it is or descends from: {first, command}. A process that only waits to clean up, or serves
/// the network, has no such descendant. {-1, -1}: there is none.
std::pair<pid_t, pid_t> find_container(pid_t launcher, const Strings& command);

/// Is process `pid` in the same namespace as the test?
bool shares(pid_t pid, const std::string& name);
/// The names of those namespaces that are not the test's own.
Strings own_namespaces(pid_t pid);

/// By their newlines.
Strings lines(const std::string& text);

} // namespace support
