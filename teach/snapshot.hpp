// What the kernel says of one process at one moment: its namespaces and what is in them, its
// cgroup, its rights. Plain data, with one JSON form, to be shown, compared, drawn and kept.
//
//   auto now = teach::snapshot(pid);              // any process on the machine
//   auto text = teach::to_json(*now).dump(2);     // and back: teach::from_json
//   teach::diff(before, *now)                     // teach/diff.hpp
//
// What the caller may not read is in `unread`, with the reason; its fields are then empty.
#pragma once

#include "sys/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace teach {

using sys::Error;
using sys::Result;

using Strings = std::vector<std::string>;

struct Ids {
    std::uint32_t real = 0, effective = 0, saved = 0, filesystem = 0;
    bool operator==(const Ids&) const = default;
};

struct Namespace {
    std::string type; ///< as in /proc/PID/ns: "user", "mnt" …
    std::uint64_t inode = 0;
    std::uint64_t for_children = 0; ///< which its children will be in, where that's another
    std::uint64_t owner = 0;        ///< the user namespace that owns it; 0: not to be known here
    std::optional<std::uint32_t> owner_uid; ///< who made that one (of user: who made this one)
    /// Of user and pid: the parent, its parent …, as far as they can be seen from here.
    std::vector<std::uint64_t> above;
    std::uint64_t host = 0; ///< the host's, to compare with; 0: not to be known here
    /// Filled in by count_members().
    std::uint32_t members = 0; ///< processes in it that we may look at
    std::int32_t first = 0;    ///< the one of the lowest number
    std::uint32_t first_uid = 0;
    std::string first_user;    ///< its name; empty: it has none here
    std::string first_name;    ///< comm
    std::string first_command; ///< its arguments; empty: a kernel thread
    bool own() const { return host != 0 && inode != host; }
};

struct IdRange {
    std::uint32_t inside = 0, outside = 0, count = 0;
};

/// A line of mountinfo, proc_pid_mountinfo(5).
struct Mount {
    std::uint32_t id = 0, parent = 0;
    std::string device; ///< "8:1"
    std::string root;   ///< what of the file system is mounted
    std::string point;
    std::string options; ///< of the mount
    /// "private", "unbindable", or "shared:N", "master:N", "propagate_from:N" with commas between.
    std::string propagation;
    std::string type, source;
    std::string super_options; ///< of the file system
};

struct Cgroup {
    std::string controllers; ///< of v1, "cpu,cpuacct" or "name=systemd"; empty: v2
    std::string path;        ///< as seen from here
};

/// A file of the v2 cgroup: "memory.max" and its text, without the last newline. What a controller
/// of v1 limits is there under v2's name (teach/cgroup_v1.hpp).
struct CgroupFile {
    std::string name, text;
};

/// A limit that a cgroup above sets: it holds for all that is below.
struct CgroupLimit {
    std::string name, text;
    std::string path; ///< of that cgroup, as Cgroup's
};

struct Capabilities {
    Strings permitted, effective, inheritable, bounding, ambient; ///< "cap_chown" …
};

/// A network device (sys/netlink.hpp).
struct Link {
    std::string name, kind, mac, state;
    bool up = false;
    std::uint32_t mtu = 0;
    Strings addresses;
};

struct Limit {
    std::string name, soft, hard; ///< as in /proc/PID/limits
};

struct TimeOffset {
    std::string clock;
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
};

/// What could not be read, and why.
struct Unread {
    std::string what; ///< "namespaces", "hostname" …
    std::string why;
};

struct Snapshot {
    std::int32_t pid = 0, parent = 0;
    std::string name; ///< comm
    Strings command;  ///< its arguments; empty for a kernel thread
    std::string executable;
    std::string state; ///< "S (sleeping)"
    Ids uid, gid;      ///< as ids here
    std::vector<std::uint32_t> groups;
    std::vector<std::int32_t> pids; ///< in each PID namespace, the outermost that we see first

    std::vector<Namespace> namespaces;
    std::string host; ///< whose namespaces are taken for the host's: "process 1" or "the caller"
    std::vector<IdRange> uid_map, gid_map; ///< outside: as ids here
    std::string setgroups;                 ///< "allow" or "deny"
    std::string hostname, domainname;
    std::vector<Link> links;
    std::vector<TimeOffset> time_offsets;
    std::vector<Mount> mounts;
    std::string root, cwd;

    std::vector<Cgroup> cgroups;
    std::string cgroup_directory; ///< where its v2 cgroup is to be seen here; empty: nowhere
    std::vector<CgroupFile> cgroup_files;
    std::vector<CgroupLimit>
        cgroup_above; ///< of those files that end with ".max", the nearest first

    Capabilities capabilities;
    std::uint32_t seccomp_mode = 0; ///< 0 none, 1 strict, 2 filter
    std::uint32_t seccomp_filters = 0;
    bool no_new_privs = false;
    std::string label; ///< of its Linux security module: an AppArmor profile, an SELinux context
    std::vector<Limit> limits;
    std::int32_t oom_score_adj = 0;

    std::vector<Unread> unread;

    const Namespace* space(std::string_view type) const;
    /// Why `what` is not there; nullptr: it is.
    const std::string* why_unread(std::string_view what) const;
};

/// Of process `pid`, which may end meanwhile: then that is the error. Nobody hears the calls that
/// this takes (sys::listener), for they are no part of what is looked at.
Result<Snapshot> snapshot(pid_t pid);

/// Who else is in its namespaces, as lsns(8) counts: a look at every process of the machine.
void count_members(Snapshot& snapshot);

/// Whose namespaces a snapshot calls the host's: 1, or the caller where that one can't be read.
pid_t host_pid();

nlohmann::ordered_json to_json(const Snapshot& snapshot);
/// What to_json() has made, perhaps of another version: what is missing stays as it is. An error
/// names the place: "mounts[3].id is no number".
Result<Snapshot> from_json(const nlohmann::ordered_json& object);

} // namespace teach
