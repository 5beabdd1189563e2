// Whose namespace was it? The kernel refuses a clone3 with eight flags by one errno for all.
#pragma once

#include "stages/stage.hpp"

namespace run {

/// `error` of the container's clone3, with the stage that was refused, and why.
sys::Error refused_clone(const stages::Launch& launch, sys::Error error);

/// 0, or the errno with which the kernel refuses a child with these namespaces (CLONE_NEW*).
int try_clone(std::uint64_t namespaces);

} // namespace run
