// config.json, from its top: what the container is made of, and what goes with what.
#include "oci/config_parts.hpp"
#include "oci/names.hpp"

#include <linux/mount.h>

#include <algorithm>
#include <charconv>

namespace oci {

using spec::Stage;

bool Reading::joins(Stage stage) const {
    return std::ranges::find(spec.joins, stage, &spec::Join::stage) != spec.joins.end();
}

bool goes_up(std::string_view path) {
    return ("/" + std::string(path) + "/").contains("/../");
}

std::string below(const std::string& base, const std::string& path) {
    return clean(path.starts_with('/') ? path : base + "/" + path);
}

namespace {

/// SemVer with 1 in front: later ones of the same major are compatible (config.md, "ociVersion").
void read_version(Node at, std::string& version) {
    if (!at.required().into(version))
        return;
    unsigned numbers[3]{};
    const char* next = version.data();
    const char* end = next + version.size();
    for (unsigned& number : numbers) {
        auto [stop, error] = std::from_chars(next, end, number);
        bool last = &number == &numbers[2];
        if (error != std::errc{} || (!last && (stop == end || *stop != '.')) ||
            (last && stop != end && *stop != '-' && *stop != '+'))
            return at.fail("\"" + version + "\" is not a version as 1.2.0");
        next = stop + 1;
    }
    if (numbers[0] != 1)
        at.fail("\"" + version + "\": this runtime speaks version 1 of the specification");
}

void read_namespaces(Node list, Reading& reading) {
    spec::StageSet seen;
    list.items([&](Node at) {
        Stage stage{};
        if (!at["type"].required().choose(namespace_names(), "a namespace", stage))
            return;
        if (seen.has(stage))
            return at["type"].fail("this namespace is there twice");
        seen.add(stage);
        std::string path;
        at["path"].into(path);
        if (!path.empty() && !path.starts_with('/'))
            return at["path"].fail("\"" + path + "\": must be absolute");
        if (stage == Stage::cgroup)
            reading.spec.cgroup.own_namespace = path.empty();
        reading.spec.stages.add(stage);
        if (!path.empty())
            reading.spec.joins.push_back({stage, std::move(path)});
    });
    reading.spec.net.mode =
        reading.has(Stage::net) ? spec::NetMode::none : spec::NetMode::host; // none: loopback only
}

void read_user_maps(Node linux, Reading& reading) {
    spec::User& user = reading.spec.user;
    read_id_maps(linux["uidMappings"], user.uids);
    read_id_maps(linux["gidMappings"], user.gids);
    bool listed = !user.uids.empty() || !user.gids.empty();
    // Without one an ordinary user could make no other namespace either.
    if (reading.caller.uid != 0)
        reading.spec.stages.add(Stage::user);
    if (!reading.has(Stage::user)) {
        if (listed)
            linux[user.uids.empty() ? "gidMappings" : "uidMappings"].fail(
                "need a user namespace in linux.namespaces");
        return;
    }
    // containerd and CRI-O give the maps of a namespace to join too.
    if (!listed) {
        if (reading.caller.uid == 0 && !reading.joins(Stage::user))
            linux["uidMappings"].fail("is missing: the user namespace needs a map");
        return;
    }
    user.mapping = spec::Mapping::listed;
    auto no_root = [](const std::vector<spec::IdMap>& maps) {
        return std::ranges::none_of(maps, [](const spec::IdMap& map) { return map.inside == 0; });
    };
    for (auto [key, maps] : {std::pair{"uidMappings", &user.uids}, {"gidMappings", &user.gids}})
        if (no_root(*maps))
            linux[key].fail("must map id 0 of the container, since it is set up by its root");
}

void read_root(Node root, Reading& reading) {
    spec::Root& out = reading.spec.root;
    std::string path;
    if (!root.required().object() || !root["path"].required().into(path))
        return;
    if (path.empty())
        return root["path"].fail("is empty");
    root["readonly"].into(out.read_only);
    out.path = below(reading.bundle.path, path);
    reading.config.rootfs = out.path;
    if (reading.has(Stage::mount))
        return;
    out.mode = spec::RootMode::chroot; // nothing to pivot
    if (out.read_only)
        root["readonly"].fail("needs a mount namespace in linux.namespaces");
}

void read_names(Node config, spec::Spec& spec) {
    spec.uts.as_found = true; // without a name here it is nobody's business
    for (auto [key, name] :
         {std::pair{"hostname", &spec.uts.hostname}, {"domainname", &spec.uts.domainname}}) {
        if (!config[key].into(*name) || name->empty())
            continue;
        if (!spec.stages.has(Stage::uts))
            config[key].fail("needs a uts namespace in linux.namespaces");
        if (name->size() > 64) // the kernel's __NEW_UTS_LEN
            config[key].fail("has more than 64 characters");
    }
}

/// What is put over the root itself, none of its processes would ever see.
void read_hidden_root(Node at, std::vector<std::string>& paths, spec::Root& root) {
    if (std::erase_if(paths, [](const std::string& path) { return clean(path) == "/"; }) == 0)
        return;
    if (&paths == &root.masked)
        at.fail("\"/\": without its root a container has nothing");
    root.read_only = true; // as runc has it
}

void read_hidden(Node linux, Reading& reading) {
    spec::Root& root = reading.spec.root;
    for (auto [key, paths] :
         {std::pair{"maskedPaths", &root.masked}, {"readonlyPaths", &root.readonly}}) {
        if (!linux[key].into(*paths))
            continue;
        for (const std::string& path : *paths)
            if (!path.starts_with('/'))
                linux[key].fail("\"" + path + "\": must be absolute");
        if (!paths->empty() && !reading.has(Stage::mount))
            linux[key].fail("need a mount namespace in linux.namespaces");
        read_hidden_root(linux[key], *paths, root);
        std::vector<std::string> once;
        for (std::string& path : *paths)
            if (std::ranges::find(once, path) == once.end())
                once.push_back(std::move(path));
        *paths = std::move(once);
    }
}

void read_propagation(Node at, std::string& out) {
    static constexpr Named<std::string_view> kNames[] = {
        {"private", "private"},       {"rprivate", "private"},      {"shared", "shared"},
        {"rshared", "shared"},        {"slave", "slave"},           {"rslave", "slave"},
        {"unbindable", "unbindable"}, {"runbindable", "unbindable"}};
    std::string_view name;
    if (std::string text; !at.into(text) || text.empty())
        return;
    if (at.choose(kNames, "a propagation", name))
        out = name;
}

/// config-linux.md, "Cgroup ownership": only where the container sees its own cgroup, and can
/// write to it.
bool owns_cgroup(const Reading& reading) {
    if (!reading.has(Stage::cgroup) || !reading.spec.cgroup.own_namespace)
        return false;
    return std::ranges::any_of(reading.spec.root.mounts, [](const spec::Mount& mount) {
        return (mount.type == "cgroup" || mount.type == "cgroup2") &&
               clean(mount.destination) == "/sys/fs/cgroup" &&
               ((mount.attributes | mount.recursive_attributes) & MOUNT_ATTR_RDONLY) == 0;
    });
}

void read_cgroups_path(Node at, Reading& reading) {
    spec::Cgroup& cgroup = reading.spec.cgroup;
    std::string path;
    at.into(path);
    if (reading.caller.systemd_cgroup) {
        cgroup.manager = spec::CgroupManager::systemd;
        cgroup.path = path.empty() ? ":gocontainer:" + reading.bundle.id : path;
        if (std::ranges::count(cgroup.path, ':') != 2 || cgroup.path.ends_with(':'))
            at.fail("\"" + path + "\": with --systemd-cgroup it is SLICE:PREFIX:NAME");
        return;
    }
    if (goes_up(path))
        return at.fail("\"" + path + "\": must not go up");
    cgroup.path = clean(path);
    if (cgroup.path == "/")
        at.fail("\"" + path + "\" is the hierarchy's root, which is not a container's");
}

void read_linux(Node linux, Reading& reading) {
    spec::Spec& spec = reading.spec;
    read_devices(linux["devices"], spec.root.devices);
    if (!spec.root.devices.empty() && !reading.has(Stage::mount))
        linux["devices"].fail("need a mount namespace in linux.namespaces");
    read_resources(linux["resources"], spec.cgroup.resources);
    // Until 1.2 no limit at all was written as 0, and engines do so (Podman 4 for --pids-limit -1).
    std::int64_t pids = 0;
    for (const char* old : {"1.0.", "1.1.", "1.2."})
        if (reading.config.version.starts_with(old) && spec.cgroup.resources.pids &&
            linux["resources"]["pids"]["limit"].into(pids) && pids == 0)
            spec.cgroup.resources.pids.reset();
    if (spec.cgroup.resources.memory_swap.value_or(-1) >= 0 && !spec.cgroup.resources.memory)
        linux["resources"]["memory"]["swap"].fail(
            "is the sum of memory and swap, so it needs a limit beside it");
    if (auto& rules = spec.cgroup.resources.devices; !rules.empty())
        allow_usual_devices(spec.root.devices, rules);
    read_cgroups_path(linux["cgroupsPath"], reading);
    spec.cgroup.delegate = owns_cgroup(reading);
    read_hidden(linux, reading);
    read_propagation(linux["rootfsPropagation"], spec.root.propagation);
    linux["mountLabel"].into(spec.root.mount_label);
    read_seccomp(linux["seccomp"], reading);
    read_sysctl(linux["sysctl"], reading);
    read_net_devices(linux["netDevices"], reading);
    read_intel_rdt(linux["intelRdt"], spec);
    read_memory_policy(linux["memoryPolicy"], spec);
    read_personality(linux["personality"], spec);
    read_time_offsets(linux["timeOffsets"], reading);
}

/// Everything, in an order in which each part finds what it depends on.
void read_config(Node at, Reading& reading) {
    spec::Spec& spec = reading.spec;
    spec.name = reading.bundle.id;
    spec.naming = spec::Naming::properties;
    spec.stages = spec::StageSet();
    spec.stages.add(Stage::root);
    spec.root.usual_mounts = false;
    spec.cgroup.own_namespace = false;
    spec.cgroup.every_controller = true; // for statistics, and what `update` brings
    spec.process.umask = 022;
    if (!at.required().object())
        return;
    read_version(at["ociVersion"], reading.config.version);
    Node linux = at["linux"];
    if (linux.given() && !linux.object())
        return;
    read_namespaces(linux["namespaces"], reading);
    read_user_maps(linux, reading);
    spec.stages.add(Stage::cgroup); // always: it is how all of its processes are found
    read_root(at["root"], reading);
    read_names(at, spec);
    read_mounts(at["mounts"], reading);
    if (Node process = at["process"]; process.given()) {
        read_process(process, spec, reading.caller);
        read_affinity(process["execCPUAffinity"], reading.config.exec_affinity);
    } else { // needed for start alone (config.md, "Process"): others may be executed in it
        spec.stages.add(Stage::caps);
        spec.process.exact_env = true;
        spec.process.cwd = "/";
        spec.process.ids = spec::Ids{};
    }
    read_linux(linux, reading);
    read_hooks(at["hooks"], spec.hooks);
    read_annotations(at["annotations"], reading);
}

} // namespace

std::expected<Config, std::string> from_config(const json& config, const Bundle& bundle,
                                               const Caller& caller) {
    std::expected<Config, std::string> out;
    Document document(config);
    Reading reading{.bundle = bundle, .caller = caller, .config = *out, .spec = out->spec};
    read_config(document.root(), reading);
    if (!document.wrong().empty())
        return std::unexpected(document.wrong());
    // What we have missed, rather than have it found out half way.
    if (std::string wrong = spec::validate(out->spec); !wrong.empty())
        return std::unexpected(wrong);
    out->warnings = std::move(document.warnings);
    return out;
}

std::expected<spec::Hooks, std::string> hooks_from(const json& config) {
    spec::Hooks hooks;
    Document document(config);
    read_hooks(document.root()["hooks"], hooks);
    if (!document.wrong().empty())
        return std::unexpected(document.wrong());
    return hooks;
}

std::expected<Exec, std::string> from_process(const json& process, spec::Spec& spec,
                                              const Caller& caller) {
    Exec exec;
    Document document(process);
    if (Node root = document.root(); root.required().object()) {
        read_process(root, spec, caller);
        read_affinity(root["execCPUAffinity"], exec.affinity);
    }
    if (!document.wrong().empty())
        return std::unexpected(document.wrong());
    if (!exec.affinity.final.empty())
        spec.process.affinity = exec.affinity.final;
    exec.warnings = std::move(document.warnings);
    return exec;
}

std::expected<Update, std::string> from_resources(const json& resources) {
    Update update;
    Document document(resources);
    if (Node root = document.root(); root.required().object())
        read_resources(root, update.resources);
    if (!document.wrong().empty())
        return std::unexpected(document.wrong());
    update.replaces_devices = !update.resources.devices.empty();
    if (update.replaces_devices)
        allow_usual_devices({}, update.resources.devices);
    update.empty = update.resources == spec::Resources{};
    update.warnings = std::move(document.warnings);
    return update;
}

} // namespace oci
