// The binary of ours that the child executes, out of the container's reach.
//
// From inside, /proc/PID/exe leads to what a process executes. A container that could open the
// host's file there for writing would own the host (CVE-2019-5736).
#pragma once

#include "sys/kernel.hpp"

#include <cstdint>
#include <optional>

namespace run {

/// What is about to start a process in a PID namespace that others are in executes itself anew from
/// a protected binary, unless it does so already. From its first moment on they see that process,
/// and until its own exec it executes what we do; whoever has CAP_SYS_PTRACE there can open that.
/// Before anything is made or read but files, with the signals of `signal_mask` blocked, if given.
/// It returns when nothing is to be done, or has failed.
sys::Result<void> protect_ourselves(std::optional<std::uint64_t> signal_mask = std::nullopt);

/// What we execute, if that is a protected binary; else one that is.
sys::Result<sys::Fd> our_protected_binary();

/// A read-only copy of the mount that the binary is on, which goes away with this descriptor; where
/// that can't be had, a copy of the file in sealed memory. Nothing can open either for writing.
/// With the privileges of whoever owns the mount namespace we are in, it is the former.
sys::Result<sys::Fd> protected_binary();

} // namespace run
