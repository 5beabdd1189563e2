// features and the template of `spec`: what they promise, from_config takes.
#include "oci/features.hpp"
#include "oci/spec_template.hpp"
#include "stages/seccomp_profile.hpp"
#include "tests/unit/oci_config.hpp"

#include <set>

using namespace oci_test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;

namespace {

const json& promised() {
    static const json all = oci::features("1.2.3");
    return all;
}
const json& on_linux() {
    return promised()["linux"];
}
std::vector<std::string> names(const json& list) {
    return list.get<std::vector<std::string>>();
}

TEST(OciFeatures, SpeakVersion1) {
    EXPECT_EQ(promised()["ociVersionMin"], "1.0.0");
    for (const char* key : {"ociVersionMin", "ociVersionMax"})
        EXPECT_TRUE(convert(with("/ociVersion", promised()[key].dump()))) << key;
    EXPECT_EQ(promised()["annotations"]["org.gocontainer.version"], "1.2.3");
}

TEST(OciFeatures, HaveWhatTheSpecificationAndEnginesAskFor) {
    EXPECT_THAT(names(on_linux()["namespaces"]),
                ElementsAre("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"));
    EXPECT_TRUE(on_linux()["mountExtensions"]["idmap"]["enabled"]); // kubelet: user namespaces
    // config.md's MUST and SHOULD.
    EXPECT_THAT(names(promised()["mountOptions"]),
                IsSupersetOf({"async",         "atime",        "bind",
                              "defaults",      "dev",          "diratime",
                              "dirsync",       "exec",         "iversion",
                              "lazytime",      "loud",         "noatime",
                              "nodev",         "nodiratime",   "noexec",
                              "noiversion",    "nolazytime",   "norelatime",
                              "nostrictatime", "nosuid",       "private",
                              "ratime",        "rbind",        "rdev",
                              "rdiratime",     "relatime",     "remount",
                              "rexec",         "rnoatime",     "rnodiratime",
                              "rnoexec",       "rnorelatime",  "rnostrictatime",
                              "rnosuid",       "ro",           "rprivate",
                              "rrelatime",     "rro",          "rrw",
                              "rshared",       "rslave",       "rstrictatime",
                              "rsuid",         "runbindable",  "rw",
                              "shared",        "silent",       "slave",
                              "strictatime",   "suid",         "sync",
                              "tmpcopyup",     "unbindable",   "nosymfollow",
                              "symfollow",     "rnosymfollow", "rsymfollow",
                              "rnodev"}));
    EXPECT_EQ(on_linux()["capabilities"].size(), 41u);
}

TEST(OciFeatures, EachNamespaceIsTaken) {
    for (const std::string& name : names(on_linux()["namespaces"])) {
        json config = minimal();
        config["linux"]["namespaces"] = json::array({{{"type", name}}});
        if (name != "user") {
            config["linux"].erase("uidMappings");
            config["linux"].erase("gidMappings");
        }
        EXPECT_TRUE(convert(config)) << name;
    }
}

TEST(OciFeatures, EachHookIsTaken) {
    for (const std::string& name : names(promised()["hooks"])) {
        auto config = convert(with("/hooks", R"({")" + name + R"(": [{"path": "/h"}]})"));
        ASSERT_TRUE(config) << name;
        EXPECT_NE(config->spec.hooks, spec::Hooks{}) << name;
    }
    EXPECT_EQ(promised()["hooks"].size(), 6u);
}

TEST(OciFeatures, EachMountOptionIsTaken) { // and OciMounts.EveryOptionDoesSomething
    for (const std::string& name : names(promised()["mountOptions"])) {
        json mount = {
            {"destination", "/m"}, {"type", "tmpfs"}, {"source", "/s"}, {"options", {name}}};
        if (name == "copy-symlink" || name.ends_with("-nofollow"))
            mount["options"] = {"bind", name};
        auto config = convert(with("/mounts", json::array({mount}).dump()));
        ASSERT_TRUE(config) << name << ": " << config.error();
        EXPECT_THAT(config->warnings, IsEmpty()) << name;
        // As data it would have reached the file system.
        const std::set<std::string> own{"async", "dirsync", "lazytime", "mand", "sync"};
        if (!own.contains(name)) {
            EXPECT_THAT(config->spec.root.mounts.at(0).options, IsEmpty()) << name;
        }
    }
}

TEST(OciFeatures, EachCapabilityIsTaken) {
    auto config = convert(
        with("/process/capabilities", json{{"bounding", on_linux()["capabilities"]}}.dump()));
    ASSERT_TRUE(config) << config.error();
    EXPECT_THAT(config->warnings, IsEmpty());
    EXPECT_EQ(config->spec.capabilities.bounding.size(), on_linux()["capabilities"].size());
}

TEST(OciFeatures, EachMemoryPolicyIsTaken) {
    std::set<int> modes;
    for (const std::string& mode : names(on_linux()["memoryPolicy"]["modes"])) {
        json policy = {{"mode", mode}, {"flags", on_linux()["memoryPolicy"]["flags"]}};
        if (mode != "MPOL_DEFAULT" && mode != "MPOL_LOCAL")
            policy["nodes"] = "0";
        auto config = convert(with("/linux/memoryPolicy", policy.dump()));
        ASSERT_TRUE(config) << mode << ": " << config.error();
        modes.insert(config->spec.process.memory_policy->mode);
        EXPECT_EQ(config->spec.process.memory_policy->flags, 7U << 13);
    }
    EXPECT_EQ(modes.size(), 7u);
}

/// The profile, by way of config.json, as the stage reads it on a machine like this one.
sys::Result<stages::seccomp::Profile> compiled(const json& profile) {
    auto config = convert(with("/linux/seccomp", profile.dump()));
    if (!config)
        return sys::wrong(config.error());
    return stages::seccomp::parse_profile(
        config->spec.seccomp.text,
        {.arch = seccomp_arch_native(), .kernel = {6, 1}, .capabilities = {}});
}

json allow_with(const char* key, const json& value) {
    json profile = {{"defaultAction", "SCMP_ACT_ALLOW"}};
    profile[key] = value;
    return profile;
}

TEST(OciFeatures, TheStageTakesEachSeccompAction) {
    for (const std::string& action : names(on_linux()["seccomp"]["actions"])) {
        if (action == "SCMP_ACT_NOTIFY") // needs who listens
            continue;
        json rule = {{"names", {"kill"}}, {"action", action}};
        auto read = compiled(allow_with("syscalls", json::array({rule})));
        EXPECT_TRUE(read) << action << ": " << sys::to_line(read.error());
    }
}

TEST(OciFeatures, TheStageTakesEachSeccompOperator) {
    for (const std::string& op : names(on_linux()["seccomp"]["operators"])) {
        json arg = {{"index", 1}, {"op", op}, {"value", 2}, {"valueTwo", 3}};
        json rule = {{"names", {"kill"}}, {"action", "SCMP_ACT_LOG"}, {"args", {arg}}};
        auto read = compiled(allow_with("syscalls", json::array({rule})));
        EXPECT_TRUE(read) << op << ": " << sys::to_line(read.error());
    }
    EXPECT_EQ(on_linux()["seccomp"]["operators"].size(), 7u);
}

TEST(OciFeatures, TheStageTakesEachSeccompArchitecture) {
    auto all = names(on_linux()["seccomp"]["archs"]);
    EXPECT_THAT(all, IsSupersetOf({"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}));
    for (const std::string& name : all) {
        auto read = compiled(allow_with("architectures", {name}));
        EXPECT_TRUE(read) << name << ": " << sys::to_line(read.error());
    }
}

TEST(OciFeatures, TheStageTakesEachSeccompFlagThatIsSupported) {
    std::set<std::string> supported;
    for (const std::string& flag : names(on_linux()["seccomp"]["supportedFlags"])) {
        supported.insert(flag);
        auto read = compiled(allow_with("flags", {flag}));
        EXPECT_TRUE(read) << flag << ": " << sys::to_line(read.error());
    }
    for (const std::string& flag : names(on_linux()["seccomp"]["knownFlags"]))
        if (!supported.contains(flag)) {
            EXPECT_EQ(said(convert(with("/linux/seccomp", allow_with("flags", {flag}).dump()))),
                      "linux.seccomp.flags[0]: this build can't set it");
        }
}

TEST(OciFeatures, AnnotationsThatDoSomethingAreNamedAsUnsafe) {
    auto unsafe = names(promised()["potentiallyUnsafeConfigAnnotations"]);
    for (const char* name : {"run.oci.keep_original_groups", "org.gocontainer.landlock",
                             "org.systemd.property.CollectMode"})
        EXPECT_TRUE(std::ranges::any_of(unsafe, [&](auto& prefix) {
            return std::string_view(name).starts_with(prefix);
        })) << name;
}

/// `enabled` of features, or nothing of it, and what of config.json it promises.
TEST(OciFeatures, WhatIsEnabledIsTaken) {
    struct Promise {
        const json& enabled;
        const char* pointer;
        const char* value;
    };
    const json& all = on_linux();
    const json& rdt = all["intelRdt"];
    for (const auto& [enabled, pointer, value] : {
             Promise{all["netDevices"]["enabled"], "/linux/netDevices", R"({"eth0": {}})"},
             Promise{rdt["enabled"], "/linux/intelRdt", R"({"closID": "gold"})"},
             Promise{rdt["schemata"], "/linux/intelRdt", R"({"schemata": ["L3:0=f"]})"},
             Promise{rdt["monitoring"], "/linux/intelRdt", R"({"enableMonitoring": true})"},
             Promise{all["apparmor"]["enabled"], "/process/apparmorProfile", R"("p")"},
             Promise{all["selinux"]["enabled"], "/process/selinuxLabel", R"("u:r:t:s0")"},
             Promise{all["selinux"]["enabled"], "/linux/mountLabel", R"("u:r:t:s0")"},
             Promise{all["cgroup"]["rdma"], "/linux/resources",
                     R"({"rdma": {"mlx5_0": {"hcaHandles": 1}}})"},
             Promise{all["mountExtensions"]["idmap"]["enabled"], "/mounts",
                     R"([{"destination": "/d", "source": "/s", "options": ["bind", "idmap"]}])"},
         }) {
        EXPECT_EQ(enabled, true) << pointer;
        auto before = convert(minimal());
        auto config = convert(with(pointer, value));
        ASSERT_TRUE(config) << pointer << ": " << config.error();
        EXPECT_NE(config->spec, before->spec) << pointer << " is read, and nothing comes of it";
    }
    EXPECT_EQ(all["cgroup"]["v1"], false);
    oci::Caller caller;
    caller.systemd_cgroup = true;
    auto unit = convert(with("/linux/cgroupsPath", R"("a.slice:b:c")"), caller);
    ASSERT_TRUE(unit) << unit.error();
    EXPECT_EQ(unit->spec.cgroup.manager, spec::CgroupManager::systemd);
    for (const char* key : {"systemd", "systemdUser", "v2"})
        EXPECT_EQ(all["cgroup"][key], true) << key;
}

// --- spec ----------------------------------------------------------------------------------------

json written(const oci::Template& wanted) {
    std::string text = oci::default_config(wanted);
    EXPECT_TRUE(text.ends_with("}\n"));
    return json::parse(text);
}

TEST(OciTemplate, ConvertsForRoot) {
    auto config = convert(written({}));
    ASSERT_TRUE(config) << config.error();
    EXPECT_THAT(config->warnings, IsEmpty());
    const spec::Spec& spec = config->spec;
    EXPECT_TRUE(spec.stages.has(spec::Stage::net));
    EXPECT_FALSE(spec.stages.has(spec::Stage::user));
    EXPECT_TRUE(spec.root.read_only);
    EXPECT_TRUE(spec.process.terminal);
    EXPECT_FALSE(spec.process.new_privileges);
    EXPECT_THAT(spec.capabilities.permitted,
                ElementsAre("cap_audit_write", "cap_kill", "cap_net_bind_service"));
    EXPECT_EQ(spec.root.mounts.size(), 7u);
    EXPECT_FALSE(spec.cgroup.resources.devices.empty());
}

TEST(OciTemplate, ConvertsForAUser) {
    auto config =
        convert(written({.rootless = true, .uid = 1000, .gid = 100}), {.uid = 1000, .gid = 100});
    ASSERT_TRUE(config) << config.error();
    const spec::Spec& spec = config->spec;
    EXPECT_FALSE(spec.stages.has(spec::Stage::net));
    EXPECT_THAT(spec.user.uids, ElementsAre(spec::IdMap{0, 1000, 1}));
    EXPECT_THAT(spec.user.gids, ElementsAre(spec::IdMap{0, 100, 1}));
    EXPECT_THAT(spec.cgroup.resources.devices, IsEmpty());
    for (const spec::Mount& mount : spec.root.mounts)
        for (const std::string& option : mount.options)
            EXPECT_FALSE(option.starts_with("gid=")) << mount.destination;
    EXPECT_EQ(spec.root.mounts.at(5).type, "bind"); // /sys
}

} // namespace
