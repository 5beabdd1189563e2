// Each need by trying, or by what decides it: a lesson leaves out what can't work here.
#include "teach/lesson_needs.hpp"

#include "sys/path.hpp"
#include "teach/doctor_host.hpp"
#include "teach/doctor_probe.hpp"

#include <sstream>

namespace teach {

namespace {

bool has_cgroup2() {
    return try_in_child("cgroup2",
                        []() -> sys::Result<void> {
                            TRY(try_memory_limit({}));
                            return try_pids_limit({});
                        })
        .works;
}

std::string lacking(const std::string& need) {
    if (need == "user")
        return sys::geteuid() == 0 ? "that you are not root" : "";
    if (need == "tun")
        return sys::faccessat(AT_FDCWD, "/dev/net/tun", R_OK | W_OK) ? "" : "/dev/net/tun";
    if (need == "subids")
        return look_at_host().ids.starts_with("none") ? "ids in /etc/subuid" : "";
    if (need == "cgroup2")
        return has_cgroup2() ? "" : "cgroup v2, delegated to you ('gocontainer doctor' knows)";
    if (need == "no-cgroup2")
        return has_cgroup2() ? "a machine that delegates no cgroup v2 to you" : "";
    return sys::find_program(need).empty() ? need : "";
}

} // namespace

std::string missing(const std::string& needs) {
    std::istringstream words(needs);
    std::string out;
    for (std::string need; std::getline(words, need, ',');)
        if (std::string lacks = lacking(need); !lacks.empty())
            out += (out.empty() ? "" : ", ") + lacks;
    return out;
}

} // namespace teach
