// The handshake: what parent and child say to each other, over one SOCK_SEQPACKET pair.
//
//   parent                                          child
//     │ prepare halves                                .
//     │ clone3 ───────────────────────────────────►   │ blocked in receive()
//     │ parent halves: id maps, network               │
//     │ go ───────────────────────────────────────►   │ compares its namespaces with the parent's,
//     │                                               │ enter halves, re-exec
//     │ spec {bytes} … ───────────────────────────►   │ `gocontainer child`: what is to be done
//     │ rootfs {+ fd} ────────────────────────────►   │ (only where the child can't copy it)
//     │ tree {+ fd} ──────────────────────────────►   │ (likewise) …
//     │ slate {+ fd} ─────────────────────────────►   │ (only with a filter of one's own)
//     │ meanwhile halves                              │ child halves
//     │ done ─────────────────────────────────────►   │ (only where there were any)
//     │   ◄──────────────────────────── note {text}   │ a line for the person
//     │   ◄──────────────────────────────── mounted   │ (only where hooks wait for it)
//     │ proceed ──────────────────────────────────►   │ …
//     │   ◄───────────────────────── console {+ fd}   │ the pty's master, with a terminal
//     │   ◄────────────────────────────────── ready   │ (only at a gate) `create` ends here;
//     .                                               │ the gate's next visitor, `start`, hears on
//     │   ◄────────────────────────────── listening   │ (only where the filter notifies)
//     │ proceed ──────────────────────────────────►   │ …
//     │   ◄──────────────────────── listener {+ fd}   │ of the filter's notifications
//     │   ◄────────────────────────── failed {Error}  │ …and it exits
//     │   ◄─────────────────────────────────── EOF    │ execve has closed the last copy
//     │ waits for the command                         │ is the command
//
// EOF alone does not prove that the command started: a killed child's socket closes as well. The
// wait status tells them apart. EOF on the child's side means that the parent is gone.
#pragma once

#include "spec/spec.hpp"
#include "stages/facts.hpp"
#include "sys/kernel.hpp"

#include <string>
#include <vector>

namespace run {

using sys::Error;
using sys::Fd;
using sys::Result;

enum class Said : char {
    go = 'G',
    spec = 'W',
    rootfs = 'R',
    proc = 'p',
    tree = 'T',
    slate = 'S',
    done = 'D',
    note = 'N',
    console = 'C',
    mounted = 'M',
    proceed = 'P',
    ready = 'Y',
    line = 'l', ///< these two only with a late birth (run/newcomer.hpp)
    born = 'B',
    listening = 'A', ///< these two only with a filter that notifies
    listener = 'L',
    before = 'b', ///< these three only with a watcher (run/watch.hpp)
    called = 'c',
    after = 'a',
    replaced = 'x', ///< and these with --replace (run/replace.hpp)
    resumed = 'r',
    failed = 'F',
    end = '\0'
};

struct Message {
    Said said = Said::end; ///< end: the other side has closed
    std::string text;      ///< spec: a piece; note: the line; failed, step and call: JSON
    Fd fd;                 ///< rootfs, tree: the mount; slate: its memory; console: the master
};

// From here to say_slate() they take no memory: the child may be at work in ours.
Result<void> say_go(const Fd& socket);
Result<void> say_spec(const Fd& socket, const std::vector<std::string>& packed);
Result<void> say_rootfs(const Fd& socket, const Fd& mount);
Result<void> say_proc(const Fd& socket, const Fd& proc);
Result<void> say_tree(const Fd& socket, const Fd& mount);
Result<void> say_slate(const Fd& socket, const Fd& memory);
Result<void> say_done(const Fd& socket);
Result<void> say_mounted(const Fd& socket);
Result<void> say_proceed(const Fd& socket);
Result<void> say_listening(const Fd& socket);
Result<void> say_listener(const Fd& socket, const Fd& listener);
Result<void> say_ready(const Fd& socket);
Result<void> say_line(const Fd& socket, const Fd& other_end);
Result<void> say_born(const Fd& socket, pid_t child);
Result<void> say_note(const Fd& socket, const std::string& line);
Result<void> say_console(const Fd& socket, const Fd& master);
/// `told`: JSON of run/watch.cpp's.
Result<void> say_step(const Fd& socket, Said said, const std::string& told);
Result<void> say_called(const Fd& socket, const std::string& told);
/// Who stands in now, "STAGE=PROGRAM".
Result<void> say_replaced(const Fd& socket, const std::string& who);
Result<void> say_resumed(const Fd& socket);
Result<void> say_failed(const Fd& socket, const Error& error);
Result<Message> hear(const Fd& socket);
Error error_of(const Message& failed);

/// What the child needs to know, as messages. A command line may be longer than the longest of
/// them: the last is the one that is shorter than that.
std::vector<std::string> pack(const spec::Spec& spec, const stages::Facts& facts);
struct Packed {
    spec::Spec spec;
    stages::Facts facts;
};
/// What pack() has packed, in one piece again. Empty: the parent is gone.
Result<std::string> hear_spec(const Fd& socket);
Result<Packed> unpack(std::string_view packed);

} // namespace run
