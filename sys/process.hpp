// What a process can be given for itself before it executes its program: scheduling, memory,
// keyring, Landlock.
#pragma once

#include "sys/fd.hpp"
#include "sys/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sys {

struct SchedulingPolicy {
    std::uint32_t policy = 0; ///< SCHED_*
    std::uint64_t flags = 0;  ///< SCHED_FLAG_*
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0; ///< nanoseconds
};
Result<void> sched_setattr(const SchedulingPolicy& policy);
/// `priority` as IOPRIO_PRIO_VALUE(class, data) makes it.
Result<void> ioprio_set(int priority);
/// `nodes`: a bit for each, 64 in a word.
Result<void> set_mempolicy(int mode, const std::vector<std::uint64_t>& nodes);
Result<void> personality(unsigned long persona);
/// KEYCTL_JOIN_SESSION_KEYRING; an empty name makes one that has none.
Result<void> join_session_keyring(const std::string& name);

/// The version of Landlock's interface that this kernel has: 1 and up (landlock(7)).
Result<int> landlock_version();
Result<Fd> landlock_create_ruleset(std::uint64_t handled);
Result<void> landlock_add_path(int ruleset, std::uint64_t allowed, int path);
Result<void> landlock_restrict_self(int ruleset);

} // namespace sys
