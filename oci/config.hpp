// config.json of a bundle, as a Spec (config.md and config-linux.md of the runtime specification).
//
//   auto config = from_config(document, {.path = "/run/bundle", .id = "web"}, caller);
//   if (!config) …                            // "linux.resources.pids.limit: a string where …"
//
// Pure: nothing is opened or asked. Unknown properties are ignored; a known one with a wrong type
// or value, or with nothing here that could apply it, is an error that begins with its path. What
// is left out instead, as the specification wants it of capabilities, is in `warnings`.
//
// Beyond the specification, these annotations are read (the first five are crun's):
//
//   run.oci.keep_original_groups=1       the caller's supplementary groups stay
//   run.oci.hooks.stdout, .stderr=FILE   where hooks write to
//   run.oci.mount_context_type=TYPE      which kind of SELinux context linux.mountLabel is
//   run.oci.systemd.subgroup=NAME        a leaf below systemd's unit
//   run.oci.delegate-cgroup=NAME         another one, which the container has for its own
//   org.systemd.property.NAME=VALUE      of systemd's unit; VALUE in GVariant's text form
//   org.gocontainer.landlock=JSON        what the process may do to files, landlock(7):
//                                        {"handled": ["write_file", "make_reg"], "rules":
//                                         [{"paths": ["/tmp"], "access": ["write_file"]}]}
//                                        What is handled and no rule allows is denied. Names are
//                                        those of LANDLOCK_ACCESS_FS_*, lower case.
#pragma once

#include "spec/spec.hpp"

#include <nlohmann/json_fwd.hpp>

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <vector>

namespace oci {

/// Of the specification: all of it is read.
inline constexpr const char* kSpecVersionMax = "1.3.0";

/// What the conversion must know of who asks.
struct Caller {
    uid_t uid = 0; ///< effective ones
    gid_t gid = 0;
    bool in_user_namespace = false; ///< not the initial one
    bool systemd_cgroup = false;    ///< linux.cgroupsPath names a unit of systemd's
    /// Bits of the capabilities that we have and may hand on, and of those that the kernel knows: a
    /// container can't get more, or with a user namespace of its own the latter.
    std::uint64_t capabilities = ~std::uint64_t{0};
    std::uint64_t known_capabilities = ~std::uint64_t{0};
};

struct Bundle {
    std::string path;    ///< absolute
    std::string id;      ///< of the container
    std::string profile; ///< linux.seccomp as it stands in the file; empty: not known
};

/// CPUs for `exec`, as "0-3,7"; empty: not asked for.
struct Affinity {
    std::string initial; ///< of the runtime, until it has entered the container's cgroup
    std::string final;   ///< of the process, from then on
    bool operator==(const Affinity&) const = default;
};

struct Config {
    spec::Spec spec;
    std::string version; ///< ociVersion
    std::string rootfs;  ///< absolute
    std::map<std::string, std::string> annotations;
    Affinity exec_affinity; ///< process.execCPUAffinity: for exec, not for the first process
    std::vector<std::string> warnings;
};
std::expected<Config, std::string> from_config(const nlohmann::json& config, const Bundle& bundle,
                                               const Caller& caller);

/// hooks.poststop and the others, without looking at the rest.
std::expected<spec::Hooks, std::string> hooks_from(const nlohmann::json& config);

/// process.json of exec. `spec` is the container's own, as from_config made it: what the process
/// must say for itself (args, env, cwd, user, terminal, noNewPrivileges) is replaced, and the rest
/// where the process says something.
struct Exec {
    Affinity affinity; ///< what there is of execCPUAffinity
    std::vector<std::string> warnings;
};
std::expected<Exec, std::string> from_process(const nlohmann::json& process, spec::Spec& spec,
                                              const Caller& caller);

/// linux.resources alone, as `update` gets it: what isn't there is to stay as it is.
struct Update {
    spec::Resources resources;
    bool empty = false;            ///< nothing is asked for
    bool replaces_devices = false; ///< there are device rules
    std::vector<std::string> warnings;
};
std::expected<Update, std::string> from_resources(const nlohmann::json& resources);

} // namespace oci
