// from_config and from_resources: linux.resources and linux.seccomp.
#include "tests/unit/oci_config.hpp"

using namespace oci_test;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

namespace {

#define R(path) "/linux/resources/" path

const Right kRight[] = {
    {R("memory"), R"({"limit": 100, "swap": 300, "reservation": 50, "checkBeforeUpdate": true,
                      "disableOOMKiller": false, "useHierarchy": true})",
     [](auto& s) {
         const spec::Resources& r = s.cgroup.resources;
         return r.memory == 100 && r.memory_swap == 300 && r.memory_reservation == 50 &&
                r.check_before_update;
     }},
    {R("memory"), R"({"limit": 0, "swap": 0, "reservation": 0, "kernel": 0})",
     [](auto& s) { return s.cgroup.resources == spec::Resources{}; }},
    {R("memory"), R"({"limit": -1, "reservation": -1})",
     [](auto& s) {
         const spec::Resources& r = s.cgroup.resources;
         return r.memory == -1 && r.memory_swap == -1 && r.memory_reservation == -1;
     }},
    {R("memory"), R"({"limit": 100, "swap": -1})",
     [](auto& s) { return s.cgroup.resources.memory_swap == -1; }},
    {R("memory"), R"({"swap": -1})", [](auto& s) { return s.cgroup.resources.memory_swap == -1; }},
    {R("memory"), R"({"limit": 100, "swap": 100})",
     [](auto& s) { return s.cgroup.resources.memory_swap == 100; }},
    {R("cpu"), R"({"quota": 50000, "period": 100000, "burst": 0, "idle": 1, "cpus": "0-3",
                   "mems": "0", "realtimePeriod": 0, "realtimeRuntime": 0})",
     [](auto& s) {
         const spec::Resources& r = s.cgroup.resources;
         return r.cpu_quota == 50000 && r.cpu_period == 100000u && r.cpu_burst == 0u &&
                r.cpu_idle == 1 && r.cpuset == "0-3" && r.cpuset_mems == "0";
     }},
    {R("cpu"), R"({"quota": -1})", [](auto& s) { return s.cgroup.resources.cpu_quota == -1; }},
    {R("cpu"), R"({"quota": 0, "period": 0, "shares": 0, "cpus": "", "mems": ""})",
     [](auto& s) { return s.cgroup.resources == spec::Resources{}; }},
    {R("pids"), R"({"limit": 5})", [](auto& s) { return s.cgroup.resources.pids == 5; }},
    {R("pids"), R"({"limit": -1})", [](auto& s) { return s.cgroup.resources.pids == -1; }},
    {R("pids"), R"({})", [](auto& s) { return !s.cgroup.resources.pids; }},
    {R("blockIO"), R"({"weight": 10, "leafWeight": 0, "weightDevice":
                       [{"major": 8, "minor": 0, "weight": 1000}, {"major": 8, "minor": 16}]})",
     [](auto& s) {
         const spec::Resources& r = s.cgroup.resources;
         return r.io_weight == 1u && r.io_bfq_weight == 10u &&
                r.io_weights == std::vector<spec::IoWeight>{{"8:0", 10000, 1000}};
     }},
    {R("blockIO/weight"), "500", [](auto& s) { return s.cgroup.resources.io_weight == 4950u; }},
    {R("blockIO/weight"), "0", [](auto& s) { return !s.cgroup.resources.io_weight; }},
    {R("blockIO"), R"({"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                       "throttleWriteBpsDevice": [{"major": 8, "minor": 1, "rate": 2}],
                       "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
                       "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 4},
                                                   {"major": 9, "minor": 0, "rate": 0}]})",
     [](auto& s) {
         return s.cgroup.resources.io_max ==
                std::vector<spec::IoMax>{
                    {"8:0", 1, 0, 3, 4}, {"8:1", 0, 2, 0, 0}, {"9:0", 0, 0, 0, spec::kNoRate}};
     }},
    {R("hugepageLimits"), R"([{"pageSize": "2MB", "limit": 18446744073709551615},
                              {"pageSize": "64KB", "limit": 0}])",
     [](auto& s) {
         return s.cgroup.resources.hugetlb ==
                std::vector<spec::HugetlbLimit>{{"2MB", UINT64_MAX}, {"64KB", 0}};
     }},
    {R("rdma"), R"({"mlx5_1": {"hcaHandles": 3, "hcaObjects": 0}, "mlx4_0": {}})",
     [](auto& s) {
         return s.cgroup.resources.rdma ==
                std::vector<spec::RdmaLimit>{{"mlx4_0", {}, {}}, {"mlx5_1", 3, 0}};
     }},
    {R("unified"), R"({"memory.high": "max", "a.b": ""})",
     [](auto& s) {
         return s.cgroup.resources.unified == std::vector<std::pair<std::string, std::string>>{
                                                  {"a.b", ""}, {"memory.high", "max"}};
     }},
    {R("network"), R"({"classID": 0, "priorities": []})", [](auto&) { return true; }},
};

