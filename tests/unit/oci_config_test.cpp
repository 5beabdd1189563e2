// from_config: the container as a whole, and linux's parts.
#include "tests/unit/oci_config.hpp"

using namespace oci_test;
using spec::Stage;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

// --- what is always so ---------------------------------------------------------------------------

TEST(OciConfig, TheSmallestOneIsAContainerWithEveryNamespace) {
    auto config = convert(minimal());
    ASSERT_TRUE(config) << config.error();
    const spec::Spec& spec = config->spec;
    for (const char* stage :
         {"user", "cgroup", "net", "uts", "ipc", "time", "mount", "pid", "root", "caps"})
        EXPECT_TRUE(spec.stages.has(*spec::stage_named(stage))) << stage;
    for (const char* stage : {"seccomp", "init"})
        EXPECT_FALSE(spec.stages.has(*spec::stage_named(stage))) << stage;
    EXPECT_EQ(spec.name, "id1");
    EXPECT_EQ(spec.naming, spec::Naming::properties);
    EXPECT_EQ(config->version, "1.3.0");
    EXPECT_EQ(config->rootfs, "/bundle/rootfs");
    EXPECT_EQ(spec.root.path, "/bundle/rootfs");
    EXPECT_EQ(spec.root.mode, spec::RootMode::pivot);
    EXPECT_FALSE(spec.root.usual_mounts);
    EXPECT_TRUE(spec.root.mounts.empty());
    EXPECT_TRUE(spec.root.masked.empty()); // only what is listed
    EXPECT_TRUE(spec.root.readonly.empty());
    EXPECT_EQ(spec.net.mode, spec::NetMode::none);
    EXPECT_TRUE(spec.cgroup.own_namespace);
    EXPECT_TRUE(spec.cgroup.resources.devices.empty());
    EXPECT_FALSE(spec.cgroup.delegate);
    EXPECT_TRUE(spec.joins.empty());
    EXPECT_TRUE(spec.uts.as_found);
    EXPECT_TRUE(spec.process.exact_env);
    EXPECT_TRUE(spec.process.new_privileges);
    EXPECT_EQ(spec.process.umask, 022u);
    EXPECT_EQ(spec.process.ids, spec::Ids{});
    EXPECT_TRUE(config->warnings.empty());
}

TEST(OciConfig, WithoutANamespaceItsStageIsOff) {
    const std::pair<const char*, Stage> all[] = {
        {"pid", Stage::pid}, {"network", Stage::net}, {"ipc", Stage::ipc},
        {"uts", Stage::uts}, {"time", Stage::time},
    };
    for (auto [type, stage] : all) {
        auto config = convert(without_namespace(type));
        ASSERT_TRUE(config) << type << ": " << config.error();
        EXPECT_FALSE(config->spec.stages.has(stage)) << type;
    }
    EXPECT_EQ(convert(without_namespace("network"))->spec.net.mode, spec::NetMode::host);
}

TEST(OciConfig, WithoutACgroupNamespaceItsProcessesAreStillFoundByTheirCgroup) {
    auto config = convert(without_namespace("cgroup"));
    ASSERT_TRUE(config) << config.error();
    EXPECT_TRUE(config->spec.stages.has(Stage::cgroup));
    EXPECT_FALSE(config->spec.cgroup.own_namespace);
}

TEST(OciConfig, WithoutAMountNamespaceItIsChrootAndNothingThatMounts) {
    json config = without_namespace("mount");
    auto plain = convert(config);
    ASSERT_TRUE(plain) << plain.error();
    EXPECT_FALSE(plain->spec.stages.has(Stage::mount));
    EXPECT_EQ(plain->spec.root.mode, spec::RootMode::chroot);
    auto refused = [&](const char* pointer, const char* value) {
        json changed = config;
        changed[json::json_pointer(pointer)] = json::parse(value);
        return said(convert(changed));
    };
    EXPECT_THAT(refused("/mounts", R"([{"destination": "/p", "type": "proc"}])"),
                StartsWith("mounts: need a mount namespace"));
    EXPECT_THAT(refused("/root/readonly", "true"), StartsWith("root.readonly: needs a mount"));
    EXPECT_THAT(refused("/linux/maskedPaths", R"(["/proc/kcore"])"),
                StartsWith("linux.maskedPaths: need a mount"));
    EXPECT_THAT(refused("/linux/readonlyPaths", R"(["/proc/sys"])"),
                StartsWith("linux.readonlyPaths: need a mount"));
    EXPECT_THAT(
        refused("/linux/devices", R"([{"path": "/dev/x", "type": "c", "major": 1, "minor": 3}])"),
        StartsWith("linux.devices: need a mount"));
}

