// Lists of CPUs.
#include "sys/affinity.hpp"

#include "sys/seam.hpp"

#include <sched.h>

#include <charconv>
#include <memory>

namespace sys {

namespace {

constexpr unsigned kMost = 8192; ///< CPUs: the kernel's NR_CPUS at most

} // namespace

Result<void> set_affinity(const std::string& cpus) {
    std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
        CPU_ALLOC(kMost), [](cpu_set_t* memory) { CPU_FREE(memory); });
    std::size_t size = CPU_ALLOC_SIZE(kMost);
    CPU_ZERO_S(size, set.get());
    const char* at = cpus.data();
    const char* end = at + cpus.size();
    while (at < end) {
        unsigned first = 0;
        auto read = std::from_chars(at, end, first);
        unsigned last = first;
        if (read.ec == std::errc{} && read.ptr < end && *read.ptr == '-')
            read = std::from_chars(read.ptr + 1, end, last);
        if (read.ec != std::errc{} || last < first || last >= kMost ||
            (read.ptr < end && *read.ptr != ','))
            return wrong("\"" + cpus + "\" is no list of CPUs, as \"0-3,7\"");
        for (unsigned cpu = first; cpu <= last; ++cpu)
            CPU_SET_S(cpu, size, set.get());
        at = read.ptr + (read.ptr < end ? 1 : 0);
    }
    auto done =
        invoke("sched_setaffinity", [&] { return ::sched_setaffinity(0, size, set.get()); }, cpus);
    if (!done)
        return std::unexpected(std::move(done).error());
    return {};
}

} // namespace sys
