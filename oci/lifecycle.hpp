// create, start, run and delete: a container's life (runtime.md, "Lifecycle").
#pragma once

#include "oci/config.hpp"
#include "oci/store.hpp"
#include "spec/spec.hpp"

#include <functional>
#include <string>

namespace oci {

/// The options before the command.
struct Global {
    std::string root;                                 ///< of the state directories; absolute
    bool systemd_cgroup = false;                      ///< cgroupsPath names a unit of systemd's
    bool no_cgroups = false;                          ///< --cgroup-manager disabled
    spec::Refused refused = spec::Refused::automatic; ///< --rootless
    bool in_user_namespace = false;
    /// One line for the log, with --debug.
    std::function<void(const std::string&)> debug;
    /// One line for the person: never where an engine might read it.
    std::function<void(const std::string&)> say;
};

/// What config.json's conversion must know of us.
Result<Caller> caller(const Global& global);

struct CreateOptions {
    std::string bundle = ".";
    std::string pid_file;
    std::string console_socket;
    std::string pidfd_socket;
    unsigned preserve_fds = 0;
    bool no_pivot = false;
    bool no_new_keyring = false;
    // run's own:
    bool detach = false;
    bool keep = false;
    spec::NetMode net = spec::NetMode::none;
    bool own_net = false; ///< --net was given
    std::vector<spec::Port> ports;
    std::vector<std::string> dns;
    bool allow_host_loopback = false;
    bool overlay = false;
};

/// The container's first process waits at the gate when it is done. After an error nothing is left.
Result<void> create(const Global& global, const CreateOptions& options, const std::string& id);

/// Let it execute the command.
Result<void> start(const Global& global, const std::string& id);

/// create, start and, unless detached, wait and delete. The exit status of the command.
Result<int> run(const Global& global, const CreateOptions& options, const std::string& id);

/// Undo everything. With `force` the container is killed first, and one that isn't there is fine.
Result<void> remove(const Global& global, const std::string& id, bool force);

/// `text` as the pid file wants it: digits only, by rename.
Result<void> write_pid_file(const std::string& path, pid_t pid);

} // namespace oci
