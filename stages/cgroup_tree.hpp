// A cgroup and all that was made below it: walking it, waiting for it, ending what runs in it.
//
// What ran in there may have nested cgroups as deep as it liked, and may go on doing so.
#pragma once

#include "stages/stage.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace stages::cgroup {

/// A process that was killed is gone at once unless it hangs in the kernel, on a dead NFS server,
/// say. Whoever waits longer than this waits for that.
inline constexpr std::chrono::seconds kPatience{10};

/// A failure that is told apart by its errno, 0 for success.
template <class T>
int code_of(const Result<T>& result) {
    return result ? 0 : result.error().code;
}

/// Every cgroup below `top`, and `top` itself, those further in first: the cgroup's directory, its
/// parent's (AT_FDCWD for `top`) and its name there. What is gone meanwhile is passed over.
using Visit = std::function<void(int cgroup, int parent, const std::string& name)>;
void innermost_first(const std::string& top, const Visit& visit);

/// Each pid in `text`, as cgroup.procs lists them; 0, which is one that our pid namespace doesn't
/// show, is left out.
void each_pid(std::string_view text, const std::function<void(pid_t)>& visit);

/// Wait until cgroup.events has the line `event`, as "populated 0" (cgroup-v2.rst, "(Un)populated
/// Notification"); false when it took longer than kPatience.
Result<bool> wait_for(const std::string& cgroup, std::string_view event);

/// Is the ledger's leaf still the directory that it was, and not another container's of that name,
/// as a scope is that systemd has made anew? One that is gone is nobody's.
bool is_ours(const Ledger& ledger);

/// Kill all that runs in `leaf` and below; a leaf that is gone has nothing in it.
Result<void> kill_processes(const std::string& leaf);

/// Remove the empty cgroups below `leaf`, and unless `keep`, itself; the errno of the last removal
/// (ENOENT: gone already), EBUSY when something is in it.
int remove_tree(const std::string& leaf, bool keep);

/// The directories on the way to `leaf` that were made for it (kMade), or that are longer than
/// `base`; one that another still uses is busy.
void remove_parents(const std::string& leaf, std::size_t base);

} // namespace stages::cgroup
