// The config.json that `spec` writes: a shell in ./rootfs, to begin with. The same as runc's.
#pragma once

#include <sys/types.h>

#include <string>

namespace oci {

struct Template {
    bool rootless = false; ///< for a user who is not root: a user namespace with the one id
    uid_t uid = 0;         ///< of that user
    gid_t gid = 0;
};

/// JSON text, indented, with a newline at its end.
std::string default_config(const Template& wanted);

} // namespace oci
