// A command that is born into a running container as the last thing that we do.
//
// Whoever has CAP_SYS_PTRACE in our user namespace and sees a process of ours has all that it has,
// whatever it does to hide (ptrace(2)): its memory, its descriptors (pidfd_getfd(2), also of whom a
// socket of its leads to, SO_PEERPIDFD), its capabilities. So into a container with such members
// nothing of ours is born that has anything: the child joins everything but the PID namespace,
// where nobody in there has a number for it, becomes what the command is to be, and only then has
// it born:
//
//   parent                    child                                  newcomer
//     │ clone3 ─────────────►   │ setns: all; pid for its children     .
//     │   ◄───────── line {+fd} │ a socket whose other end is the      .
//     │                         │ child's own, no more the parent's    .
//     │   ◄───────── console …  │ every stage; every descriptor closed .
//     │                         │ clone(CLONE_PARENT) ──────────────►  │ in the PID namespace;
//     │   ◄─────────── born PID │                                      │ waits
//     │                         │ go, by a pipe ────────────────────►  │
//     │ waits for the child     │ ends                                 │ execve
//     │   ◄────────────────────────────────────────────── failed or EOF │
//
// What it has by then is the command's own: user, capabilities, filter, label, standard streams.
// So its filter sees what we still do: where that is refused, the newcomer never becomes the
// command.
//
// For a moment both are in the container's cgroup, which takes room for two in its pids.max. Born
// in ours, to be moved, the newcomer would be out of the container's limits for as long as members
// hold it; and to be born in another's takes that one's descriptor, which they could take from it.
#pragma once

#include "run/handshake.hpp"
#include "stages/stage.hpp"

namespace run {

/// In the child: `socket` is another from now on, of which the parent gets the other end.
Result<void> change_line(const Fd& socket);
/// In the parent: that other end. What the child failed by before it, as an error.
Result<Fd> other_line(const Fd& socket);

/// In the parent, before there is a child: its filter will let the birth pass.
Result<void> permit_birth(stages::Facts& facts);
/// The pipe that the newcomer waits at: made while no filter refuses it yet.
struct Cord {
    Fd end, held; ///< to read; to write, under a higher number
    static Result<Cord> make();
};
/// In the child, which has closed all that the command is not to have but the cord: returns in the
/// newcomer.
Result<void> be_born(const Fd& socket, const stages::Facts& facts, Cord cord);
/// In the parent: `launch.child` is the one that `born` tells of.
Result<void> adopt(stages::Launch& launch, const Message& born);

} // namespace run
