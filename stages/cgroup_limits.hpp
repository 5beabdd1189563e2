// Writing limits into a cgroup, and making sure that the kernel holds to them.
#pragma once

#include "stages/stage.hpp"

namespace stages::cgroup {

/// Write what launch.spec asks into launch.leaf; the controllers are enabled.
Result<void> write_limits(Launch& launch);

} // namespace stages::cgroup
