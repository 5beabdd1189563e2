// Why this host can't give a leaf cgroup or a limit, found by looking, and what to do about it.
#pragma once

#include "stages/cause_table.hpp"
#include "stages/cgroup_place.hpp"

namespace stages::cgroup {

using causes::Cause;

/// There is no v2 hierarchy (Layout::none).
Cause why_no_hierarchy();

/// `controller` isn't among those of the hierarchy's root.
Cause why_no_controller(const Hierarchy& hierarchy, const std::string& controller);

/// No place for the leaf: of all `obstacles`, the one to remove first. `systemd` is what it said,
/// when it was asked.
Cause why_no_place(const Hierarchy& hierarchy, const std::vector<Obstacle>& obstacles,
                   const std::optional<Error>& systemd);

/// "--memory, --pids: can't be enforced: WHAT: WHY", or "--cgroup: WHAT: WHY" without limits.
Error unenforceable(spec::Naming naming, const std::vector<Limit>& limits, Cause cause);

/// An error for the limits that the hierarchy's root has no controller for: nothing below can have
/// it either.
Result<void> check_root(const Hierarchy& hierarchy, const std::vector<Limit>& limits,
                        spec::Naming naming);

} // namespace stages::cgroup
