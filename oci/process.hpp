// exec: one more process in a container that runs.
#pragma once

#include "oci/lifecycle.hpp"
#include "stages/facts.hpp"

#include <optional>
#include <string>
#include <vector>

namespace oci {

struct ExecOptions {
    std::string process; ///< path of a process.json; it says all that the options below say
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string cwd;
    std::string user; ///< UID[:GID]
    std::vector<std::string> capabilities;
    std::vector<std::uint32_t> groups;
    std::string apparmor;
    std::string selinux;
    bool no_new_privileges = false;
    bool tty = false;
    bool ignore_paused = false;
    std::string cgroup; ///< below the container's own
    bool detach = false;
    std::string pid_file;
    std::string console_socket;
    std::string pidfd_socket;
    unsigned preserve_fds = 0;
};

/// The exit status of the command, or 0 when detached.
Result<int> exec(const Global& global, const ExecOptions& options, const std::string& id);

/// What exec needs to know of a container, as the text of the file `exec`.
std::string pack_exec(const Config& config, const stages::Facts& facts);

/// The container's Spec as far as exec needs it: where the notifications of its filter go, its
/// class of resctrl.
Result<spec::Spec> spec_of(const Store& store);

} // namespace oci
