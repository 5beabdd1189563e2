// Defaults and validation of a Spec.
#include "spec/spec.hpp"

#include "spec/net_options.hpp"

#include <algorithm>
#include <map>

namespace spec {

std::optional<Stage> stage_named(std::string_view name) {
    const auto* found = std::ranges::find(kStageNames, name);
    if (found == std::end(kStageNames))
        return std::nullopt;
    return static_cast<Stage>(found - kStageNames);
}

std::vector<std::string> default_capabilities() {
    return {"cap_chown",       "cap_dac_override", "cap_fowner",
            "cap_fsetid",      "cap_kill",         "cap_setgid",
            "cap_setuid",      "cap_setpcap",      "cap_net_bind_service",
            "cap_net_raw",     "cap_sys_chroot",   "cap_mknod",
            "cap_audit_write", "cap_setfcap"};
}

// What tells about, or reaches, the machine rather than the container (moby's oci/defaults.go).
std::vector<std::string> default_masked_paths() {
    return {"/proc/acpi",       "/proc/asound",      "/proc/interrupts",
            "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
            "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
}

std::vector<std::string> default_readonly_paths() {
    return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

namespace {

std::string check_maps(const std::vector<IdMap>& maps, const char* option) {
    std::vector<IdMap> sorted = maps;
    auto overlap = [&](auto field) {
        std::ranges::sort(sorted, {}, field);
        for (std::size_t i = 0; i + 1 < sorted.size(); ++i)
            if (std::uint64_t{sorted[i].*field} + sorted[i].count > sorted[i + 1].*field)
                return true;
        return false;
    };
    for (const IdMap& map : maps)
        if (map.count == 0)
            return std::string(option) + ": a range of no ids maps nothing";
    if (overlap(&IdMap::inside) || overlap(&IdMap::outside))
        return std::string(option) + ": two ranges overlap";
    if (maps.size() > 340) // the kernel's UID_GID_MAP_MAX_EXTENTS
        return std::string(option) + ": more than 340 ranges";
    return {};
}

bool maps_zero(const std::vector<IdMap>& maps) {
    return std::ranges::any_of(maps, [](const IdMap& map) { return map.inside == 0; });
}

std::string check_user(const Spec& spec) {
    if (spec.user.mapping != Mapping::automatic && !spec.stages.has(Stage::user))
        return "--map: needs the user stage";
    if (!spec.user.gids.empty() && !spec.stages.has(Stage::user))
        return "--gid-map: needs the user stage";
    if (spec.user.mapping != Mapping::listed)
        return spec.user.gids.empty() ? "" : "--gid-map: needs a --map C:H:N to go with it";
    if (std::string wrong = check_maps(spec.user.uids, "--map"); !wrong.empty())
        return wrong;
    if (std::string wrong = check_maps(spec.user.gids, "--gid-map"); !wrong.empty())
        return wrong;
    if (spec.user.uids.empty())
        return "--map: a listed map must have a range";
    for (const auto& [option, map] :
         {std::pair{"--map: ", &spec.user.uids}, {"--gid-map: ", &spec.user.gids}})
        if (!map->empty() && !maps_zero(*map))
            return std::string(option) +
                   "id 0 of the container must be mapped, since the stages run as it";
    return {};
}

std::string named(const Mount& mount) {
    return (mount.type == "tmpfs" ? "--tmpfs \"" : "-v \"") + mount.destination + "\"";
}

/// Of two at one place the first would be hidden by the second, and --dns's file by a volume.
std::string hidden(const Spec& spec) {
    if (spec.naming != Naming::options)
        return {}; // a bundle may list what it will
    std::map<std::string_view, const Mount*> places;
    for (const Mount& mount : spec.root.mounts)
        if (auto [there, fresh] = places.try_emplace(mount.destination, &mount); !fresh)
            return named(mount) + ": " + named(*there->second) +
                   " is to be there already: name each place once";
    if (auto there = places.find("/etc/resolv.conf");
        !spec.net.dns.empty() && there != places.end())
        return "--dns: can't go with " + named(*there->second) + ", which has the resolvers";
    return {};
}

std::string check_mount(const Spec& spec) {
    const Root& root = spec.root;
    bool mount = spec.stages.has(Stage::mount);
    if (!mount) {
        if (!root.mounts.empty())
            return named(root.mounts.front()) + ": needs the mount stage";
        if (root.overlay)
            return "--overlay: needs the mount stage";
        if (!root.upper.empty())
            return "--upper: needs the mount stage";
        if (root.read_only)
            return "--read-only: needs the mount stage";
        if (spec.stages.has(Stage::root) && root.mode == RootMode::pivot)
            return "--root pivot: needs the mount stage, since pivot_root moves mounts: "
                   "use --root chroot, or leave the root stage out too";
        if (spec.stages.has(Stage::pid) &&
            (spec.proc == ProcMode::fresh || spec.proc == ProcMode::bind))
            return "--proc: needs the mount stage, or /proc would change for the whole host";
    }
    // What is asked for and would do nothing: an isolation that is silently missing, or a typo.
    if (root.read_only && !spec.stages.has(Stage::root))
        return "--read-only: needs the root stage";
    if (root.mode != RootMode::pivot && !spec.stages.has(Stage::root))
        return "--root: needs the root stage";
    if (spec.proc != ProcMode::automatic && !spec.stages.has(Stage::pid))
        return "--proc: needs the pid stage";
    if (spec.proc == ProcMode::none && !mount && !spec.stages.has(Stage::root))
        return "--proc: needs the mount stage, or it would be the host's all the same";
    if (root.overlay && !root.upper.empty())
        return "--overlay: can't go with --upper: one drops the changes, the other keeps them";
    for (const Mount& mount_of : root.mounts) {
        if (!mount_of.destination.starts_with('/'))
            return named(mount_of) + ": a mount's destination must be absolute";
        if (mount_of.destination.find_first_not_of("/.") == std::string::npos) // "/./" too
            return named(mount_of) + ": can't replace the root: use --rootfs";
    }
    return hidden(spec);
}

/// The option of a limit that is set; "": none is.
std::string first_limit(const Resources& limits) {
    const std::pair<bool, const char*> options[] = {
        {limits.memory.has_value(), "--memory"},
        {limits.memory_swap.has_value(), "--memory-swap"},
        {limits.cpu_quota.has_value(), "--cpus"},
        {limits.cpu_weight.has_value(), "--cpu-weight"},
        {!limits.cpuset.empty(), "--cpuset"},
        {limits.pids.has_value(), "--pids"},
        {limits.io_weight.has_value(), "--io-weight"},
        {!limits.io_max.empty(), "--io-max"},
    };
    for (auto [set, option] : options)
        if (set)
            return option;
    return limits.any() ? "linux.resources" : ""; // one that only a bundle can ask for
}

std::string check_rest(const Spec& spec) {
    if ((spec.time.boottime || spec.time.monotonic) && !spec.stages.has(Stage::time))
        return "--boottime, --monotonic: need the time stage";
    if (!spec.uts.domainname.empty() && !spec.stages.has(Stage::uts))
        return "--domainname: needs the uts stage";
    if (!spec.uts.hostname.empty() && !spec.stages.has(Stage::uts))
        return "--hostname: needs the uts stage";
    if (spec.uts.hostname.size() > 64 || spec.uts.domainname.size() > 64)
        return "--hostname: at most 64 characters (the kernel's __NEW_UTS_LEN)";
    bool connected = spec.stages.has(Stage::net) && spec.net.mode != NetMode::none &&
                     spec.net.mode != NetMode::host;
    if (spec.net.mode != NetMode::automatic && spec.net.mode != NetMode::host &&
        !spec.stages.has(Stage::net))
        return "--net: needs the net stage";
    if (spec.seccomp.mode == SeccompMode::file && !spec.stages.has(Stage::seccomp))
        return "--seccomp: needs the seccomp stage";
    if (!spec.net.ports.empty() && !connected)
        return "-p: needs --net slirp or --net pasta";
    if (std::string wrong = clashing(spec.net.ports); !wrong.empty())
        return "-p: " + wrong;
    if (spec.net.allow_host_loopback && !connected)
        return "--allow-host-loopback: needs --net slirp or --net pasta";
    if (!spec.net.dns.empty() && !spec.stages.has(Stage::mount))
        return "--dns: needs the mount stage, which puts resolv.conf in place";
    const Resources& limits = spec.cgroup.resources;
    if (!spec.stages.has(Stage::cgroup)) {
        if (std::string option = first_limit(limits); !option.empty())
            return option + ": needs the cgroup stage";
        if (!spec.cgroup.path.empty())
            return "--cgroup: needs the cgroup stage";
    }
    if (limits.memory_swap.value_or(-1) >= 0 && !limits.memory)
        return "--memory-swap: needs --memory: it is the sum of memory and swap";
    if (limits.memory && limits.memory_swap && *limits.memory_swap >= 0 &&
        (*limits.memory < 0 || *limits.memory_swap < *limits.memory))
        return "--memory-swap: is the sum of memory and swap, so it can't be less than --memory";
    bool none = spec.process.args.empty() && spec.naming == Naming::properties;
    if (!none && (spec.process.args.empty() || spec.process.args.front().empty()))
        return "COMMAND: is empty: name a program, or leave it out for /bin/sh";
    if (!spec.process.cwd.empty() && !spec.process.cwd.starts_with('/'))
        return "-w: \"" + spec.process.cwd + "\" is not an absolute path, as /" + spec.process.cwd +
               " is";
    return {};
}

} // namespace

std::string validate(const Spec& spec) {
    for (auto* check : {check_user, check_mount, check_rest})
        if (std::string wrong = check(spec); !wrong.empty())
            return wrong;
    return {};
}

} // namespace spec