TEST(OciConfig, JoinsANamespaceThatHasAPath) {
    json config = minimal();
    for (json& item : config["linux"]["namespaces"])
        item["path"] = "/proc/7/ns/" + item["type"].get<std::string>();
    auto joined = convert(config);
    ASSERT_TRUE(joined) << joined.error();
    EXPECT_THAT(joined->spec.joins, ElementsAre(spec::Join{Stage::pid, "/proc/7/ns/pid"},
                                                spec::Join{Stage::net, "/proc/7/ns/network"},
                                                spec::Join{Stage::ipc, "/proc/7/ns/ipc"},
                                                spec::Join{Stage::uts, "/proc/7/ns/uts"},
                                                spec::Join{Stage::mount, "/proc/7/ns/mount"},
                                                spec::Join{Stage::cgroup, "/proc/7/ns/cgroup"},
                                                spec::Join{Stage::time, "/proc/7/ns/time"},
                                                spec::Join{Stage::user, "/proc/7/ns/user"}));
    for (const spec::Join& join : joined->spec.joins)
        EXPECT_TRUE(joined->spec.stages.has(join.stage));
    EXPECT_FALSE(joined->spec.cgroup.own_namespace);
    // A map of a namespace that has one already: containerd gives it too, or nobody does.
    EXPECT_EQ(joined->spec.user.mapping, spec::Mapping::listed);
    config["linux"].erase("uidMappings");
    config["linux"].erase("gidMappings");
    EXPECT_TRUE(convert(config));
}

// --- who may, and as whom ------------------------------------------------------------------------

TEST(OciConfig, MapsWhatIsListed) {
    auto config = convert(minimal());
    EXPECT_EQ(config->spec.user.mapping, spec::Mapping::listed);
    EXPECT_THAT(config->spec.user.uids, ElementsAre(spec::IdMap{0, 100000, 65536}));
    EXPECT_THAT(config->spec.user.gids, ElementsAre(spec::IdMap{0, 200000, 65536}));
}

TEST(OciConfig, AUserWithoutMapsGetsSubordinateIds) {
    json config = minimal();
    config["linux"].erase("uidMappings");
    config["linux"].erase("gidMappings");
    auto user = convert(config, {.uid = 1000, .gid = 1000});
    ASSERT_TRUE(user) << user.error();
    EXPECT_EQ(user->spec.user, spec::User{});
    EXPECT_THAT(said(convert(config)), StartsWith("linux.uidMappings: is missing"));
}

TEST(OciConfig, AUserGetsAUserNamespace) {
    json config = without_namespace("user");
    config["linux"].erase("uidMappings");
    config["linux"].erase("gidMappings");
    auto root = convert(config);
    ASSERT_TRUE(root) << root.error();
    EXPECT_FALSE(root->spec.stages.has(spec::Stage::user));
    auto user = convert(config, {.uid = 1000});
    ASSERT_TRUE(user) << user.error();
    EXPECT_TRUE(user->spec.stages.has(spec::Stage::user));
    EXPECT_EQ(user->spec.user, spec::User{}); // whose ids are found when it is made
}

TEST(OciConfig, MapsNeedAUserNamespace) {
    json config = without_namespace("user");
    EXPECT_THAT(said(convert(config)), StartsWith("linux.uidMappings: need a user"));
    config["linux"].erase("uidMappings");
    EXPECT_THAT(said(convert(config)), StartsWith("linux.gidMappings: need a user"));
}

TEST(OciConfig, ReadsUpTo340Ranges) {
    json maps = json::array();
    for (int i = 0; i < 340; ++i)
        maps.push_back({{"containerID", i}, {"hostID", 1000 + i}, {"size", 1}});
    EXPECT_TRUE(convert(with("/linux/uidMappings", maps.dump())));
    maps.push_back({{"containerID", 340}, {"hostID", 5000}, {"size", 1}});
    EXPECT_THAT(said(convert(with("/linux/uidMappings", maps.dump()))),
                StartsWith("linux.uidMappings: more than 340"));
}

// --- what goes where -----------------------------------------------------------------------------

