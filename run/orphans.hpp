// What the command leaves behind where no PID namespace ends with it (--no-pid): daemons, and jobs
// in the background. The launcher adopts them and ends them when the command has ended, as the
// namespace would have. A launcher that is itself killed can't; its cgroup leaf does, if it has
// one. `lab watch` does the same with what a check has started.
#pragma once

#include "sys/kernel.hpp"

#include <set>

namespace run {

/// Become the parent of every descendant whose own one ends (PR_SET_CHILD_SUBREAPER).
sys::Result<void> adopt_orphans();

/// Wait for those that have ended, so that no zombies gather. `ours` are waited for elsewhere.
void reap_orphans(const std::set<pid_t>& ours);

/// Kill and wait for all of our descendants but `ours`.
void end_orphans(const std::set<pid_t>& ours);

} // namespace run
