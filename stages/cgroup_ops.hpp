// What is done with a container's cgroup while it runs, and once it has ended.
//
// Each takes the leaf's directory, "/sys/fs/cgroup/…". In the launcher's namespaces, with its
// privileges. A leaf that is gone holds no process: what looks or ends finds nothing to do there,
// what changes it says ENOENT.
#pragma once

#include "stages/stage.hpp"

#include <string>
#include <vector>

namespace stages::cgroup {

/// Stop all processes of the leaf and below it where they are; returns once they stand still.
Result<void> freeze(const std::string& leaf);
Result<void> thaw(const std::string& leaf);
/// Was freeze() called, and no thaw() since?
Result<bool> frozen(const std::string& leaf);

/// The pids, as we see them, of the leaf and all cgroups below it, in order.
Result<std::vector<pid_t>> processes(const std::string& leaf);

/// Send `signal` to all of them. SIGKILL leaves none out, not even one that is being forked; for
/// the others they are frozen meanwhile. A leaf that was frozen stays so.
Result<void> kill_all(const std::string& leaf, int signal);

/// Other limits, and who is told of them how.
struct Change {
    const spec::Resources& resources; ///< what isn't in it stays as it is
    spec::Naming naming = spec::Naming::properties;
    std::string unit;                            ///< systemd's, where it manages the leaf (Ledger)
    std::function<void(const std::string&)> say; ///< one line for the person, if anyone
};
/// All of the change, or none: what was written before one is refused is taken back.
Result<void> update(const std::string& leaf, const Change& change);

/// Remove the leaf, what is below it, and the directories on the way that were made for it and are
/// empty now. Waits for processes to end, but ends none: kill_all() first. EBUSY when one stays.
Result<void> remove(const std::string& leaf);

/// A cgroup of the container's own: `below` as seen from it, "/sub" or "sub"; "" and "/" are the
/// leaf itself. Neither ".." nor a link leads out. For CLONE_INTO_CGROUP.
Result<Fd> open_leaf(const std::string& leaf, const std::string& below);

/// May a child of ours be born in it? Not where the way there leads through a cgroup that isn't
/// ours, as from a user's session into a unit of his systemd's: then attach() it once it is there.
bool can_enter(const std::string& leaf);
/// Have systemd put the process into the leaf, which is its `unit`'s cgroup or one below that.
Result<void> attach(const std::string& unit, const std::string& leaf, pid_t pid);

/// The directory of the cgroup that `pid` is in; empty when there is no cgroup v2 to see it in.
Result<std::string> directory_of(pid_t pid);

} // namespace stages::cgroup