const Right kRight[] = {
    {"/ociVersion", R"("1.0.2-dev")", [](auto&) { return true; }},
    {"/ociVersion", R"("1.99.3+x")", [](auto&) { return true; }},
    {"/root/path", R"("/a/./b//c/")", [](auto& s) { return s.root.path == "/a/b/c"; }},
    {"/root/path", R"("../x")", [](auto& s) { return s.root.path == "/bundle/../x"; }},
    {"/root/readonly", "true", [](auto& s) { return s.root.read_only; }},
    {"/root/readonly", "null", [](auto& s) { return !s.root.read_only; }},
    {"/hostname", R"("h")", [](auto& s) { return s.uts.hostname == "h"; }},
    {"/domainname", R"("d")", [](auto& s) { return s.uts.domainname == "d"; }},
    {"/linux/cgroupsPath", R"("/a/./b//")", [](auto& s) { return s.cgroup.path == "/a/b"; }},
    {"/linux/cgroupsPath", R"("a/b")", [](auto& s) { return s.cgroup.path == "a/b"; }},
    {"/linux/cgroupsPath", R"("a:b:c")", [](auto& s) { return s.cgroup.path == "a:b:c"; }},
    {"/linux/rootfsPropagation", R"("rslave")",
     [](auto& s) { return s.root.propagation == "slave"; }},
    {"/linux/rootfsPropagation", R"("shared")",
     [](auto& s) { return s.root.propagation == "shared"; }},
    {"/linux/rootfsPropagation", R"("")", [](auto& s) { return s.root.propagation.empty(); }},
    {"/linux/maskedPaths", R"(["/proc/kcore", "/proc/kcore"])",
     [](auto& s) { return s.root.masked == std::vector<std::string>{"/proc/kcore"}; }},
    {"/linux/readonlyPaths", R"(["//."])",
     [](auto& s) { return s.root.read_only && s.root.readonly.empty(); }},
    {"/linux/readonlyPaths", R"(["/proc/sys"])",
     [](auto& s) { return s.root.readonly == std::vector<std::string>{"/proc/sys"}; }},
    {"/linux/mountLabel", R"("l")", [](auto& s) { return s.root.mount_label == "l"; }},
    {"/linux/devices", R"([{"path": "/dev/a//f/", "type": "p"}])",
     [](auto& s) { return s.root.devices.at(0).path == "/dev/a/f"; }},
    {"/linux/devices",
     R"([{"path": "/dev/f", "type": "b", "major": 1, "minor": 2, "fileMode": 8630, "uid": 3,
          "gid": 4}, {"path": "/p", "type": "p"}, {"path": "/u", "type": "u", "major": 5,
          "minor": 6}])",
     [](auto& s) {
         return s.root.devices == std::vector<spec::Device>{{"/dev/f", 'b', 1, 2, 0666, 3, 4},
                                                            {"/p", 'p', 0, 0, 0666, 0, 0},
                                                            {"/u", 'u', 5, 6, 0666, 0, 0}};
     }},
    {"/linux/sysctl", R"({"net.ipv4.conf.eth0/5.rp_filter": "1", "kernel.shmmax": "2",
                          "fs.mqueue.msg_max": "3", "kernel/domainname": "d",
                          "net/ipv4/conf/eth0.5/forwarding": "4", "user.max_ipc_namespaces": "5"})",
     [](auto& s) {
         return s.sysctl == std::vector<std::pair<std::string, std::string>>{
                                {"fs/mqueue/msg_max", "3"},
                                {"kernel/shmmax", "2"},
                                {"kernel/domainname", "d"},
                                {"net/ipv4/conf/eth0.5/rp_filter", "1"},
                                {"net/ipv4/conf/eth0.5/forwarding", "4"},
                                {"user/max_ipc_namespaces", "5"}};
     }},
    {"/linux/netDevices", R"({"eth1": {"name": "e-1"}, "eth2": {}})",
     [](auto& s) {
         return s.net_devices == std::vector<spec::NetDevice>{{"eth1", "e-1"}, {"eth2", ""}};
     }},
    {"/linux/intelRdt", R"({"closID": "c", "schemata": ["L2:0=f"], "memBwSchema": "MB:0=5",
                            "l3CacheSchema": "L3:0=f", "enableMonitoring": true})",
     [](auto& s) {
         return s.rdt == spec::IntelRdt{"c", true, {"L3:0=f", "MB:0=5", "L2:0=f"}, true};
     }},
    {"/linux/intelRdt", R"({"enableCMT": true, "enableMBM": false})",
     [](auto& s) { return s.rdt->monitoring; }},
    {"/linux/intelRdt", R"({"enableMBM": true})", [](auto& s) { return s.rdt->monitoring; }},
    {"/linux/intelRdt", R"({"enableCMT": false})", [](auto& s) { return !s.rdt->monitoring; }},
    {"/linux/intelRdt", R"({})", [](auto& s) { return s.rdt == spec::IntelRdt{}; }},
    {"/linux/intelRdt", R"({"closID": "/"})", [](auto& s) { return s.rdt->group == "/"; }},
    {"/linux/memoryPolicy",
     R"({"mode": "MPOL_BIND", "nodes": "0-1, 3", "flags": ["MPOL_F_STATIC_NODES"]})",
     [](auto& s) { return s.process.memory_policy == spec::MemoryPolicy{2, 1U << 15, "0-1,3"}; }},
    {"/linux/memoryPolicy", R"({"mode": "MPOL_PREFERRED"})",
     [](auto& s) { return s.process.memory_policy == spec::MemoryPolicy{1, 0, ""}; }},
    {"/linux/personality", R"({"domain": "LINUX32"})",
     [](auto& s) { return s.process.personality == 8u; }},
    {"/linux/personality", R"({"domain": "LINUX", "flags": []})",
     [](auto& s) { return s.process.personality == 0u; }},
    {"/linux/timeOffsets",
     R"({"boottime": {"secs": -5, "nanosecs": 7}, "monotonic": {"nanosecs": 8}})",
     [](auto& s) { return s.time == spec::TimeOffsets{-5, 0, 7, 8}; }},
    {"/hooks", R"({"prestart": [{"path": "/h", "args": ["h", "x"], "env": ["A=1"], "timeout": 5},
                   {"path": "/i"}], "createRuntime": [{"path": "/a"}],
                   "createContainer": [{"path": "/b"}], "startContainer": [{"path": "/c"}],
                   "poststart": [{"path": "/d"}], "poststop": [{"path": "/e"}]})",
     [](auto& s) {
         auto only = [](const char* path) { return std::vector{spec::Hook{path, {}, {}, {}}}; };
         return s.hooks == spec::Hooks{{{"/h", {"h", "x"}, {"A=1"}, 5}, {"/i", {}, {}, {}}},
                                       only("/a"),
                                       only("/b"),
                                       only("/c"),
                                       only("/d"),
                                       only("/e"),
                                       "",
                                       ""};
     }},
    // What is not ours, or nobody's, is nobody's business.
    {"/windows", "5", [](auto&) { return true; }},
    {"/vm", R"({"hypervisor": 1})", [](auto&) { return true; }},
    {"/nobody", "[]", [](auto&) { return true; }},
    {"/linux/nobody", "[]", [](auto&) { return true; }},
    {"/mounts", "null", [](auto& s) { return s.root.mounts.empty(); }},
    {"/linux/namespaces/0/path", R"("")", [](auto& s) { return s.joins.empty(); }},
};