TEST(OciResources, PutsEachPropertyWhereItBelongs) {
    for (const Right& right : kRight)
        expect_right(right);
}

const Wrong kWrong[] = {
    {"/linux/resources", "[]", "linux.resources: a list where an object"},
    {R("memory"), "5", "linux.resources.memory: a number where an object"},
    {R("memory/limit"), R"("5")", "linux.resources.memory.limit: a string where a whole number"},
    {R("memory/limit"), "-2", "linux.resources.memory.limit: -2: must be from -1"},
    {R("memory/limit"), "1e3", "linux.resources.memory.limit: a number where a whole number"},
    {R("memory/limit"), "9223372036854775808", "linux.resources.memory.limit: 92233720368547"},
    {R("memory/reservation"), "true", "linux.resources.memory.reservation: true or false where"},
    {R("memory"), R"({"swap": 5})",
     "linux.resources.memory.swap: is the sum of memory and swap, so it needs"},
    {R("memory"), R"({"limit": 6, "swap": 5})", "linux.resources.memory.swap: is the sum"},
    {R("memory"), R"({"limit": -1, "swap": 5})", "linux.resources.memory.swap: is the sum"},
    {R("memory"), R"({"swappiness": 60})", "linux.resources.memory.swappiness: cgroup v2 has"},
    {R("memory"), R"({"swappiness": 101})", "linux.resources.memory.swappiness: 101: must"},
    {R("memory"), R"({"disableOOMKiller": true})", "linux.resources.memory.disableOOMKiller: cg"},
    {R("memory"), R"({"checkBeforeUpdate": 1})", "linux.resources.memory.checkBeforeUpdate: a"},
    {R("cpu"), "[]", "linux.resources.cpu: a list where an object"},
    {R("cpu/shares"), "-1", "linux.resources.cpu.shares: -1: must be from 0"},
    {R("cpu/quota"), "999", "linux.resources.cpu.quota: must be at least 1000"},
    {R("cpu/quota"), "-2", "linux.resources.cpu.quota: -2: must be from -1"},
    {R("cpu/period"), "999", "linux.resources.cpu.period: must be from 1000"},
    {R("cpu/period"), "1000001", "linux.resources.cpu.period: must be from 1000"},
    {R("cpu/burst"), "-1", "linux.resources.cpu.burst: -1"},
    {R("cpu/idle"), "2", "linux.resources.cpu.idle: 2: must be from 0 to 1"},
    {R("cpu/cpus"), R"("0-")", "linux.resources.cpu.cpus: \"0-\" is not a list"},
    {R("cpu/mems"), "0", "linux.resources.cpu.mems: a number where a string"},
    {R("cpu/realtimeRuntime"), "1", "linux.resources.cpu.realtimeRuntime: cgroup v2 has"},
    {R("cpu/realtimePeriod"), "1", "linux.resources.cpu.realtimePeriod: cgroup v2 has"},
    {R("pids"), "5", "linux.resources.pids: a number where an object"},
    {R("pids/limit"), R"("5")", "linux.resources.pids.limit: a string where"},
    {R("pids/limit"), "-2", "linux.resources.pids.limit: -2"},
    {R("blockIO/weight"), "9", "linux.resources.blockIO.weight: 9: must be from 10"},
    {R("blockIO/weight"), "1001", "linux.resources.blockIO.weight: 1001: must be from 10"},
    {R("blockIO/weight"), "65536", "linux.resources.blockIO.weight: 65536"},
    {R("blockIO/leafWeight"), "10", "linux.resources.blockIO.leafWeight: cgroup v2 has"},
    {R("blockIO/weightDevice"), R"([{"minor": 0, "weight": 10}])",
     "linux.resources.blockIO.weightDevice[0].major: is missing"},
    {R("blockIO/throttleReadBpsDevice"), R"([{"major": 1, "minor": 0, "rate": -1}])",
     "linux.resources.blockIO.throttleReadBpsDevice[0].rate: -1"},
    {R("hugepageLimits"), R"([{"limit": 0}])",
     "linux.resources.hugepageLimits[0].pageSize: is missing"},
    {R("hugepageLimits"), R"([{"pageSize": "02MB", "limit": 0}])",
     "linux.resources.hugepageLimits[0].pageSize: \"02MB\" is not a size"},
    {R("hugepageLimits"), R"([{"pageSize": "2M", "limit": 0}])",
     "linux.resources.hugepageLimits[0].pageSize: \"2M\" is not a size"},
    {R("hugepageLimits"), R"([{"pageSize": "2MB"}])",
     "linux.resources.hugepageLimits[0].limit: is missing"},
    {R("rdma"), R"({"m": {"hcaHandles": -1}})", "linux.resources.rdma.m.hcaHandles: -1"},
    {R("rdma"), R"({"m": 5})", "linux.resources.rdma.m: a number where an object"},
    {R("unified"), R"({"a/b": "1"})", R"(linux.resources.unified["a/b"]: is not the name)"},
    {R("unified"), R"({"": "1"})", R"(linux.resources.unified[""]: is not the name)"},
    {R("unified"), R"({"..": "1"})", R"(linux.resources.unified[".."]: is not the name)"},
    {R("unified"), R"({"memory.high": 1})", R"(linux.resources.unified["memory.high"]: a number)"},
    {R("network/classID"), "1", "linux.resources.network.classID: cgroup v2 has"},
    {R("network/priorities"), R"([{"name": "e", "priority": 1}])",
     "linux.resources.network.priorities[0]: cgroup v2 has"},
    {R("devices"), R"([{"access": "rwm"}])", "linux.resources.devices[0].allow: is missing"},
    {R("devices"), R"([{"allow": true}])", "linux.resources.devices[0].access: is missing"},
    {R("devices"), R"([{"allow": true, "access": "x"}])",
     "linux.resources.devices[0].access: \"x\" is not made of"},
    {R("devices"), R"([{"allow": true, "access": ""}])",
     "linux.resources.devices[0].access: \"\" is not made of"},
    {R("devices"), R"([{"allow": true, "access": "r", "type": "d"}])",
     "linux.resources.devices[0].type: \"d\" is not"},
    {R("devices"), R"([{"allow": true, "access": "r", "major": -2}])",
     "linux.resources.devices[0].major: -2"},
};

