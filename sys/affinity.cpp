// The mask that the kernel takes, of a list.
#include "sys/affinity.hpp"

#include "sys/number_list.hpp"
#include "sys/seam.hpp"

#include <sched.h>

#include <memory>

namespace sys {

Result<void> set_affinity(const std::string& cpus) {
    std::vector<bool> wanted = TRY(members_of(cpus));
    std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
        CPU_ALLOC(wanted.size()), [](cpu_set_t* memory) { CPU_FREE(memory); });
    std::size_t size = CPU_ALLOC_SIZE(wanted.size());
    CPU_ZERO_S(size, set.get());
    for (std::size_t cpu = 0; cpu < wanted.size(); ++cpu)
        if (wanted[cpu])
            CPU_SET_S(cpu, size, set.get());
    auto done =
        invoke("sched_setaffinity", [&] { return ::sched_setaffinity(0, size, set.get()); }, cpus);
    if (!done)
        return std::unexpected(std::move(done).error());
    return {};
}

} // namespace sys
