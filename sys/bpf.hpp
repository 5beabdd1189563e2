// bpf(2), as far as a cgroup's programs need it.
//
// Each call hands the kernel a bpf_attr with room behind it: kernels from 6.17 on write past the
// size that they are told.
#pragma once

#include "sys/fd.hpp"
#include "sys/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sys::bpf {

/// `program`: struct bpf_insn, eight bytes each; type and name (15 characters at most) as of
/// BPF_PROG_LOAD.
Result<Fd> load(std::uint32_t type, std::span<const std::uint64_t> program,
                const std::string& name);
/// Beside the others of the cgroup `target` (BPF_F_ALLOW_MULTI), or in the place of one of them.
Result<void> attach(int target, int program, std::uint32_t type,
                    std::optional<int> replaced = std::nullopt);
Result<void> detach(int target, int program, std::uint32_t type);
/// The ids of the programs that are attached to the cgroup itself.
Result<std::vector<std::uint32_t>> attached(int target, std::uint32_t type);
Result<Fd> program_of(std::uint32_t id);
Result<std::string> name_of(int program);

} // namespace sys::bpf