TEST(OciResources, NamesThePathOfWhatIsWrong) {
    for (const Wrong& wrong : kWrong)
        expect_wrong(wrong);
}

TEST(OciResources, SharesBecomeAWeight) {
    // y = 10^((log2(x)^2 + 125 log2(x)) / 612 - 7/34), rounded up: runc 1.3.2, crun 1.23.
    const std::pair<int, std::uint64_t> shares[] = {
        {1, 1},      {2, 1},      {3, 2},         {10, 4},         {512, 59},      {1000, 99},
        {1024, 100}, {2048, 174}, {131072, 5478}, {262144, 10000}, {300000, 10000}};
    for (auto [value, weight] : shares)
        EXPECT_EQ(
            convert(with(R("cpu/shares"), std::to_string(value)))->spec.cgroup.resources.cpu_weight,
            weight)
            << value;
}

TEST(OciResources, NoProcessesAtAllAreALimitSinceVersion13) {
    json config = with(R("pids/limit"), "0");
    for (auto [version, limit] :
         {std::pair{"1.0.2-dev", std::optional<std::int64_t>{}}, {"1.2.1", {}}, {"1.3.0", 1}}) {
        config["ociVersion"] = version;
        EXPECT_EQ(convert(config)->spec.cgroup.resources.pids, limit) << version;
    }
}

TEST(OciResources, IgnoresTheKernelMemoryThatNoKernelLimits) {
    auto config = convert(with(R("memory/kernel"), "5"));
    ASSERT_TRUE(config) << config.error();
    EXPECT_THAT(config->warnings, ElementsAre(StartsWith("linux.resources.memory.kernel: is ign")));
}

// --- devices -------------------------------------------------------------------------------------

