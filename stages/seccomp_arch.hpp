// The architectures that a profile may name.
#pragma once

#include "stages/seccomp_profile.hpp"

#include <span>
#include <string_view>

namespace stages::seccomp {

/// SCMP_ARCH_* without the prefix, and what Docker calls it in "arches".
struct ArchName {
    std::string_view scmp, docker;
};
std::span<const ArchName> arch_names();

/// As libseccomp and libcap spell names.
std::string lower(std::string_view text);

/// SCMP_ARCH_*; 0 when this libseccomp is older than the architecture.
std::uint32_t token(const ArchName& arch);

} // namespace stages::seccomp
