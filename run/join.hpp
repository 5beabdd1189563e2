// Joining namespaces that are there already, instead of making them.
//
// A process enters a PID namespace by being born in it: for that one call, ours is not the one that
// our children are born in. What a joined user namespace allows must be asked for by somebody who
// is in it. So where that is joined, or where a new user namespace would take away the right to
// join the rest, a joiner stands between us and the child, for a few system calls:
//
//   parent              joiner                                  child
//     │ clone3 ────────►  │                                       .
//     │ waitpid           │ setns: net, uts, ipc, user, pid       .
//     │   .               │ clone3(CLONE_PARENT) ───────────────► │ in all of them, our child
//     │   ◄───────────────│ exit                                  │ setns: cgroup, mount; re-exec
#pragma once

#include "spec/spec.hpp"
#include "sys/kernel.hpp"

#include <optional>
#include <vector>

namespace run {

struct Join {
    spec::Stage stage;
    std::uint64_t flag; ///< CLONE_NEW*
    std::string path;
    sys::Fd fd;
};

class Joins {
public:
    /// Open what `spec` names. An error for what is no namespace of that kind; one that is our own
    /// already is left out.
    static sys::Result<Joins> open(const spec::Spec& spec);

    /// All those of the process `pid`, behind `pidfd`, in one call (setns(2)); `pidfd` is to stay
    /// open. None where it has a user namespace of its own, which decides on the others one by one.
    static sys::Result<std::optional<Joins>> of_process(int pidfd, pid_t pid);

    bool has(std::uint64_t flag) const;
    bool any() const { return !all_.empty() || process_ >= 0; }
    /// Must a joiner stand in between? `made`: CLONE_NEW* of what is made.
    bool need_joiner(std::uint64_t made) const;
    /// What is joined with the caller's privileges, or those in the user namespace that is joined.
    sys::Result<void> join_first() const;
    /// From here on our children are born there.
    sys::Result<void> join_pid() const;
    /// The mount namespace alone, with its root.
    sys::Result<void> join_tree() const;
    /// The rest, in the child; the mount namespace may be joined already. `born_late`: and its own
    /// children are born in the PID namespace.
    sys::Result<void> join_rest(bool born_late) const;
    /// May the child be born late (run/newcomer.hpp)?
    bool by_one_call() const { return process_ >= 0; }
    /// The time namespace's descriptor, or -1: it can be joined after the re-exec only.
    int time() const;

private:
    std::vector<Join> all_;
    int process_ = -1;
    std::uint64_t at_once_ = 0; ///< of the process's, what the child joins by one call
};

} // namespace run