TEST(OciResources, RulesForDevicesKeepTheirOrderAndGetTheUsualOnes) {
    auto config = convert(with(R("devices"), R"([{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": -1, "access": "rw"},
        {"allow": true, "type": "b", "major": 8, "minor": 0, "access": "r"}])"));
    ASSERT_TRUE(config) << config.error();
    const auto& rules = config->spec.cgroup.resources.devices;
    ASSERT_EQ(rules.size(), 3u + 11);
    EXPECT_EQ(rules[0], (spec::DeviceRule{false, 'a', {}, {}, "rwm"}));
    EXPECT_EQ(rules[1], (spec::DeviceRule{true, 'c', 1, {}, "rw"}));
    EXPECT_EQ(rules[2], (spec::DeviceRule{true, 'b', 8, 0, "r"}));
    EXPECT_EQ(rules[3], (spec::DeviceRule{true, 'c', {}, {}, "m"}));
    EXPECT_EQ(rules[4], (spec::DeviceRule{true, 'b', {}, {}, "m"}));
    EXPECT_EQ(rules.back(), (spec::DeviceRule{true, 'c', 10, 200, "rwm"}));
    EXPECT_THAT(rules, Contains(spec::DeviceRule{true, 'c', 1, 3, "rwm"}));
}

TEST(OciResources, ANodeOfTheBundlesOwnTakesTheUsualOnesPlace) {
    json config = with(R("devices"), R"([{"allow": false, "access": "rwm"}])");
    config["linux"]["devices"] = json::parse(R"([{"path": "/dev/tty", "type": "c", "major": 4,
                                                  "minor": 1}])");
    auto read = convert(config);
    ASSERT_TRUE(read) << read.error();
    EXPECT_THAT(read->spec.cgroup.resources.devices,
                testing::Not(Contains(spec::DeviceRule{true, 'c', 5, 0, "rwm"})));
}

TEST(OciResources, NoRulesAreNoFilter) {
    EXPECT_THAT(convert(with(R("devices"), "[]"))->spec.cgroup.resources.devices, IsEmpty());
}

// --- update --------------------------------------------------------------------------------------

TEST(OciUpdate, ReadsWhatIsGiven) {
    auto update = oci::from_resources(json::parse(R"({"memory": {"limit": 5, "swap": 7},
        "pids": {"limit": 0}, "devices": null})"));
    ASSERT_TRUE(update) << update.error();
    EXPECT_FALSE(update->empty);
    EXPECT_FALSE(update->replaces_devices);
    EXPECT_EQ(update->resources.memory, 5);
    EXPECT_EQ(update->resources.memory_swap, 7);
    EXPECT_EQ(update->resources.pids, 1);
}

TEST(OciUpdate, ZerosAskForNothing) {
    // What Docker sends for `docker update --cpus 1`, without the one.
    auto update = oci::from_resources(json::parse(R"({"blockIO": {"weight": 0}, "cpu": {"shares": 0,
        "quota": 0, "period": 0, "cpus": "", "mems": ""}, "memory": {"limit": 0, "reservation": 0,
        "swap": 0, "kernel": 0}})"));
    ASSERT_TRUE(update) << update.error();
    EXPECT_TRUE(update->empty);
    EXPECT_TRUE(oci::from_resources(json::object())->empty);
}

TEST(OciUpdate, TheLimitThatSwapIsAddedToMayBeThereAlready) {
    EXPECT_EQ(oci::from_resources(json::parse(R"({"memory": {"swap": 7}})"))->resources.memory_swap,
              7);
}

TEST(OciUpdate, ReplacesTheDevices) {
    auto update =
        oci::from_resources(json::parse(R"({"devices": [{"allow": false, "access": "rwm"}]})"));
    ASSERT_TRUE(update) << update.error();
    EXPECT_TRUE(update->replaces_devices);
    EXPECT_EQ(update->resources.devices.size(), 12u);
}

TEST(OciUpdate, NamesThePathOfWhatIsWrong) {
    auto wrong = [](const char* text) { return oci::from_resources(json::parse(text)).error(); };
    EXPECT_THAT(wrong("[]"), StartsWith("the document: a list where"));
    EXPECT_THAT(wrong("null"), StartsWith("the document: is missing"));
    EXPECT_THAT(wrong(R"({"memory": {"limit": "5"}})"), StartsWith("memory.limit: a string"));
}

// --- seccomp -------------------------------------------------------------------------------------

json seccomp(const char* text) {
    return with("/linux/seccomp", text);
}

TEST(OciSeccomp, IsHandedOnAsText) {
    const char* profile = R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/l", "listenerMetadata": "m",
        "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_NOTIFY"},
                     {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 5,
                      "value": 18446744073709551615, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
                     {"names": ["open"], "action": "SCMP_ACT_TRACE", "errnoRet": 5}]})";
    auto config = convert(seccomp(profile));
    ASSERT_TRUE(config) << config.error();
    const spec::Seccomp& read = config->spec.seccomp;
    EXPECT_TRUE(config->spec.stages.has(spec::Stage::seccomp));
    EXPECT_EQ(read.mode, spec::SeccompMode::text);
    EXPECT_EQ(json::parse(read.text), json::parse(profile));
    EXPECT_EQ(read.listener_path, "/l");
    EXPECT_EQ(read.listener_metadata, "m");
}

