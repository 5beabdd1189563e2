// A program of somebody's own in the place of a stage's child half (--replace), for who learns what
// the stage does by writing it.
//
//   child                                     the program
//     │ … the stages before it
//     │ what it needs to go on: a memfd; its descriptors, at their numbers
//     │ execve PROGRAM child SOCKET - - STATE ──►  │ its own system calls
//     .                                            │ exec "$GOCONTAINER_NEXT" "$@"
//     │ ◄──────────────────────────────────────────┘ `gocontainer child` again
//     │ … the stages behind it
//
// Namespaces, mounts, ids, limits and filters outlive an exec. What doesn't, can't be replaced: a
// parent half, and the fork of init.
#pragma once

#include "stages/stage.hpp"

namespace run {

using stages::Inside;
using stages::Stage;
using sys::Error;
using sys::Fd;
using sys::Result;

/// Can it be executed, as far as that is to be seen before? What can't be is an error of `named`.
Result<void> check_program(const std::string& program, const std::string& named);
/// Can the stages that `spec` wants replaced be, by programs that are there?
Result<void> check_replacements(const spec::Spec& spec);

/// How far the child is, beside what is in Inside.
struct Progress {
    spec::Stage at = spec::Stage::user; ///< the stage that the program stood in for
    bool awaited = false, settled = false, passed = false;
};

/// The programs, opened while the host's tree is in sight.
class Replacements {
public:
    Replacements() = default;
    static Result<Replacements> open(const spec::Spec& spec);
    bool has(spec::Stage stage) const;
    /// Become the program. It returns only when that has failed. `packed`: what the child was told.
    Error become(const Stage& stage, Inside& inside, const Fd& socket, const Progress& progress,
                 const std::string& packed);

private:
    struct Program {
        spec::Stage stage;
        std::string path;
        Fd file;
    };
    std::vector<Program> programs_;
    friend struct Resumed;
};

/// What the child was, before it became the program: from descriptor `state` of the command line.
struct Resumed {
    Progress progress;
    std::string packed;
    Replacements replacements;
    Fd rootfs, empty, console, landlock;
    std::vector<Fd> trees, read_only_later;
    static Result<Resumed> from(const Fd& state);
    /// Hand what was open to where the walk looks for it.
    Result<void> restore(Inside& inside);
};

} // namespace run
