// time: offsets to the clocks that count from boot (time_namespaces(7)).
//
// A process never moves into a time namespace by unshare: its children do, and it itself does at
// its next execve, which here is the re-exec. Offsets can be written until then.
#include "stages/stages.hpp"
#include "sys/path.hpp"

namespace stages::time {

// In the new user namespace, before the re-exec.
Result<void> enter(const spec::Spec& spec, const Facts&) {
    TRY(sys::unshare(CLONE_NEWTIME));
    std::string offsets;
    if (spec.time.boottime)
        offsets += "boottime " + std::to_string(*spec.time.boottime) + " 0\n";
    if (spec.time.monotonic)
        offsets += "monotonic " + std::to_string(*spec.time.monotonic) + " 0\n";
    if (offsets.empty())
        return {};
    return hint(sys::write_proc("/proc/self/timens_offsets", offsets), [](const Error& error) {
        return error.code == ERANGE ? std::string("a clock can't go below zero or so far ahead")
                                    : std::string();
    });
}

} // namespace stages::time