TEST(OciConfig, PutsEachPropertyWhereItBelongs) {
    for (const Right& right : kRight)
        expect_right(right);
}

const Wrong kWrong[] = {
    {"/ociVersion", "null", "ociVersion: is missing"},
    {"/ociVersion", "1", "ociVersion: a number where a string belongs"},
    {"/ociVersion", R"("0.9.0")", "ociVersion: \"0.9.0\": this runtime speaks version 1"},
    {"/ociVersion", R"("2.0.0")", "ociVersion: \"2.0.0\": this runtime speaks version 1"},
    {"/ociVersion", R"("1.2")", "ociVersion: \"1.2\" is not a version"},
    {"/ociVersion", R"("1.2.x")", "ociVersion: \"1.2.x\" is not a version"},
    {"/ociVersion", R"("")", "ociVersion: \"\" is not a version"},
    {"/ociVersion", R"("1.2.0 ")", "ociVersion: \"1.2.0 \" is not a version"},
    {"/root", "null", "root: is missing"},
    {"/root", "[]", "root: a list where an object belongs"},
    {"/root/path", "null", "root.path: is missing"},
    {"/root/path", R"("")", "root.path: is empty"},
    {"/root/path", R"("a\u0000b")", "root.path: has a null byte in it"},
    {"/root/readonly", "1", "root.readonly: a number where true or false belongs"},
    {"/process", "5", "process: a number where an object belongs"},
    {"/linux", "[]", "linux: a list where an object belongs"},
    {"/mounts", "{}", "mounts: an object where a list belongs"},
    {"/hostname", "{}", "hostname: an object where a string belongs"},
    {"/hostname", R"("12345678901234567890123456789012345678901234567890123456789012345")",
     "hostname: has more than 64"},
    {"/domainname", "5", "domainname: a number where"},
    {"/linux/namespaces", "{}", "linux.namespaces: an object where a list belongs"},
    {"/linux/namespaces/0", "5", "linux.namespaces[0]: a number where an object belongs"},
    {"/linux/namespaces/0", "{}", "linux.namespaces[0].type: is missing"},
    {"/linux/namespaces/0/type", R"("net")",
     "linux.namespaces[0].type: \"net\" is not a namespace: one of cgroup ipc mount network"},
    {"/linux/namespaces/1/type", R"("pid")", "linux.namespaces[1].type: this namespace is there"},
    {"/linux/namespaces/0/path", "5", "linux.namespaces[0].path: a number where"},
    {"/linux/namespaces/0/path", R"("ns/pid")",
     "linux.namespaces[0].path: \"ns/pid\": must be absolute"},
    {"/linux/uidMappings/0/size", "0", "linux.uidMappings[0].size: 0: must be from 1"},
    {"/linux/uidMappings/0/size", "4294967296", "linux.uidMappings[0].size: 4294967296: must be"},
    {"/linux/uidMappings/0/size", "4294967295", "linux.uidMappings[0]: ids end"},
    {"/linux/uidMappings/0/hostID", "-1", "linux.uidMappings[0].hostID: -1: must be from 0"},
    {"/linux/uidMappings/0/hostID", "1.0", "linux.uidMappings[0].hostID: a number where a whole"},
    {"/linux/uidMappings/0/hostID", "null", "linux.uidMappings[0].hostID: is missing"},
    {"/linux/uidMappings/0/containerID", "1", "linux.uidMappings: must map id 0"},
    {"/linux/gidMappings", "[]", "linux.gidMappings: must map id 0"},
    {"/linux/uidMappings",
     R"([{"containerID": 0, "hostID": 5, "size": 2}, {"containerID": 1, "hostID": 9, "size": 1}])",
     "linux.uidMappings: two ranges overlap"},
    {"/linux/gidMappings",
     R"([{"containerID": 0, "hostID": 5, "size": 2}, {"containerID": 7, "hostID": 6, "size": 1}])",
     "linux.gidMappings: two ranges overlap"},
    {"/linux/cgroupsPath", "5", "linux.cgroupsPath: a number where"},
    {"/linux/cgroupsPath", R"("/")", "linux.cgroupsPath: \"/\" is the hierarchy's root"},
    {"/linux/cgroupsPath", R"("/a/../../b")", "linux.cgroupsPath: \"/a/../../b\": must not go up"},
    {"/linux/rootfsPropagation", R"("up")", "linux.rootfsPropagation: \"up\" is not a propagation"},
    {"/linux/rootfsPropagation", "5", "linux.rootfsPropagation: a number where"},
    {"/linux/maskedPaths", R"(["proc"])", "linux.maskedPaths: \"proc\": must be absolute"},
    {"/linux/maskedPaths", R"(["/a", "//."])", "linux.maskedPaths: \"/\": without its root"},
    {"/linux/maskedPaths", R"(["/a", 5])", "linux.maskedPaths[1]: a number where a string"},
    {"/linux/maskedPaths", R"([null])", "linux.maskedPaths[0]: null where a string"},
    {"/linux/readonlyPaths", R"([""])", "linux.readonlyPaths: \"\": must be absolute"},
    {"/linux/mountLabel", "5", "linux.mountLabel: a number where"},
    {"/linux/devices", R"([5])", "linux.devices[0]: a number where an object"},
    {"/linux/devices", R"([{"type": "p"}])", "linux.devices[0].path: is missing"},
    {"/linux/devices", R"([{"type": "p", "path": "x"}])", "linux.devices[0].path: \"x\": must be"},
    {"/linux/devices", R"([{"type": "p", "path": "/dev/../x"}])",
     "linux.devices[0].path: \"/dev/../x\": must not go up"},
    {"/linux/devices", R"([{"path": "/x"}])", "linux.devices[0].type: is missing"},
    {"/linux/devices", R"([{"path": "/x", "type": "d"}])", "linux.devices[0].type: \"d\" is not"},
    {"/linux/devices", R"([{"path": "/x", "type": "c"}])", "linux.devices[0].major: is missing"},
    {"/linux/devices", R"([{"path": "/x", "type": "c", "major": 1, "minor": -1}])",
     "linux.devices[0].minor: -1: must be from 0"},
    {"/linux/devices", R"([{"path": "/x", "type": "p", "fileMode": "0666"}])",
     "linux.devices[0].fileMode: a string where a whole number"},
    {"/linux/sysctl", R"({"kernel.pid_max": "1"})",
     R"(linux.sysctl["kernel.pid_max"]: is in no namespace)"},
    {"/linux/sysctl", R"({"kernel.hostname": "1"})",
     R"(linux.sysctl["kernel.hostname"]: is what hostname is for)"},
    {"/linux/sysctl", R"({"net/../kernel/core_pattern": "1"})",
     R"(linux.sysctl["net/../kernel/core_pattern"]: is not the name)"},
    {"/linux/sysctl", R"({"net//x": "1"})", R"(linux.sysctl["net//x"]: is not the name)"},
    {"/linux/sysctl", R"({"": "1"})", R"(linux.sysctl[""]: is not the name)"},
    {"/linux/sysctl", R"({"net.ipv4.ip_forward": 1})",
     R"(linux.sysctl["net.ipv4.ip_forward"]: a number where a string)"},
    {"/linux/netDevices", R"({"a/b": {}})", R"(linux.netDevices["a/b"]: is not the name)"},
    {"/linux/netDevices", R"({"eth0": {"name": "0123456789abcdef"}})",
     "linux.netDevices.eth0.name: \"0123456789abcdef\" is not the name"},
    {"/linux/netDevices", R"({"eth0": {"name": "e%d"}})",
     "linux.netDevices.eth0.name: \"e%d\" is not the name"},
    {"/linux/netDevices", R"({"eth0": {"name": "."}})",
     "linux.netDevices.eth0.name: \".\" is not the name"},
    {"/linux/netDevices", R"({"eth0": {"name": "a\rb"}})", "linux.netDevices.eth0.name: \"a"},
    {"/linux/netDevices", R"({"..": {}})", R"(linux.netDevices[".."]: is not the name)"},
    {"/linux/netDevices", R"({"eth0": {"name": "e:1"}})",
     "linux.netDevices.eth0.name: \"e:1\" is not the name"},
    {"/linux/netDevices", R"({"eth0": 5})", "linux.netDevices.eth0: a number where an object"},
    {"/linux/intelRdt", R"({"closID": "a/b"})", "linux.intelRdt.closID: \"a/b\" is not"},
    {"/linux/intelRdt", R"({"closID": ".."})", "linux.intelRdt.closID: \"..\" is not"},
    {"/linux/intelRdt", R"({"memBwSchema": "L3:0=f"})", "linux.intelRdt.memBwSchema: \"L3:0=f\""},
    {"/linux/intelRdt", R"({"schemata": ["L3:0=f\nMB:0=1"]})",
     "linux.intelRdt.schemata[0]: is more than one line"},
    {"/linux/intelRdt", R"({"enableMonitoring": 1})", "linux.intelRdt.enableMonitoring: a number"},
    {"/linux/memoryPolicy", R"({})", "linux.memoryPolicy.mode: is missing"},
    {"/linux/memoryPolicy", R"({"mode": "MPOL_X"})", "linux.memoryPolicy.mode: \"MPOL_X\" is not"},
    {"/linux/memoryPolicy", R"({"mode": "MPOL_BIND"})",
     "linux.memoryPolicy.nodes: this mode needs"},
    {"/linux/memoryPolicy", R"({"mode": "MPOL_LOCAL", "nodes": "0"})",
     "linux.memoryPolicy.nodes: \"0\": this mode has none"},
    {"/linux/memoryPolicy", R"({"mode": "MPOL_BIND", "nodes": "3-1"})",
     "linux.memoryPolicy.nodes: \"3-1\" is not a list"},
    {"/linux/memoryPolicy", R"({"mode": "MPOL_BIND", "nodes": "0", "flags": ["x"]})",
     "linux.memoryPolicy.flags[0]: \"x\" is not a flag"},
    {"/linux/personality", R"({})", "linux.personality.domain: is missing"},
    {"/linux/personality", R"({"domain": "BSD"})", "linux.personality.domain: \"BSD\" is not"},
    {"/linux/personality", R"({"domain": "LINUX", "flags": ["x"]})",
     "linux.personality.flags[0]: the specification knows no"},
    {"/linux/timeOffsets", R"({"realtime": {}})", "linux.timeOffsets.realtime: is no clock"},
    {"/linux/timeOffsets", R"({"boottime": {"nanosecs": 1000000000}})",
     "linux.timeOffsets.boottime.nanosecs: 1000000000: must be"},
    {"/linux/timeOffsets", R"({"boottime": 5})", "linux.timeOffsets.boottime: a number where"},
    {"/hooks", "[]", "hooks: a list where"},
    {"/hooks", R"({"prestart": {}})", "hooks.prestart: an object where a list"},
    {"/hooks", R"({"poststop": [{}]})", "hooks.poststop[0].path: is missing"},
    {"/hooks", R"({"poststop": [{"path": "x"}]})", "hooks.poststop[0].path: \"x\": must be"},
    {"/hooks", R"({"poststop": [{"path": "/x", "timeout": 0}]})",
     "hooks.poststop[0].timeout: 0: must be from 1"},
    {"/hooks", R"({"poststop": [{"path": "/x", "env": [1]}]})",
     "hooks.poststop[0].env[0]: a number where a string"},
    {"/annotations", "[]", "annotations: a list where"},
    {"/annotations", R"({"a.b": 1})", R"(annotations["a.b"]: a number where a string)"},
};

TEST(OciConfig, NamesThePathOfWhatIsWrong) {
    for (const Wrong& wrong : kWrong)
        expect_wrong(wrong);
}

TEST(OciConfig, WhatIsNoObjectIsNoConfig) {
    EXPECT_EQ(said(convert(json())), "the document: is missing");
    EXPECT_EQ(said(convert(json::array())), "the document: a list where an object belongs");
}

TEST(OciConfig, ChangesNothingOfTheHosts) {
    const std::pair<const char*, std::pair<const char*, const char*>> needs[] = {
        {"uts", {"/hostname", R"("h")"}},
        {"uts", {"/domainname", R"("h")"}},
        {"uts", {"/linux/sysctl", R"({"kernel.domainname": "1"})"}},
        {"ipc", {"/linux/sysctl", R"({"kernel.shmmax": "1"})"}},
        {"ipc", {"/linux/sysctl", R"({"fs.mqueue.msg_max": "1"})"}},
        {"network", {"/linux/sysctl", R"({"net.core.somaxconn": "1"})"}},
        {"network", {"/linux/netDevices", R"({"eth1": {}})"}},
        {"time", {"/linux/timeOffsets", R"({"boottime": {"secs": 1}})"}},
    };
    for (const auto& [type, change] : needs) {
        json config = without_namespace(type);
        config[json::json_pointer(change.first)] = json::parse(change.second);
        EXPECT_THAT(said(convert(config)),
                    HasSubstr(std::string(type) + " namespace in linux.namespaces"))
            << change.first;
    }
    json config = without_namespace("user");
    config["linux"].erase("uidMappings");
    config["linux"].erase("gidMappings");
    config["linux"]["sysctl"] = {{"user.max_net_namespaces", "1"}};
    EXPECT_THAT(said(convert(config)), HasSubstr("user namespace"));
}

TEST(OciConfig, HasOneDomainName) {
    nlohmann::json config = with("/domainname", R"("a.example")");
    config["linux"]["sysctl"] = {{"kernel.domainname", "b.example"}};
    EXPECT_EQ(said(convert(config)),
              R"(linux.sysctl["kernel.domainname"]: "b.example" is not what domainname says)");
    config["linux"]["sysctl"] = {{"kernel.domainname", "a.example"}};
    EXPECT_EQ(said(convert(config)), "accepted");
}

TEST(OciConfig, GivesNoOffsetsToATimeNamespaceOfSomebodyElse) {
    json config = with("/linux/timeOffsets", R"({"boottime": {"secs": 1}})");
    for (json& item : config["linux"]["namespaces"])
        if (item["type"] == "time")
            item["path"] = "/proc/1/ns/time";
    EXPECT_THAT(said(convert(config)), StartsWith("linux.timeOffsets: are for"));
}

// --- cgroups -------------------------------------------------------------------------------------

TEST(OciConfig, AsksSystemdForAUnit) {
    json config = with("/linux/cgroupsPath", R"("system.slice:docker:x")");
    auto unit = convert(config, {.systemd_cgroup = true});
    ASSERT_TRUE(unit) << unit.error();
    EXPECT_EQ(unit->spec.cgroup.manager, spec::CgroupManager::systemd);
    EXPECT_EQ(unit->spec.cgroup.path, "system.slice:docker:x");
    EXPECT_EQ(convert(minimal(), {.systemd_cgroup = true})->spec.cgroup.path, ":gocontainer:id1");
    for (const char* wrong : {"\"/a/b\"", "\"a:b\"", "\"a:b:c:d\"", "\"a:b:\""})
        EXPECT_THAT(said(convert(with("/linux/cgroupsPath", wrong), {.systemd_cgroup = true})),
                    HasSubstr("SLICE:PREFIX:NAME"))
            << wrong;
}

TEST(OciConfig, HandsOverTheCgroupThatIsMountedForWriting) {
    const char* writable = R"([{"destination": "/sys/fs/cgroup/", "type": "cgroup",
                                "source": "cgroup", "options": ["nosuid"]}])";
    json config = with("/mounts", writable);
    EXPECT_TRUE(convert(config)->spec.cgroup.delegate);
    config["mounts"][0]["options"] = {"nosuid", "ro"};
    EXPECT_FALSE(convert(config)->spec.cgroup.delegate);
    config = without_namespace("cgroup");
    config["mounts"] = json::parse(writable);
    EXPECT_FALSE(convert(config)->spec.cgroup.delegate);
}

