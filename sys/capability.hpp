// Capabilities through libcap (capabilities(7)), and the seam.
#pragma once

#include "sys/kernel.hpp"

#include <string>
#include <vector>

namespace sys {

/// The number of "cap_chown"; -1 for a name that libcap doesn't know.
int capability_named(const std::string& name);

/// Those of a mask, 1 << number, as /proc/PID/status has them; a number for one without a name.
std::vector<std::string> capability_names(std::uint64_t bits);

/// Every capability that there is on this machine.
std::vector<std::string> all_capabilities();

/// This process's permitted set.
Result<std::vector<std::string>> held_capabilities();

/// The same as bits, 1 << number; and those of all that there are on this machine.
Result<std::uint64_t> held_bits();
std::uint64_t known_bits();

/// Drop every capability that is not in `keep` from the bounding set, for good.
Result<void> bound_capabilities(const std::vector<std::string>& keep);

/// Names, for the four sets of a process.
struct CapabilitySets {
    std::vector<std::string> permitted, effective, inheritable, ambient;
};
/// As far as they are held. Ambient ones are lost by any change of the others, and set last.
Result<void> set_capabilities(const CapabilitySets& sets);

} // namespace sys
