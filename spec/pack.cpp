// The fields of a Spec, by name.
#include "spec/pack.hpp"

#include <array>
#include <cstdint>

namespace spec {

namespace {

void map_fields(auto& field, auto& spec) {
    field("mapping", spec.user.mapping);
    field.list("uids", spec.user.uids, kIdMapFields);
    field.list("gids", spec.user.gids, kIdMapFields);
}

void limit_fields(auto& field, auto& r) {
    field("memory", r.memory);
    field("memorySwap", r.memory_swap);
    field("memoryReservation", r.memory_reservation);
    field("checkBeforeUpdate", r.check_before_update);
    field("cpuQuota", r.cpu_quota);
    field("cpuPeriod", r.cpu_period);
    field("cpuBurst", r.cpu_burst);
    field("cpuIdle", r.cpu_idle);
    field("cpuWeight", r.cpu_weight);
    field("cpuset", r.cpuset);
    field("cpusetMems", r.cpuset_mems);
    field("pids", r.pids);
    field("ioWeight", r.io_weight);
    field("ioBfqWeight", r.io_bfq_weight);
    field.list("ioWeights", r.io_weights, [](auto& f, auto& io) {
        f("device", io.device);
        f("weight", io.weight);
        f("bfqWeight", io.bfq_weight);
    });
    field.list("ioMax", r.io_max, [](auto& f, auto& io) {
        f("device", io.device);
        f("rbps", io.rbps);
        f("wbps", io.wbps);
        f("riops", io.riops);
        f("wiops", io.wiops);
    });
    field.list("hugetlb", r.hugetlb, [](auto& f, auto& page) {
        f("pageSize", page.page_size);
        f("limit", page.limit);
    });
    field.list("rdma", r.rdma, [](auto& f, auto& rdma) {
        f("device", rdma.device);
        f("handles", rdma.handles);
        f("objects", rdma.objects);
    });
    field("unified", r.unified);
    field.list("devices", r.devices, [](auto& f, auto& rule) {
        f("allow", rule.allow);
        f("type", rule.type, 'a');
        f("major", rule.major);
        f("minor", rule.minor);
        f("access", rule.access, std::string("rwm"));
    });
}

void cgroup_fields(auto& field, auto& cgroup) {
    field("cgroup", cgroup.path);
    field("manager", cgroup.manager);
    field("refused", cgroup.refused);
    field("ownCgroupNamespace", cgroup.own_namespace, true);
    field("delegate", cgroup.delegate);
    field("properties", cgroup.properties);
    field("subgroup", cgroup.subgroup);
    field("payload", cgroup.payload);
    field("everyController", cgroup.every_controller);
    limit_fields(field, cgroup.resources);
}

void net_fields(auto& field, auto& net) {
    field("net", net.mode);
    field.list("ports", net.ports, [](auto& f, auto& port) {
        f("address", port.address);
        f("host", port.host);
        f("container", port.container);
        f("udp", port.udp);
    });
    field("dns", net.dns);
    field("allowHostLoopback", net.allow_host_loopback);
}

void time_fields(auto& field, auto& time) {
    field("boottime", time.boottime);
    field("monotonic", time.monotonic);
    field("boottimeNs", time.boottime_ns);
    field("monotonicNs", time.monotonic_ns);
}

void root_fields(auto& field, auto& root) {
    field("rootfs", root.path);
    field("rootMode", root.mode);
    field("readOnly", root.read_only);
    field("overlay", root.overlay);
    field("upper", root.upper);
    field("usualMounts", root.usual_mounts, true);
    field("rootPropagation", root.propagation);
    field.list("mounts", root.mounts, [](auto& f, auto& mount) {
        f("type", mount.type);
        f("source", mount.source);
        f("destination", mount.destination);
        f("attributes", mount.attributes);
        f("cleared", mount.cleared);
        f("recursiveAttributes", mount.recursive_attributes);
        f("recursiveCleared", mount.recursive_cleared);
        f("recursive", mount.recursive, true);
        f("remount", mount.remount);
        f("propagation", mount.propagation);
        f("propagationBelow", mount.propagation_below);
        f("idmap", mount.idmap);
        f.list("uids", mount.uids, kIdMapFields);
        f.list("gids", mount.gids, kIdMapFields);
        f("copyUp", mount.copy_up);
        f("noFollow", mount.no_follow);
        f("overLink", mount.over_link);
        f("options", mount.options);
    });
    field.list("deviceNodes", root.devices, [](auto& f, auto& device) {
        f("path", device.path);
        f("type", device.type, 'c');
        f("major", device.major);
        f("minor", device.minor);
        f("mode", device.mode, std::uint32_t{0666});
        f("uid", device.uid);
        f("gid", device.gid);
    });
    field("masked", root.masked);
    field("readonly", root.readonly);
    field("mountLabel", root.mount_label);
    field("mountLabelType", root.mount_label_type, std::string("context"));
}

void power_fields(auto& field, auto& spec) {
    field("bounding", spec.capabilities.bounding);
    field("permitted", spec.capabilities.permitted);
    field("effective", spec.capabilities.effective);
    field("inheritable", spec.capabilities.inheritable);
    field("ambient", spec.capabilities.ambient);
    field("seccomp", spec.seccomp.mode);
    field("seccompFile", spec.seccomp.file);
    // Its text stays with the parent, which compiles it.
    field("seccompListener", spec.seccomp.listener_path);
    field("seccompMetadata", spec.seccomp.listener_metadata);
}

void identity_fields(auto& field, auto& process) {
    field("user", process.user);
    field.one("ids", process.ids, [](auto& f, auto& ids) {
        f("uid", ids.uid);
        f("gid", ids.gid);
        f("groups", ids.groups);
        f("keepGroups", ids.keep_groups);
    });
    field("umask", process.umask);
    field("newPrivileges", process.new_privileges);
    field("apparmor", process.apparmor);
    field("selinux", process.selinux);
    field.one("landlock", process.landlock, [](auto& f, auto& landlock) {
        f("handled", landlock.handled);
        f.list("rules", landlock.rules, [](auto& g, auto& rule) {
            g("paths", rule.paths);
            g("access", rule.access);
        });
    });
}

void scheduling_fields(auto& field, auto& process) {
    field("oomScoreAdj", process.oom_score_adj);
    field.one("scheduler", process.scheduler, [](auto& f, auto& scheduler) {
        f("policy", scheduler.policy);
        f("nice", scheduler.nice);
        f("priority", scheduler.priority);
        f("flags", scheduler.flags);
        f("runtime", scheduler.runtime);
        f("deadline", scheduler.deadline);
        f("period", scheduler.period);
    });
    field.one("ioPriority", process.io_priority, [](auto& f, auto& io) {
        f("class", io.klass);
        f("priority", io.priority);
    });
    field.one("memoryPolicy", process.memory_policy, [](auto& f, auto& policy) {
        f("mode", policy.mode);
        f("flags", policy.flags);
        f("nodes", policy.nodes);
    });
    field("personality", process.personality);
    field("affinity", process.affinity);
}

void process_fields(auto& field, auto& process) {
    field("args", process.args);
    field("env", process.env);
    field("exactEnv", process.exact_env);
    field("cwd", process.cwd);
    field("terminal", process.terminal);
    field.one("consoleSize", process.console_size, [](auto& f, auto& size) {
        f("height", size.height);
        f("width", size.width);
    });
    field.list("rlimits", process.rlimits, [](auto& f, auto& limit) {
        f("resource", limit.resource);
        f("name", limit.name);
        f("soft", limit.soft);
        f("hard", limit.hard);
    });
    identity_fields(field, process);
    scheduling_fields(field, process);
    field("keyring", process.keyring);
    field("preservedFds", process.preserved_fds);
}

constexpr auto kHook = [](auto& field, auto& hook) {
    field("path", hook.path);
    field("args", hook.args);
    field("env", hook.env);
    field("timeout", hook.timeout);
};

void hook_fields(auto& field, auto& hooks) {
    field.list("prestart", hooks.prestart, kHook);
    field.list("createRuntime", hooks.create_runtime, kHook);
    field.list("createContainer", hooks.create_container, kHook);
    field.list("startContainer", hooks.start_container, kHook);
    field.list("poststart", hooks.poststart, kHook);
    field.list("poststop", hooks.poststop, kHook);
    field("hooksStdout", hooks.stdout_file);
    field("hooksStderr", hooks.stderr_file);
}

void all_fields(auto& field, auto& spec) {
    field("name", spec.name);
    field("naming", spec.naming);
    field("quiet", spec.quiet);
    map_fields(field, spec);
    cgroup_fields(field, spec.cgroup);
    net_fields(field, spec.net);
    field("hostname", spec.uts.hostname);
    field("domainname", spec.uts.domainname);
    field("namesAsFound", spec.uts.as_found);
    time_fields(field, spec.time);
    root_fields(field, spec.root);
    field("proc", spec.proc);
    power_fields(field, spec);
    process_fields(field, spec.process);
    field.list("replacements", spec.replacements, [](auto& f, auto& one) {
        f("stage", one.stage);
        f("program", one.program);
    });
    field("faults", spec.faults);
    field.list("joins", spec.joins, [](auto& f, auto& join) {
        f("stage", join.stage);
        f("path", join.path);
    });
    field("insideAlready", spec.inside_already);
    field.list("netDevices", spec.net_devices, [](auto& f, auto& device) {
        f("name", device.name);
        f("rename", device.rename);
    });
    field("sysctl", spec.sysctl);
    field.one("rdt", spec.rdt, [](auto& f, auto& rdt) {
        f("group", rdt.group);
        f("joinsGroup", rdt.joins_group);
        f("schemata", rdt.schemata);
        f("monitoring", rdt.monitoring);
    });
    hook_fields(field, spec.hooks);
}

} // namespace

// One piece of code for all of the fields, and one append for each part of them.

void Packer::name(std::string_view key) {
    std::array<char, 64> field; // NOLINT(cppcoreguidelines-pro-type-member-init): written below
    field[0] = static_cast<char>(key.size());
    bytes_.append(field.data(), 1 + key.copy(field.data() + 1, field.size() - 1));
}

std::size_t Packer::begin_sized() {
    std::size_t at = bytes_.size();
    bytes_.append(sizeof(std::uint32_t), '\0');
    return at;
}

std::optional<std::string_view> Unpacker::found_by_name(std::string_view key) {
    if (rest_.substr(1, key.size()) != key)
        return std::nullopt;
    rest_.remove_prefix(1 + key.size());
    return sized(rest_);
}

std::optional<std::string_view> Unpacker::sized(std::string_view& from) {
    std::uint32_t size = 0;
    bool fits = from.size() >= sizeof size;
    if (fits) {
        memcpy(&size, from.data(), sizeof size);
        fits = size <= from.size() - sizeof size;
    }
    check(fits);
    if (!fits)
        return std::nullopt;
    std::string_view out = from.substr(sizeof size, size);
    from.remove_prefix(sizeof size + size);
    return out;
}

std::string pack(const Spec& spec) {
    Packer packer;
    packer.must("stages", spec.stages.bits());
    all_fields(packer, spec);
    packer.must("end", true); // else a Spec that was cut off would ask for less
    return std::move(packer).finish();
}

bool unpack(std::string_view bytes, Spec& spec) {
    Unpacker unpacker(bytes);
    std::uint32_t stages = 0;
    unpacker.must("stages", stages);
    spec.stages = StageSet(stages);
    spec.root.path.clear(); // its default is not the empty one
    all_fields(unpacker, spec);
    bool end = false;
    unpacker.must("end", end);
    return unpacker.whole() && end;
}

} // namespace spec
