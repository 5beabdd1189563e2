// Spec: everything that is wanted of one container, as plain data.
//
// Two front ends make it (cli/ from flags, oci/ from config.json), validate() checks it once, and
// nothing after that asks where it came from. Optional means "not asked for: leave it alone".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spec {

/// The stages by name. Their order is stages/table.cpp's business, not this list's.
enum class Stage : std::uint8_t {
    user,
    cgroup,
    net,
    uts,
    ipc,
    time,
    mount,
    pid,
    root,
    caps,
    seccomp,
    init,
};
inline constexpr std::string_view kStageNames[] = {
    "user",  "cgroup", "net",  "uts",  "ipc",     "time",
    "mount", "pid",    "root", "caps", "seccomp", "init",
};
inline constexpr std::size_t kStageCount = std::size(kStageNames);
constexpr std::string_view name_of(Stage stage) {
    return kStageNames[static_cast<std::size_t>(stage)];
}
std::optional<Stage> stage_named(std::string_view name);

/// Which stages run.
class StageSet {
public:
    constexpr StageSet() = default;
    constexpr explicit StageSet(std::uint32_t bits) : bits_(bits) {}
    constexpr bool has(Stage stage) const { return (bits_ & bit(stage)) != 0; }
    constexpr void add(Stage stage) { bits_ |= bit(stage); }
    constexpr void remove(Stage stage) { bits_ &= ~bit(stage); }
    constexpr std::uint32_t bits() const { return bits_; }
    bool operator==(const StageSet&) const = default;
    /// Every stage but time and init.
    static constexpr StageSet defaults() {
        StageSet set((1U << kStageCount) - 1);
        set.remove(Stage::time);
        set.remove(Stage::init);
        return set;
    }

private:
    static constexpr std::uint32_t bit(Stage stage) { return 1U << static_cast<unsigned>(stage); }
    std::uint32_t bits_ = 0;
};

/// `count` ids from `inside` on are the host's `outside` and following (user_namespaces(7)).
struct IdMap {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 1;
    bool operator==(const IdMap&) const = default;
};

enum class Mapping : std::uint8_t {
    automatic, ///< subordinate ids when there are some, else the caller alone
    single,    ///< the caller alone, as 0
    listed,    ///< `uids` and `gids` say it
};

struct User {
    Mapping mapping = Mapping::automatic;
    std::vector<IdMap> uids;
    std::vector<IdMap> gids; ///< empty with Mapping::listed: the same as `uids`
    bool operator==(const User&) const = default;
};

/// One device's io.max line, cgroup-v2.rst: zero means not asked for.
struct IoMax {
    std::string device; ///< a path, or MAJ:MIN
    std::uint64_t rbps = 0, wbps = 0, riops = 0, wiops = 0;
    bool operator==(const IoMax&) const = default;
};

/// Limits, in cgroup v2's units (Documentation/admin-guide/cgroup-v2.rst).
struct Resources {
    std::optional<std::int64_t> memory;      ///< bytes, -1 for no limit
    std::optional<std::int64_t> memory_swap; ///< bytes of memory and swap together; -1 for no limit
    std::optional<std::int64_t> cpu_quota;   ///< microseconds a period
    std::uint64_t cpu_period = 100000;       ///< microseconds
    std::optional<std::uint64_t> cpu_weight; ///< 1 to 10000
    std::string cpuset;                      ///< "0-3,7"
    std::optional<std::int64_t> pids;        ///< -1 for no limit
    std::optional<std::uint64_t> io_weight;  ///< 1 to 10000
    std::vector<IoMax> io_max;
    bool any() const {
        return memory || memory_swap || cpu_quota || cpu_weight || !cpuset.empty() || pids ||
               io_weight || !io_max.empty();
    }
    bool operator==(const Resources&) const = default;
};

struct Cgroup {
    std::string path; ///< below the hierarchy's root; empty: a leaf is found
    Resources resources;
    bool operator==(const Cgroup&) const = default;
};

