// How a report's variants are measured, and the place where that can be done for OCI runtimes.
#pragma once

#include "report.hpp"

namespace bench {

/// A peer that this host refuses (bubblewrap under Ubuntu's AppArmor, say) is left out with a note;
/// without the floor or gocontainer there is nothing to measure.
Result<void> drop_what_fails(Report& report);

/// A B C D, then B C D A, …; every other round backwards, so that each also follows each: what one
/// leaves to the kernel's workers (a dying network namespace) must not always slow the same next
/// one.
Result<void> measure(Report& report, size_t warm_up, size_t rounds);

/// A mount namespace of our own, for us and all that we start: cgroup v2 alone at /sys/fs/cgroup,
/// since crun refuses a host that has v1 beside it, and a tmpfs like /run's on `folder`. What else
/// had to be done about this host is added to `notes`.
Result<void> enter_room(const std::string& folder, std::vector<std::string>& notes);

} // namespace bench
