// release-agent: a program of ours, run by the kernel as root of the machine (CVE-2022-0492).
//
// cgroup v1 has a file, release_agent, that names a program for the kernel to start when a cgroup
// becomes empty. Who can mount a v1 hierarchy can write it. This one makes an empty hierarchy of
// its own, writes the name of no program, and takes it away again: nothing is run.
#include "sys/mounts.hpp"
#include "sys/path.hpp"
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> release_agent(const Prey& prey) {
    std::string place = prey.folder;
    if (!sys::exists(place)) {
        place = "/lab-v1";
        TRY(sys::mkdirat(AT_FDCWD, place, 0755));
    }
    TRY(sys::mount("lab", place, "cgroup", "none,name=" + prey.socket));
    std::string agent = place + "/release_agent";
    auto written = sys::write_file(agent, "/no/such/program");
    std::string read = sys::read_file(agent).value_or("");
    (void)sys::write_file(agent, "\n"); // as it was; the hierarchy goes with the mount
    (void)sys::umount2(place, 0);       // which our end would take away, too
    TRY(std::move(written));
    return "release_agent of a hierarchy of our own is " + read;
}

} // namespace teach
