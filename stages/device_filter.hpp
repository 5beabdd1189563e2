// The device filter: which devices the processes of a cgroup may open and make, by a BPF program
// on it (config-linux.md, "Allowed Device list"; cgroup-v2.rst, "Device controller").
#pragma once

#include "stages/stage.hpp"

#include <cstdint>
#include <vector>

namespace stages {

/// struct bpf_insn, eight bytes each as the kernel wants them.
using DeviceProgram = std::vector<std::uint64_t>;

/// A program of type BPF_PROG_TYPE_CGROUP_DEVICE. Of the rules that match a device, the last that
/// is about an access decides on it; what no rule is about is denied.
Result<DeviceProgram> compile_device_rules(const std::vector<spec::DeviceRule>& rules);

/// Have the cgroup `leaf` filter by `rules`, instead of by those of an earlier call. False: it was
/// refused, and `may_be_refused`.
Result<bool> filter_devices(const Fd& leaf, const std::vector<spec::DeviceRule>& rules,
                            spec::Naming naming, bool may_be_refused);

} // namespace stages