// --- annotations ---------------------------------------------------------------------------------

TEST(OciConfig, ReadsAnnotations) {
    json config = with("/annotations", R"({"run.oci.keep_original_groups": "1",
        "run.oci.hooks.stdout": "/o", "run.oci.hooks.stderr": "/e",
        "run.oci.mount_context_type": "rootcontext", "run.oci.systemd.subgroup": "s",
        "run.oci.delegate-cgroup": "d", "org.systemd.property.CollectMode": "'inactive'",
        "org.systemd.property.TimeoutStopSec": "uint64 5",
        "org.systemd.property.RuntimeMaxSec": "0.5", "other": "x"})");
    auto read = convert(config, {.systemd_cgroup = true});
    ASSERT_TRUE(read) << read.error();
    const spec::Spec& spec = read->spec;
    EXPECT_TRUE(spec.process.ids->keep_groups);
    EXPECT_EQ(spec.hooks.stdout_file, "/o");
    EXPECT_EQ(spec.hooks.stderr_file, "/e");
    EXPECT_EQ(spec.root.mount_label_type, "rootcontext");
    EXPECT_EQ(spec.cgroup.subgroup, "s");
    EXPECT_EQ(spec.cgroup.payload, "d");
    EXPECT_THAT(spec.cgroup.properties,
                ElementsAre(std::pair("CollectMode", "'inactive'"),
                            std::pair("RuntimeMaxUSec", "uint64 500000"),
                            std::pair("TimeoutStopUSec", "uint64 5000000")));
    EXPECT_EQ(read->annotations.size(), 10u);
    EXPECT_EQ(read->annotations.at("other"), "x");
    // systemd's are nobody's when it isn't asked.
    EXPECT_TRUE(convert(config)->spec.cgroup.properties.empty());
    EXPECT_TRUE(convert(config)->spec.cgroup.subgroup.empty());
}

