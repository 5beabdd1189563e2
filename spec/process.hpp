// Process: what runs in the container, as whom and with which powers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace spec {

/// Names, lower case, "cap_chown" (capabilities(7)).
struct Capabilities {
    std::vector<std::string> bounding;
    std::vector<std::string> permitted;
    std::vector<std::string> effective;
    std::vector<std::string> inheritable;
    std::vector<std::string> ambient;
    bool operator==(const Capabilities&) const = default;
};

enum class SeccompMode : std::uint8_t { standard, none, file, text };

struct Seccomp {
    SeccompMode mode = SeccompMode::standard;
    std::string file; ///< path of a profile in Docker's form
    std::string text; ///< linux.seccomp of config.json, as JSON
    /// A socket that gets the filter's notify descriptor (config-linux.md, "Container Process
    /// State").
    std::string listener_path;
    std::string listener_metadata;
    bool operator==(const Seccomp&) const = default;
};

struct Rlimit {
    int resource = 0; ///< RLIMIT_*
    std::string name; ///< "nofile"
    std::uint64_t soft = 0, hard = 0;
    bool operator==(const Rlimit&) const = default;
};

/// Ids as numbers: nothing is looked up in the rootfs's passwd.
struct Ids {
    std::uint32_t uid = 0, gid = 0;
    std::vector<std::uint32_t> groups;
    bool keep_groups = false; ///< the caller's supplementary groups stay
    bool operator==(const Ids&) const = default;
};

/// sched_setattr(2).
struct Scheduler {
    std::uint32_t policy = 0; ///< SCHED_*
    std::int32_t nice = 0;
    std::int32_t priority = 0;
    std::uint64_t flags = 0;                             ///< SCHED_FLAG_*
    std::uint64_t runtime = 0, deadline = 0, period = 0; ///< nanoseconds
    bool operator==(const Scheduler&) const = default;
};

/// ioprio_set(2).
struct IoPriority {
    int klass = 0; ///< IOPRIO_CLASS_*
    int priority = 0;
    bool operator==(const IoPriority&) const = default;
};

/// set_mempolicy(2).
struct MemoryPolicy {
    int mode = 0;       ///< MPOL_*
    unsigned flags = 0; ///< MPOL_F_*
    std::string nodes;  ///< "0-3,7"
    bool operator==(const MemoryPolicy&) const = default;
};

struct WindowSize {
    std::uint16_t height = 0, width = 0; ///< characters
    bool operator==(const WindowSize&) const = default;
};

/// Landlock: what the process may do to files, beyond their permissions (landlock(7)).
struct LandlockRule {
    std::vector<std::string> paths;
    std::uint64_t access = 0; ///< LANDLOCK_ACCESS_FS_*
    bool operator==(const LandlockRule&) const = default;
};
struct Landlock {
    std::uint64_t handled = 0; ///< LANDLOCK_ACCESS_FS_* that are denied but for the rules
    std::vector<LandlockRule> rules;
    bool operator==(const Landlock&) const = default;
};

struct Process {
    std::vector<std::string> args;
    std::vector<std::string> env; ///< NAME=VALUE; later ones win
    bool exact_env = false;       ///< `env` is all there is, but for HOME when that is missing
    std::string cwd;        ///< empty: the root directory or, with none of our own, the caller's
    std::string user;       ///< UID[:GID] or NAME[:GROUP]; empty: 0 of the namespace
    std::optional<Ids> ids; ///< instead of `user`
    std::optional<std::uint32_t> umask;
    bool terminal = false;
    std::optional<WindowSize> console_size;
    bool new_privileges = false;
    std::vector<Rlimit> rlimits;
    std::optional<int> oom_score_adj;
    std::string apparmor; ///< profile; empty: what we run under
    std::string selinux;  ///< label; likewise
    std::optional<Scheduler> scheduler;
    std::optional<IoPriority> io_priority;
    std::optional<MemoryPolicy> memory_policy;
    std::optional<unsigned long> personality; ///< personality(2)
    std::string keyring;  ///< name of a session keyring of its own; empty: the caller's
    std::string affinity; ///< CPUs that it may run on, "0-3,7"; empty: the caller's
    std::optional<Landlock> landlock;
    /// Descriptors 3 and following, so many, are handed down.
    unsigned preserved_fds = 0;
    bool operator==(const Process&) const = default;
};

} // namespace spec
