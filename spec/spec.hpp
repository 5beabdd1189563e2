// Spec: everything that is wanted of one container, as plain data.
//
// Two front ends make it (cli/ from flags, oci/ from config.json), validate() checks it once, and
// nothing after that asks where it came from. Optional means "not asked for: leave it alone".
#pragma once

#include "spec/files.hpp"
#include "spec/process.hpp"
#include "spec/resources.hpp"

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

enum class CgroupManager : std::uint8_t {
    cgroupfs, ///< directories of our own making
    systemd,  ///< a scope of systemd's, system or user
    disabled, ///< stay in the caller's cgroup
};

/// What it is that a host gives no cgroup, or no filter of devices.
enum class Refused : std::uint8_t {
    automatic, ///< done without where no limit was asked for; the filter by who isn't root
    accepted,  ///< the filter by root, too
    an_error,
};

struct Cgroup {
    /// "/a/b" is below the hierarchy's root, "a/b" beside our own cgroup; empty: a leaf is found.
    /// With systemd: SLICE:PREFIX:NAME.
    std::string path;
    CgroupManager manager = CgroupManager::cgroupfs;
    Refused refused = Refused::automatic;
    /// It becomes the root of a cgroup namespace; off when that is joined, or not asked for.
    bool own_namespace = true;
    /// Give its directory to container root (config-linux.md, "Cgroup ownership").
    bool delegate = false;
    /// For systemd's unit: name and value in GVariant's text form, "'text'", "uint64 5", "true".
    std::vector<std::pair<std::string, std::string>> properties;
    std::string subgroup; ///< of systemd's unit, to be the leaf; empty: the unit's own cgroup
    /// Below the leaf, without limits, for the container to manage: the process goes there once the
    /// leaf is its namespace's root.
    std::string payload;
    /// All controllers that can be had, also without a limit: for statistics, and limits to come.
    bool every_controller = false;
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

/// A host's network device that the container gets (config-linux.md, "Network Devices").
struct NetDevice {
    std::string name;   ///< on the host
    std::string rename; ///< in the container; empty: the same
    bool operator==(const NetDevice&) const = default;
};

struct Uts {
    std::string hostname; ///< empty: the container's name
    std::string domainname;
    bool as_found = false; ///< an empty host name: that of the caller's namespace stays
    bool operator==(const Uts&) const = default;
};

/// Added to the host's clocks (time_namespaces(7)).
struct TimeOffsets {
    std::optional<std::int64_t> boottime; ///< seconds
    std::optional<std::int64_t> monotonic;
    std::uint32_t boottime_ns = 0; ///< nanoseconds, beside them
    std::uint32_t monotonic_ns = 0;
    bool operator==(const TimeOffsets&) const = default;
};

enum class ProcMode : std::uint8_t {
    automatic, ///< new when the mount stage runs, else left alone
    fresh,
    bind,
    none,
};

/// A namespace that is there already, instead of a new one.
struct Join {
    Stage stage = Stage::user;
    std::string path; ///< "/proc/PID/ns/net", or a bind of one
    bool operator==(const Join&) const = default;
};

/// A program that is run at a point of the container's life (config.md, "POSIX-platform Hooks").
struct Hook {
    std::string path;
    std::vector<std::string> args; ///< argv, its first too; empty: the path alone
    std::vector<std::string> env;  ///< all of it
    std::optional<int> timeout;    ///< seconds
    bool operator==(const Hook&) const = default;
};
struct Hooks {
    std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart,
        poststop;
    std::string stdout_file; ///< on the host, appended to; empty: the caller's
    std::string stderr_file; ///< likewise
    bool operator==(const Hooks&) const = default;
};

/// Cache and memory bandwidth through resctrl (config-linux.md, "IntelRdt").
struct IntelRdt {
    std::string group;        ///< closID; empty: the container's name
    bool joins_group = false; ///< closID was given: the group may be there, and stays
    std::vector<std::string> schemata;
    bool monitoring = false;
    bool operator==(const IntelRdt&) const = default;
};

/// A program in the place of a stage's child half (run/replace.hpp).
struct Replacement {
    Stage stage = Stage::user;
    std::string program; ///< path, as the caller would write it
    bool operator==(const Replacement&) const = default;
};

/// What errors call the parts of a Spec: as who asked for them wrote them.
enum class Naming : std::uint8_t {
    options,    ///< "--memory"
    properties, ///< "linux.resources.memory.limit", config.json's
};

struct Spec {
    std::string name;
    Naming naming = Naming::options;
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
    std::vector<Join> joins; ///< each for a stage that is in `stages`
    /// A second process of a container that is there: of the stages, those that restrict run.
    bool inside_already = false;
    std::vector<NetDevice> net_devices;
    std::vector<std::pair<std::string, std::string>> sysctl; ///< "net/ipv4/ip_forward", value
    std::optional<IntelRdt> rdt;
    Hooks hooks;
    std::vector<Replacement> replacements;
    std::vector<std::string> faults; ///< names or numbers of run/fault.hpp
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