TEST(OciConfig, RefusesAnnotationsThatItKnowsAndThatAreWrong) {
    const std::pair<const char*, const char*> wrong[] = {
        {"run.oci.handler", "krun"},
        {"run.oci.mount_context_type", "x"},
        {"run.oci.systemd.subgroup", "a/b"},
        {"run.oci.delegate-cgroup", ".."},
        {"org.systemd.property.X", "1"},
        {"org.systemd.property.A b", "1"},
        {"org.systemd.property.TimeoutStopSec", "'five'"},
        {"org.systemd.property.TimeoutStopSec", "-1"},
        {"org.gocontainer.landlock", "{"},
        {"org.gocontainer.landlock", "5"},
        {"org.gocontainer.landlock", "{}"},
        {"org.gocontainer.landlock", R"({"handled": []})"},
        {"org.gocontainer.landlock", R"({"handled": ["fly"]})"},
        {"org.gocontainer.landlock", R"({"handled": ["truncate"], "rules": [{}]})"},
        {"org.gocontainer.landlock",
         R"({"handled": ["truncate"], "rules": [{"paths": [], "access": ["truncate"]}]})"},
        {"org.gocontainer.landlock",
         R"({"handled": ["truncate"], "rules": [{"paths": ["a"], "access": ["truncate"]}]})"},
        {"org.gocontainer.landlock",
         R"({"handled": ["truncate"], "rules": [{"paths": ["/a"], "access": ["refer"]}]})"},
    };
    for (auto [key, value] : wrong) {
        json config = minimal();
        config["annotations"] = {{key, value}};
        EXPECT_THAT(said(convert(config, {.systemd_cgroup = true})),
                    StartsWith("annotations[\"" + std::string(key) + "\"]: "))
            << value;
    }
}

