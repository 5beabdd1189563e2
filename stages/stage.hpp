// What a stage is: six small functions and a line for people.
//
//   prepare   parent, before the clone   what the clone itself needs; what this host answers
//   parent    parent, child blocked      what only the host's side may do to the child
//   enter     child, before its re-exec  what an exec would spoil
//   child     child, after its re-exec   what the stage is about
//   meanwhile parent, during that        what only the command must not be without (Facts::awaits)
//   undo      parent or keeper, last     in reverse order; works from the Ledger alone
//
// All of them may be absent. The walker (run/) calls them in the order of stages/table.cpp.
#pragma once

#include "spec/spec.hpp"
#include "stages/facts.hpp"
#include "sys/kernel.hpp"

#include <functional>
#include <string>
#include <vector>

namespace stages {

using sys::Error;
using sys::Fd;
using sys::Result;

/// What must be undone, written down before it is done, in memory that parent and keeper share:
/// whichever of them survives can undo it. Plain bytes only.
struct Ledger {
    pid_t child = 0; ///< the container's first process; the kernel itself writes it (clone3)
    std::uint64_t child_started = 0;  ///< sys::start_time of it, when the ledger is kept in a file
    pid_t helper = 0;                 ///< slirp4netns or pasta
    std::uint64_t helper_started = 0; ///< sys::start_time of it: the number alone may be reused
    bool keep_cgroup = false;         ///< the leaf was there before us
    bool leaf_ours = false;           ///< what runs in the leaf is the container: undo may kill it
    char leaf[4096] = {};             ///< absolute path of the leaf cgroup
    char unit[256] = {};              ///< systemd's, whose cgroup the leaf is
    char resctrl[512] = {};           ///< a class of resctrl that we have made
    char monitor[512] = {};           ///< likewise a group that is counted by itself
    std::uint64_t leaf_inode = 0;     ///< the leaf's: what has its name later is another's
    std::uint32_t leaf_base = 0; ///< the directories of `leaf` beyond so many bytes are ours too
    char scratch[4096] = {};     ///< a directory of ours, removed with the files in it
    char work[4096] = {}; ///< overlayfs's work directory, removed with what the kernel left in it
};

/// Where compiled filters are kept (stages/seccomp_cache.hpp).
struct FilterCache {
    std::string directory; ///< empty: none are kept
    std::string build;     ///< of ours: another one may compile something else
};

/// The parent's side of one launch.
struct Launch {
    const spec::Spec& spec;
    Facts facts;
    Ledger* ledger = nullptr;
    pid_t child = 0;
    Fd pidfd;
    Fd leaf; ///< the leaf cgroup's directory, for CLONE_INTO_CGROUP
    /// Has somebody put the child into the leaf who may; empty: we may ourselves.
    std::function<Result<void>(pid_t child)> attach;
    FilterCache filter_cache;
    Fd gate;                 ///< listens for `start`; the child waits at it
    Fd container;            ///< pidfd of the process whose namespaces are joined, all of them
    pid_t container_pid = 0; ///< and its number
    Fd rootfs;               ///< copy of the rootfs's mount, for the child
    Fd proc;                 ///< the host's /proc, for a child that has no other
    std::vector<Fd> trees;   ///< likewise of what Facts.sent_mounts names
    spec::NetMode net = spec::NetMode::none; ///< what --net has come to on this host
    std::string helper;                      ///< path of slirp4netns or pasta, when one is used
    Fd helper_alive;                         ///< slirp4netns ends when this is closed (--exit-fd)
    Fd devices_netns;             ///< where spec.net_devices go, kept to get them back from there
    std::vector<bool> devices_up; ///< of each that has gone there: was it up?
    /// run/slate.hpp: asked for where a filter may silence the child.
    std::function<Result<const Fd*>()> make_slate;
    const Fd* slate = nullptr; ///< what it has made, to be sent to the child
    /// The ledger is kept in a file: whoever reads it later wants to know the child for certain.
    bool recorded = false;
    /// Must be called before anything is written to the ledger: it starts the keeper.
    std::function<Result<void>()> keep;
    /// One line for the person, on stderr, unless -q.
    std::function<void(const std::string&)> say;
};

/// The child's side: inside the new namespaces, uid 0 of its user namespace.
struct Inside {
    const spec::Spec& spec;
    const Facts& facts;
    Fd rootfs;   ///< O_PATH of the mounted root, from the mount stage on; before it, the
                 ///< parent's copy if it sent one
    Fd listener; ///< of the seccomp filter's notifications, for the parent
    Fd console;  ///< pty master from the container's own devpts, to be sent to the parent
    /// One line for the person.
    std::function<void(const std::string&)> note;
    /// Of spec.root.mounts, by index, what was made before its turn; invalid where it was not.
    std::vector<Fd> trees;
    Fd empty; ///< the mount that hides directories, when there is one already (mask())
    /// Mounts that become read-only when nothing has to be made in them any more.
    std::vector<Fd> read_only_later;
    Fd proc;     ///< the host's /proc, where we have no number in the container's
    Fd landlock; ///< stages/settings.hpp: the ruleset that is to be in force
    /// What we execute, where that is a mount of our own (run/binary.hpp). To close the last
    /// descriptor of a mount that is mounted nowhere takes it down, and that waits until no
    /// processor can be using it: 40 to 80 us. Taking down the old root waits as well: with that it
    /// can go (stages/root.cpp).
    Fd binary;
};

struct Stage {
    spec::Stage id;
    const char* summary; ///< one line for `gocontainer stages`
    const char* lesson;  ///< directory below lessons/
    bool on_by_default;
    std::uint64_t clone_flag; ///< CLONE_NEW*, or 0
    /// The namespace is unshared by the stage itself instead of made by clone3.
    bool unshares;
    const char* ns; ///< its link below /proc/self/ns, or nullptr
    /// With a namespace that is joined there is nothing left for it to do.
    bool only_makes;
    /// The host's tree is left behind: what may still look at it is run before.
    bool leaves_host;
    /// It takes powers away: user, limits and working directory are settled before it.
    bool restricts;
    /// Nothing of ours is sure to pass any more: the gate is before it.
    bool filters;
    Result<void> (*prepare)(Launch&);
    Result<void> (*parent)(Launch&);
    Result<void> (*enter)(const spec::Spec&, const Facts&);
    Result<void> (*child)(Inside&);
    Result<void> (*meanwhile)(Launch&);
    void (*undo)(Ledger&);
};

/// Put `hint` (and what was found) on a failed call, when it has none yet.
template <class T>
Result<T> hint(Result<T> result, auto make_hint) {
    if (!result && result.error().hint.empty())
        result.error().hint = make_hint(result.error());
    return result;
}

/// Name what was asked for, as who has asked wrote it: "--ulimit", or config.json's property.
template <class T>
Result<T> asked_by(const char* name, Result<T> result) {
    if (!result)
        result.error().stage = name;
    return result;
}

} // namespace stages
