// leaked-fd: through a directory that the launcher has left open (CVE-2024-21626).
//
// A descriptor leads where it always led, whatever "/" means by now. The lab leaves its folder open
// on purpose. The launcher closes all descriptors but the first three just before the exec.
#include "sys/path.hpp"
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> leaked_fd(const Prey&) {
    constexpr int kMost = 64;
    for (int fd = 3; fd < kMost; ++fd)
        if (auto word = sys::read_file(fd, "secret"))
            return "descriptor " + std::to_string(fd) + " is a directory of the host's: " + *word;
    return sys::wrong("no descriptor from 3 to 63 is a directory of the host's");
}

} // namespace teach
