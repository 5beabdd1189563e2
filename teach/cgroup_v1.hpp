// Limits and use where a controller is still one of cgroup v1, alone or beside v2.
#pragma once

#include "teach/snapshot.hpp"

namespace teach {

/// Adds what v1's hierarchies limit to `to`, as v2 would write it: memory.limit_in_bytes is
/// memory.max, cpu.cfs_quota_us and its period are cpu.max. `mounts`: of the caller, who sees them.
void add_v1_limits(Snapshot& to, const std::vector<Mount>& mounts);

} // namespace teach