TEST(OciConfig, ReadsLandlock) {
    json config = minimal();
    config["annotations"] = {{"org.gocontainer.landlock",
                              R"({"handled": ["execute", "write_file", "ioctl_dev"],
             "rules": [{"paths": ["/bin", "/lib"], "access": ["execute"]},
                       {"paths": ["/tmp"], "access": ["write_file"]}]})"}};
    auto read = convert(config);
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->spec.process.landlock,
              (spec::Landlock{0x8003, {{{"/bin", "/lib"}, 1}, {{"/tmp"}, 2}}}));
}

TEST(OciConfig, ReadsHooksAlone) {
    auto hooks =
        oci::hooks_from(json::parse(R"({"root": 5, "hooks": {"poststop": [{"path": "/p"}]}})"));
    ASSERT_TRUE(hooks) << hooks.error();
    EXPECT_THAT(hooks->poststop, ElementsAre(spec::Hook{"/p", {}, {}, {}}));
    EXPECT_FALSE(oci::hooks_from(json::parse(R"({"hooks": 5})")));
    EXPECT_TRUE(oci::hooks_from(json::parse("{}")));
}

TEST(OciConfig, TakesAnOldConfigsZeroPidsForNoLimit) {
    for (auto [version, limit] :
         {std::pair("1.0.2-dev", false), {"1.2.1", false}, {"1.3.0", true}}) {
        nlohmann::json config = oci_test::minimal();
        config["ociVersion"] = version;
        config["linux"]["resources"]["pids"]["limit"] = 0;
        auto read = oci_test::convert(config);
        ASSERT_TRUE(read) << read.error();
        EXPECT_EQ(read->spec.cgroup.resources.pids.has_value(), limit) << version;
    }
}

} // namespace
