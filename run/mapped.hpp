// Work on files whose owners are a container's: in a user namespace that is mapped as the
// container's is, as its root. For who is root already, there is nothing to it.
#pragma once

#include "sys/kernel.hpp"

#include <functional>

namespace run {

/// Do `work` in a process of its own, and wait for it. Meanwhile it has our memory.
sys::Result<void> as_container_root(const std::function<sys::Result<void>()>& work);

/// Has the caller more ids for a container than one?
sys::Result<bool> maps_many();

} // namespace run
