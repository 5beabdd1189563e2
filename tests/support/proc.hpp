// The kernel's view of a process, read from outside: /proc/PID/*. Nothing in a container can
// change what stands there.
#pragma once

#include "tests/support/process.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace support {

/// A whole file; throws when it can't be read.
std::string slurp(const std::string& path);
std::optional<std::string> try_slurp(const std::string& path);
void spill(const std::string& path, const std::string& text, mode_t mode = 0644);
/// One write into a file that is there, as /proc wants it.
void write_to(const std::string& path, const std::string& text);
std::string read_link(const std::string& path);

/// "uts:[4026531838]"; `name` as in /proc/PID/ns.
std::string namespace_of(pid_t pid, const std::string& name);
inline const Strings kNamespaces = {"user", "cgroup", "net", "uts", "ipc", "time", "mnt", "pid"};
/// What lsns(8) prints of a process's namespaces, as JSON: NS, TYPE, NPROCS and PID of each.
std::string lsns(pid_t pid);

struct IdRange {
    std::uint32_t inside = 0, outside = 0, count = 0;
    bool operator==(const IdRange&) const = default;
};
/// How it is printed when it is not the one expected.
void PrintTo(const IdRange& range, std::ostream* out);
/// `which`: uid_map or gid_map.
std::vector<IdRange> id_map(pid_t pid, const std::string& which);

struct MountLine {
    std::string device, root, point, type, source;
    std::set<std::string> options;  ///< the mount's: ro, nosuid …
    std::set<std::string> optional; ///< shared:N, master:N …
    std::set<std::string> super;    ///< the file system's
    bool has(const std::string& option) const { return options.contains(option); }
};
std::vector<MountLine> mountinfo(pid_t pid);
/// What is mounted at `point` (the last there, which covers the others), or nullptr.
const MountLine* mounted_at(const std::vector<MountLine>& table, const std::string& point);

/// /proc/PID/status by field; `pid` may be a thread.
std::map<std::string, std::string> status(pid_t pid);
/// A hexadecimal field of it: CapEff, SigCgt …
std::uint64_t status_bits(pid_t pid, const std::string& field);

Strings command_line(pid_t pid);
std::map<std::string, std::string> environment(pid_t pid);
/// Soft and hard, as the kernel writes them; `name` as "Max open files".
std::pair<std::string, std::string> limit(pid_t pid, const std::string& name);
/// Where each open descriptor leads.
std::map<int, std::string> descriptors(pid_t pid);
/// Of cgroup v2; "" when the machine has none.
std::string cgroup_of(pid_t pid);

std::vector<pid_t> children_of(pid_t pid);
/// Children, theirs, and so on.
std::vector<pid_t> descendants_of(pid_t pid);

/// A process's root directory. Every path is resolved inside it, as that process would; none of
/// its symlinks can lead the test to the host's files instead.
class Root {
public:
    explicit Root(pid_t pid);
    ~Root();
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    /// nullopt when there is no such file. `follow`: the last component, when it is a symlink.
    std::optional<struct stat> look(const std::string& path, bool follow = true) const;
    std::string link(const std::string& path) const;
    /// nullopt with errno kept when it can't be opened and read.
    std::optional<std::string> read(const std::string& path) const;
    Strings list(const std::string& path) const;
    /// Try to open it; 0 or errno.
    int open_error(const std::string& path, int flags) const;

private:
    int open(const std::string& path, int flags) const;
    int fd_ = -1;
};

/// Run `function` in the namespaces `names` of `pid`, in a process of its own, and hand back what
/// it returned. Namespaces that are ours anyhow are passed over.
std::string in_namespaces(pid_t pid, const Strings& names,
                          const std::function<std::string()>& function);

} // namespace support
