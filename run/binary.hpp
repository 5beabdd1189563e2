// The binary of ours that the child executes, out of the container's reach.
//
// From inside, /proc/PID/exe leads to what a process executes. A container that could open the
// host's file there for writing would own the host (CVE-2019-5736).
#pragma once

#include "sys/kernel.hpp"

namespace run {

/// A read-only copy of the mount that the binary is on, which goes away with this descriptor; where
/// that can't be had, a copy of the file in sealed memory. Nothing can open either for writing.
/// With the privileges of whoever owns the mount namespace we are in, it is the former.
sys::Result<sys::Fd> protected_binary();

} // namespace run
