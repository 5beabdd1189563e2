// The guard: no child half may run in a namespace of the parent's. A stage run by mistake on the
// host renames the host.
#pragma once

#include "stages/stage.hpp"

namespace run {

/// Is the child of `launch` in a namespace of its own wherever the clone was to make one? Asked
/// from outside, of /proc/PID/ns (namespaces(7)), before the child is told what it shall do. The
/// error names the first stage whose namespace is still ours.
sys::Result<void> check_namespaces(const stages::Launch& launch);

} // namespace run