enum class NetMode : std::uint8_t {
    automatic, ///< slirp4netns, else pasta, else loopback only and a line that says so
    slirp,
    pasta,
    none, ///< a namespace with loopback only
    host,
};

struct Port {
    std::string address; ///< on the host; empty: all
    std::uint16_t host = 0;
    std::uint16_t container = 0;
    bool udp = false;
    bool operator==(const Port&) const = default;
};

struct Net {
    NetMode mode = NetMode::automatic;
    std::vector<Port> ports;
    std::vector<std::string> dns;
    bool allow_host_loopback = false;
    bool operator==(const Net&) const = default;
};

struct Uts {
    std::string hostname; ///< empty: the container's name
    std::string domainname;
    bool operator==(const Uts&) const = default;
};

/// Seconds added to the host's clocks (time_namespaces(7)).
struct TimeOffsets {
    std::optional<std::int64_t> boottime;
    std::optional<std::int64_t> monotonic;
    bool operator==(const TimeOffsets&) const = default;
};

/// Something mounted below the rootfs. Flags as MOUNT_ATTR_* of mount_setattr(2).
struct Mount {
    std::string type; ///< "bind" or a file system
    std::string source;
    std::string destination;
    std::uint64_t attributes = 0;
    bool recursive = true;            ///< of a bind
    std::string propagation;          ///< "", private, slave, shared, unbindable
    std::vector<std::string> options; ///< the file system's own: "size=64m"
    bool operator==(const Mount&) const = default;
};

enum class RootMode : std::uint8_t { pivot, chroot, chdir };

struct Root {
    std::string path = "./rootfs";
    RootMode mode = RootMode::pivot;
    bool read_only = false;
    bool overlay = false; ///< changes go to a tmpfs and vanish
    std::string upper;    ///< changes are kept there
    std::vector<Mount> mounts;
    std::vector<std::string> masked;
    std::vector<std::string> readonly;
    bool operator==(const Root&) const = default;
};

enum class ProcMode : std::uint8_t {
    automatic, ///< new when the mount stage runs, else left alone
    fresh,
    bind,
    none,
};

struct Capabilities {
    /// Names, lower case, "cap_chown". Permitted and effective get what bounding has.
    std::vector<std::string> bounding;
    bool operator==(const Capabilities&) const = default;
};

enum class SeccompMode : std::uint8_t { standard, none, file };

struct Seccomp {
    SeccompMode mode = SeccompMode::standard;
    std::string file;
    bool operator==(const Seccomp&) const = default;
};

struct Rlimit {
    int resource = 0; ///< RLIMIT_*
    std::string name; ///< "nofile"
    std::uint64_t soft = 0, hard = 0;
    bool operator==(const Rlimit&) const = default;
};

struct Process {
    std::vector<std::string> args;
    std::vector<std::string> env; ///< NAME=VALUE; later ones win
    std::string cwd;  ///< empty: the root directory or, with none of our own, the caller's
    std::string user; ///< UID[:GID] or NAME[:GROUP]; empty: 0 of the namespace
    bool terminal = false;
    bool new_privileges = false;
    std::vector<Rlimit> rlimits;
    bool operator==(const Process&) const = default;
};

struct Spec {
    std::string name;
    StageSet stages = StageSet::defaults();
    bool quiet = false;
    User user;
    Cgroup cgroup;
    Net net;
    Uts uts;
    TimeOffsets time;
    Root root;
    ProcMode proc = ProcMode::automatic;
    Capabilities capabilities;
    Seccomp seccomp;
    Process process;
    bool operator==(const Spec&) const = default;
};

/// Docker's 14.
std::vector<std::string> default_capabilities();
std::vector<std::string> default_masked_paths();
std::vector<std::string> default_readonly_paths();

/// What can't work, named by its field: ""; else one line, as `--read-only: needs the root stage`.
/// Checks only what follows from the Spec itself; what the host can give, the stages find out.
std::string validate(const Spec& spec);

} // namespace spec