TEST(OciSeccomp, UnknownPropertiesAreLeftOut) {
    auto config = convert(seccomp(R"({"defaultAction": "SCMP_ACT_ALLOW", "x": 1, "syscalls":
        [{"names": ["kill"], "action": "SCMP_ACT_LOG", "y": 2, "args":
          [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ", "z": 3}]}]})"));
    ASSERT_TRUE(config) << config.error();
    EXPECT_EQ(json::parse(config->spec.seccomp.text),
              json::parse(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
                  [{"names": ["kill"], "action": "SCMP_ACT_LOG", "args":
                    [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]})"));
}

TEST(OciSeccomp, AnEmptyObjectIsNoFilter) {
    auto config = convert(seccomp("{}"));
    ASSERT_TRUE(config) << config.error();
    EXPECT_FALSE(config->spec.stages.has(spec::Stage::seccomp));
}

struct WrongProfile {
    const char* change; ///< of a profile that is right, merged into it
    const char* message;
};
const WrongProfile kWrongProfiles[] = {
    {R"({"defaultAction": "ALLOW"})", "defaultAction: \"ALLOW\" is not an action"},
    {R"({"defaultAction": 5})", "defaultAction: a number where"},
    {R"({"defaultAction": null, "syscalls": [{}]})", "defaultAction: is missing"},
    {R"({"defaultAction": "SCMP_ACT_NOTIFY"})", "defaultAction: SCMP_ACT_NOTIFY would wait"},
    {R"({"defaultErrnoRet": 5})", "defaultErrnoRet: only SCMP_ACT_ERRNO"},
    {R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096})", "defaultErrnoRet: 4096"},
    {R"({"architectures": ["amd64"]})", "architectures[0]: \"amd64\" is not an architecture"},
    {R"({"architectures": "x"})", "architectures: a string where a list"},
    {R"({"flags": ["LOG"]})", "flags[0]: \"LOG\" is not a flag"},
    {R"({"listenerPath": 5})", "listenerPath: a number"},
    {R"({"listenerMetadata": "m"})", "listenerMetadata: needs listenerPath"},
    {R"({"syscalls": {}})", "syscalls: an object where a list"},
    {R"({"syscalls": [5]})", "syscalls[0]: a number where an object"},
    {R"({"syscalls": [{"action": "SCMP_ACT_LOG"}]})", "syscalls[0].names: is missing"},
    {R"({"syscalls": [{"names": [], "action": "SCMP_ACT_LOG"}]})", "syscalls[0].names: is empty"},
    {R"({"syscalls": [{"names": [""], "action": "SCMP_ACT_LOG"}]})", "syscalls[0].names: an empty"},
    {R"({"syscalls": [{"names": ["a"]}]})", "syscalls[0].action: is missing"},
    {R"({"syscalls": [{"names": ["a"], "action": "SCMP_ACT_NOTIFY"}]})",
     "listenerPath: is missing, and SCMP_ACT_NOTIFY"},
    {R"({"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "errnoRet": 1}]})",
     "syscalls[0].errnoRet: only SCMP_ACT_ERRNO"},
    {R"({"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"value": 1, "op":
         "SCMP_CMP_EQ"}]}]})",
     "syscalls[0].args[0].index: is missing"},
    {R"({"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 1,
         "op": "SCMP_CMP_EQ"}]}]})",
     "syscalls[0].args[0].index: 6: must be from 0 to 5"},
    {R"({"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1,
         "op": "EQ"}]}]})",
     "syscalls[0].args[0].op: \"EQ\" is not an operator"},
};

TEST(OciSeccomp, NamesThePathOfWhatIsWrong) {
    EXPECT_EQ(said(convert(with("/linux/seccomp", "[]"))),
              "linux.seccomp: a list where an object belongs");
    for (const WrongProfile& wrong : kWrongProfiles) {
        json config = seccomp(R"({"defaultAction": "SCMP_ACT_ALLOW"})");
        config["linux"]["seccomp"].update(json::parse(wrong.change));
        EXPECT_THAT(said(convert(config)),
                    StartsWith("linux.seccomp." + std::string(wrong.message)))
            << wrong.change;
    }
}

} // namespace
