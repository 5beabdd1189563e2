// What kind of machine this is, read from what it shows: for people, and for nobody's decisions.
#pragma once

#include <string>

namespace teach {

struct Host {
    std::string system;   ///< "Debian GNU/Linux 12 (bookworm)"
    std::string kernel;   ///< "6.1.0-13-amd64"
    std::string kind;     ///< "a Docker container, without --privileged"
    std::string user;     ///< "lena (uid 1000)"
    std::string name;     ///< "lena"; the number of one that has none
    std::string ids;      ///< "65536 from 100000 in /etc/subuid"
    std::string cgroups;  ///< "hybrid: v2 at …, beside v1"
    std::string security; ///< AppArmor, a seccomp filter: what is on this process
    std::string program;  ///< our real path
    std::string rootfs;   ///< where `parent` looks for one
};
Host look_at_host();

/// Of these, `kind`; also unit tests' way in.
std::string kind_of_machine();

} // namespace teach
