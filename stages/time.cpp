// time: offsets to the clocks that count from boot (time_namespaces(7)).
//
// unshare makes a time namespace for our children only. While nobody is in it, its offsets can be
// written; setns then moves us in, which takes a process that shares its memory with no other: so
// after the re-exec, not before.
#include "stages/causes.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <cerrno>

namespace stages::time {

// With CAP_SYS_TIME and CAP_SYS_ADMIN in the new user namespace, the host's /proc still there.
Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    TRY(hint(sys::unshare(CLONE_NEWTIME), [](const Error& error) -> std::string {
        if (error.code == EINVAL)
            return "boot a kernel with CONFIG_TIME_NS (Linux 5.6)";
        if (error.code == ENOSPC)
            return "raise user.max_time_namespaces (sysctl)";
        std::string why = causes::powerless_root(error.code);
        return why.empty() ? "it takes CAP_SYS_ADMIN: keep the user stage" : why;
    }));
    std::string offsets;
    if (spec.time.boottime)
        offsets += "boottime " + std::to_string(*spec.time.boottime) + " " +
                   std::to_string(spec.time.boottime_ns) + "\n";
    if (spec.time.monotonic)
        offsets += "monotonic " + std::to_string(*spec.time.monotonic) + " " +
                   std::to_string(spec.time.monotonic_ns) + "\n";
    if (!offsets.empty())
        TRY(hint(sys::write_proc("/proc/self/timens_offsets", offsets), [](const Error& error) {
            if (error.code != ERANGE)
                return std::string();
            std::string uptime = sys::read_file("/proc/uptime").value_or("0");
            return "a clock can't go below zero, nor ahead for more than 146 years: this machine's "
                   "is at " +
                   uptime.substr(0, uptime.find_first_of(". ")) + " seconds";
        }));
    Fd made = TRY(sys::openat(AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY));
    return sys::setns(made.get(), CLONE_NEWTIME);
}

} // namespace stages::time
