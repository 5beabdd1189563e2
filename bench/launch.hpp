// Whole processes, started and measured from outside: time, memory, and slirp4netns's own start.
//
//     auto sample = bench::launch({"/bin/true"});       one timed run
//     auto peaks = bench::peaks(argv, "ROOTFS/bin/true");   one traced run, untimed
//     auto ready = bench::slirp_ready();                slirp4netns alone, until its ready byte
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace bench {

using Argv = std::vector<std::string>; ///< argv[0] is an absolute path: no search is timed

template <class T>
using Result = std::expected<T, std::string>; ///< the error is one line for a person

struct Sample {
    double wall_ms = 0; ///< from before the start until the process that we started is reaped
    double cpu_ms = 0;  ///< user and system time of it and of every process it started
};

struct Peaks {
    long parent_kib = 0; ///< the process that was started
    long child_kib = 0;  ///< the largest of the others, up to the exec of the command
};

/// One timed run with stdin, stdout and stderr on /dev/null; anything but status 0 is an error.
/// CPU time includes orphans: bubblewrap exits without waiting for its own PID 1.
Result<Sample> launch(const Argv& argv);

/// One timed run of a program that leaves something running: `run --detach`.
Result<Sample> launch_and_leave(const Argv& argv);

/// A container's life in several commands, timed from before the first until after the last; before
/// the last one the container has ended by itself (`create`, `start`, `delete`).
Result<Sample> lifecycle(const std::vector<Argv>& commands);

/// One run under ptrace. `command` is the file that the container executes: its own memory, and
/// whatever it starts, are not counted.
Result<Peaks> peaks(const Argv& argv, const std::string& command);

/// Milliseconds from the start of slirp4netns until its ready byte, with the options that
/// gocontainer gives it, for a process that waits in a user and a network namespace of its own.
Result<double> slirp_ready(const std::string& slirp4netns);

struct Output {
    std::string text; ///< both streams, without the last newlines
    int status = 0;   ///< as wait(2) gives it, or -1 when it can't be started
};

Output output_of(const Argv& argv);

/// Absolute path of a program in $PATH, or empty.
std::string find_program(const std::string& name);

/// `what: errno's text`, as an error.
std::unexpected<std::string> failed(const std::string& what);

} // namespace bench
