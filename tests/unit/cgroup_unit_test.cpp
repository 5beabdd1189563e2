// A leaf that systemd manages: what it is asked, in its own terms, and what it gets to hear at the
// end.
#include "stages/cgroup_ops.hpp"
#include "stages/cgroup_unit.hpp"
#include "stages/systemd.hpp"
#include "sys/path.hpp"
#include "tests/unit/fake_cgroups.hpp"
#include "tests/unit/fake_systemd.hpp"

#include <gmock/gmock.h>

#include <sys/wait.h>

#include <csignal>
#include <memory>

namespace {

namespace cgroup = stages::cgroup;
using stages::Systemd;
using sys::dbus::Message;
using sys::dbus::Reader;
using test::error_to;
using test::FakeCgroups;
using test::FakeSystemd;
using test::job_removed;
using test::reply_to;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr auto kProperties = spec::Naming::properties;
const std::string kSlice = "/sys/fs/cgroup/system.slice";
const std::string kScope = kSlice + "/docker-x.scope";

TEST(CgroupUnit, HasThreeParts) {
    auto unit = cgroup::parse_unit("system.slice:docker:abc", kProperties);
    ASSERT_TRUE(unit);
    EXPECT_EQ(unit->slice, "system.slice");
    EXPECT_EQ(unit->name, "docker-abc.scope");
    EXPECT_EQ(cgroup::parse_unit("-:p:n", kProperties)->slice, "-.slice");
    EXPECT_EQ(cgroup::parse_unit("a.slice:p:a-n.slice", kProperties)->name, "a-n.slice");
    EXPECT_EQ(cgroup::parse_unit("::n", kProperties)->name, "n.scope");
    EXPECT_EQ(cgroup::parse_unit("::n", kProperties)->slice,
              cgroup::rootless() ? "user.slice" : "system.slice");
    for (const char* wrong :
         {"/a/b", "a:b", "a.slice:b:c:d", "a:b:c", "a/b.slice:c:d", "a.slice:b:", "a.slice:b:c/d",
          "a.slice:b/c:d", "a.slice:b:-.slice"}) {
        auto refused = cgroup::parse_unit(wrong, kProperties);
        ASSERT_FALSE(refused) << wrong;
        EXPECT_THAT(sys::to_line(refused.error()),
                    StartsWith("linux.cgroupsPath \"" + std::string(wrong) + "\": "));
    }
}

TEST(CgroupUnit, LimitsAreProperties) {
    spec::Resources all{
        .memory = 100,
        .memory_swap = 150,
        .memory_reservation = -1,
        .cpu_quota = 12345,
        .cpu_period = 100000,
        .cpu_weight = 7,
        .cpuset = "0-2,9",
        .cpuset_mems = "1",
        .pids = 0,
        .io_weight = 50,
        .io_weights = {{.device = "8:0", .weight = 60}},
        .io_max = {{.device = "8:0", .rbps = 1, .wiops = 2}, {.device = "/dev/sdb", .rbps = 3}},
        .unified = {{"memory.high", "80"},
                    {"memory.min", "max"},
                    {"io.max", "x"},
                    {"cpuset.cpus", "0"},
                    {"cpu.max", "50000 200000"}}};
    auto properties = cgroup::properties_of(all);
    ASSERT_TRUE(properties);
    constexpr std::uint64_t infinity = ~std::uint64_t{0};
    std::vector<std::pair<std::string, Systemd::Value>> got;
    for (const auto& [name, value] : *properties)
        got.emplace_back(name, value);
    std::vector<std::pair<std::string, Systemd::Value>> wanted = {
        {"MemoryMax", std::uint64_t{100}},
        {"MemorySwapMax", std::uint64_t{50}},
        {"MemoryLow", infinity},
        {"CPUWeight", std::uint64_t{7}},
        {"AllowedMemoryNodes", Systemd::Bytes{0b00000010}},
        {"TasksMax", std::uint64_t{1}},
        {"IOWeight", std::uint64_t{50}},
        {"IODeviceWeight", Systemd::Pairs{{"/dev/block/8:0", 60}}},
        {"IOReadBandwidthMax", Systemd::Pairs{{"/dev/block/8:0", 1}, {"/dev/sdb", 3}}},
        {"IOWriteIOPSMax", Systemd::Pairs{{"/dev/block/8:0", 2}}},
        {"MemoryHigh", std::uint64_t{80}},
        {"MemoryMin", infinity},
        {"AllowedCPUs", Systemd::Bytes{0b00000001}}, // what is said last, and alone
        {"CPUQuotaPerSecUSec", std::uint64_t{250000}},
        {"CPUQuotaPeriodUSec", std::uint64_t{200000}}};
    EXPECT_EQ(got, wanted);
}

TEST(CgroupUnit, TimeAndWeightAreWhole) {
    auto said = [](const spec::Resources& wanted) {
        std::string out;
        const Systemd::Properties properties = cgroup::properties_of(wanted).value();
        for (const auto& [name, value] : properties)
            out += name + "=" + std::to_string(std::get<std::uint64_t>(value)) + " ";
        return out;
    };
    const std::string infinity = std::to_string(~std::uint64_t{0});
    EXPECT_EQ(said({.cpu_quota = 12345, .cpu_period = 100000}),
              "CPUQuotaPerSecUSec=130000 CPUQuotaPeriodUSec=100000 "); // whole percents, rounded up
    EXPECT_EQ(said({.cpu_period = 5000}),
              "CPUQuotaPerSecUSec=" + infinity + " CPUQuotaPeriodUSec=5000 ");
    EXPECT_EQ(said({.unified = {{"cpu.max", "max"}}}),
              "CPUQuotaPerSecUSec=" + infinity + " CPUQuotaPeriodUSec=100000 ");
    EXPECT_EQ(said({.cpu_idle = 1, .cpu_weight = 7, .unified = {{"cpu.weight", "8"}}}), "");
    EXPECT_EQ(said({.unified = {{"cpu.idle", "1"}}}), "");
    EXPECT_EQ(said({.cpu_idle = 0}), "CPUWeight=100 ");
    EXPECT_EQ(said({.cpu_idle = 0, .cpu_weight = 7}), "CPUWeight=7 ");
    EXPECT_EQ(said({.unified = {{"pids.max", "0"}}}), "TasksMax=1 ");
    for (auto [text, bytes] : {std::pair{"50M", "52428800"},
                               {"3k\n", "3072"},
                               {" 7 ", "7"},
                               {"0", "0"},
                               {"99999999E", infinity.c_str()}})
        EXPECT_EQ(said({.unified = {{"memory.high", text}}}),
                  "MemoryHigh=" + std::string(bytes) + " ")
            << "as the kernel reads it";
    for (const char* text : {"0x10", "010", "", "x", "5MB", "5x"})
        EXPECT_EQ(said({.unified = {{"memory.high", text}}}), "") << text;
}

TEST(CgroupUnit, ValuesAreReadAsGVariantWritesThem) {
    auto value = [](const char* text) { return Systemd::parse(text).value(); };
    EXPECT_EQ(value("true"), Systemd::Value(true));
    EXPECT_EQ(value(" boolean false "), Systemd::Value(false));
    EXPECT_EQ(value("5"), Systemd::Value(std::int32_t{5}));
    EXPECT_EQ(value("-5"), Systemd::Value(std::int32_t{-5}));
    EXPECT_EQ(value("uint64 18446744073709551615"), Systemd::Value(~std::uint64_t{0}));
    EXPECT_EQ(value("@t 0x10"), Systemd::Value(std::uint64_t{16}));
    EXPECT_EQ(value("uint32 7"), Systemd::Value(std::uint32_t{7}));
    EXPECT_EQ(value("int64 -7"), Systemd::Value(std::int64_t{-7}));
    EXPECT_EQ(value("1.5"), Systemd::Value(1.5));
    EXPECT_EQ(value("'it\\'s'"), Systemd::Value(std::string("it's")));
    EXPECT_EQ(value("\"a b\""), Systemd::Value(std::string("a b")));
    EXPECT_EQ(value("['a', 'b']"), Systemd::Value(Systemd::Strings{"a", "b"}));
    EXPECT_EQ(value("@as []"), Systemd::Value(Systemd::Strings{}));
    for (const char* wrong : {"", "uint64", "uint64 -1", "uint32 4294967296", "'open", "['a'", "a",
                              "true true", "[5]", "boolean 5", "0x"})
        EXPECT_FALSE(Systemd::parse(wrong)) << wrong;
}

/// systemd as process 1, and a child that waits in the cgroup of who started it.
struct Booted : FakeCgroups {
    spec::Spec spec;
    std::unique_ptr<stages::Ledger> ledger = std::make_unique<stages::Ledger>();
    std::vector<std::string> asked;
    Message start;
    stages::Launch launch{.spec = spec, .ledger = ledger.get()};
    Booted() {
        put("/run/systemd/system/there", "");
        mount("/sys/fs/cgroup", "cpu memory pids");
        put("/sys/fs/cgroup/cgroup.subtree_control", "cpu memory pids");
        cgroup(kSlice);
        put(kSlice + "/cgroup.subtree_control", "cpu memory pids");
        put("/proc/self/cgroup", "0::/system.slice/containerd.service\n");
        spec.name = "x";
        spec.naming = kProperties;
        spec.cgroup.manager = spec::CgroupManager::systemd;
        spec.cgroup.path = "system.slice:docker:x";
        launch.child = 4711;
        launch.keep = [] { return sys::Result<void>(); };
    }
    std::string run() {
        auto prepared = stages::cgroup::prepare(launch);
        EXPECT_FALSE(launch.leaf.valid());
        auto done = prepared ? stages::cgroup::parent(launch) : prepared;
        return done ? "" : sys::to_line(done.error());
    }
    /// What a systemd does that is on good terms with us.
    std::string serve(const Message& call) {
        std::string what = Reader(call.body).string().value_or("");
        asked.push_back(call.member + " " + what);
        if (call.member == "StartTransientUnit") {
            start = call;
            cgroup(kScope, "4711\n");
            put("/proc/4711/cgroup", "0::/system.slice/docker-x.scope\n");
        }
        if (call.member == "StartTransientUnit" || call.member == "StopUnit")
            return reply_to(call, "/job/7") + job_removed("/job/7", "done");
        return reply_to(call, "");
    }
};

TEST(CgroupUnit, IsStartedAroundTheChildAndStoppedAfterIt) {
    Booted host;
    FakeSystemd systemd([&](const Message& call) { return host.serve(call); });
    host.spec.cgroup.resources = {.memory = 1 << 20, .pids = 5};
    host.spec.cgroup.properties = {{"TimeoutStopUSec", "uint64 9"}, {"TasksMax", "uint64 99"}};
    EXPECT_EQ(host.run(), "");
    EXPECT_EQ(host.ledger->leaf, kScope);
    EXPECT_STREQ(host.ledger->unit, "docker-x.scope");
    EXPECT_TRUE(host.launch.leaf.valid());
    EXPECT_THAT(host.calls, ElementsAre("write " + kScope + "/memory.max=1048576",
                                        "write " + kScope + "/pids.max=5"));
    EXPECT_THAT(host.start.body, HasSubstr("TimeoutStopUSec"));
    EXPECT_THAT(host.start.body, HasSubstr("CollectMode"));
    EXPECT_EQ(host.start.body.find("TasksMax"), host.start.body.rfind("TasksMax"))
        << "what an annotation says is instead of ours";

    stages::cgroup::undo(*host.ledger);
    EXPECT_FALSE(host.has(kScope));
    EXPECT_TRUE(host.has(kSlice));
    EXPECT_THAT(host.asked,
                ElementsAre("StartTransientUnit docker-x.scope", "StopUnit docker-x.scope",
                            "ResetFailedUnit docker-x.scope"));
    EXPECT_STREQ(host.ledger->unit, "");
}

TEST(CgroupUnit, CanHaveTheLeafInASubgroup) {
    Booted host;
    FakeSystemd systemd([&](const Message& call) { return host.serve(call); });
    host.spec.cgroup.subgroup = "container";
    EXPECT_EQ(host.run(), "");
    EXPECT_EQ(host.ledger->leaf, kScope + "/container");
    EXPECT_THAT(host.calls, ElementsAre("mkdirat " + kScope + "/container",
                                        "write " + kScope + "/container/cgroup.procs=4711"));
    host.put(kScope + "/cgroup.procs", ""); // as it is once the child has moved on
    stages::cgroup::undo(*host.ledger);
    EXPECT_FALSE(host.has(kScope));
}

// systemd takes no processes into a slice: the child is put there beside it.
TEST(CgroupUnit, CanBeASlice) {
    Booted host;
    std::string slice = "/sys/fs/cgroup/a.slice/a-b.slice";
    FakeSystemd systemd([&](const Message& call) {
        std::string answer = host.serve(call);
        if (call.member == "StartTransientUnit") {
            host.cgroup("/sys/fs/cgroup/a.slice");
            host.cgroup(slice);
            host.put("/proc/4711/cgroup", "0::/a.slice/a-b.slice\n");
        }
        return answer;
    });
    host.spec.cgroup.path = "a.slice:ignored:a-b.slice";
    if (cgroup::rootless()) {
        EXPECT_THAT(host.run(), HasSubstr("does not tell where the user's systemd"));
        return;
    }
    EXPECT_EQ(host.run(), "");
    EXPECT_EQ(host.ledger->leaf, slice);
    EXPECT_STREQ(host.ledger->unit, "a-b.slice");
    EXPECT_THAT(host.calls, ElementsAre("write " + slice + "/cgroup.procs=4711"));
    EXPECT_THAT(host.start.body, HasSubstr("Wants"));
    EXPECT_THAT(host.start.body, Not(HasSubstr("PIDs")));
}

TEST(CgroupUnit, AFailedOneOfTheNameIsForgottenFirst) {
    Booted host;
    int times = 0;
    FakeSystemd systemd([&](const Message& call) {
        if (call.member != "StartTransientUnit" || ++times > 1)
            return host.serve(call);
        return error_to(call, "org.freedesktop.systemd1.UnitExists", "it has failed");
    });
    EXPECT_EQ(host.run(), "");
    EXPECT_THAT(host.asked,
                ElementsAre("ResetFailedUnit docker-x.scope", "StartTransientUnit docker-x.scope"));
}

TEST(CgroupUnit, OneThatRunsIsAnErrorAndLeftAlone) {
    Booted host;
    FakeSystemd systemd([&](const Message& call) {
        if (call.member != "StartTransientUnit")
            return host.serve(call);
        return error_to(call, "org.freedesktop.systemd1.UnitExists", "it runs");
    });
    EXPECT_THAT(host.run(), StartsWith("linux.cgroupsPath: systemd has a unit \"docker-x.scope\" "
                                       "already: org.freedesktop.systemd1.UnitExists: it runs"));
    host.asked.clear();
    stages::cgroup::undo(*host.ledger);
    EXPECT_THAT(host.asked, ElementsAre());
}

TEST(CgroupUnit, WhatIsWrongIsToldBeforeThereIsAChild) {
    Booted host;
    host.spec.cgroup.properties = {{"TimeoutStopUSec", "soon"}};
    auto refused = stages::cgroup::prepare(host.launch);
    ASSERT_FALSE(refused);
    EXPECT_THAT(sys::to_line(refused.error()),
                StartsWith("org.systemd.property.TimeoutStopUSec: \"soon\" is no value"));
    test::fs::remove_all(host.top() + "/run/systemd");
    host.spec.cgroup.properties.clear();
    refused = stages::cgroup::prepare(host.launch);
    ASSERT_FALSE(refused);
    EXPECT_THAT(sys::to_line(refused.error()),
                HasSubstr("systemd is not what this host booted with: leave out --systemd-cgroup"));
}

TEST(CgroupUnit, TakesAProcessThatCannotBeBornInIt) {
    Booted host;
    Message call_got;
    FakeSystemd systemd([&](const Message& call) {
        call_got = call;
        return host.serve(call);
    });
    EXPECT_TRUE(cgroup::can_enter(kScope));
    host.answer("faccessat", "\"" + kSlice + "/cgroup.procs\"", EACCES);
    EXPECT_FALSE(cgroup::can_enter(kScope));
    ASSERT_TRUE(cgroup::attach("docker-x.scope", kScope + "/container", 4712));
    EXPECT_THAT(host.asked, ElementsAre("AttachProcessesToUnit docker-x.scope"));
    EXPECT_EQ(call_got.signature, "ssau");
    EXPECT_THAT(call_got.body, HasSubstr("/container"));
    EXPECT_FALSE(cgroup::attach("other.scope", kScope, 4712));
}

TEST(CgroupUnit, IsToldOfNewLimitsToo) {
    Booted host;
    FakeSystemd systemd([&](const Message& call) {
        host.calls.push_back(call.member);
        return host.serve(call);
    });
    host.cgroup(kScope);
    auto done =
        stages::cgroup::update(kScope, {.resources = {.memory = 77}, .unit = "docker-x.scope"});
    ASSERT_TRUE(done) << sys::to_line(done.error());
    EXPECT_THAT(host.calls, ElementsAre("write " + kScope + "/memory.max=77", "SetUnitProperties",
                                        "write " + kScope + "/memory.max=77"));
}

// --- on a real one -------------------------------------------------------------------------------

/// Where systemd is process 1, as it is in a lane of tests/vm.
class SystemdUnit : public ::testing::Test {
protected:
    void SetUp() override {
        if (!Systemd::booted() || !Systemd::connect())
            GTEST_SKIP() << "host lacks a systemd that this user may ask for units";
        spec.name = "unit-" + std::to_string(::getpid());
        spec.naming = kProperties;
        spec.cgroup.manager = spec::CgroupManager::systemd;
        spec.cgroup.path = ":test:" + spec.name;
        launch.keep = [] { return sys::Result<void>(); };
        launch.say = [](const std::string&) {};
    }
    void TearDown() override { end(); }
    /// "" or the error as one line.
    std::string run() {
        launch.child = ::fork();
        if (launch.child == 0)
            for (;;)
                ::pause();
        auto prepared = stages::cgroup::prepare(launch);
        auto done = prepared ? stages::cgroup::parent(launch) : prepared;
        return done ? "" : sys::to_line(done.error());
    }
    void end() {
        stages::cgroup::undo(*ledger);
        if (launch.child > 0) {
            ::kill(launch.child, SIGKILL);
            ::waitpid(launch.child, nullptr, 0);
        }
        launch.child = 0;
    }
    std::string file(const std::string& name) const {
        return sys::read_file(std::string(ledger->leaf) + "/" + name).value_or("");
    }
    spec::Spec spec;
    std::unique_ptr<stages::Ledger> ledger = std::make_unique<stages::Ledger>();
    stages::Launch launch{.spec = spec, .ledger = ledger.get()};
};

TEST_F(SystemdUnit, HoldsTheChildAndGoesWithIt) {
    spec.cgroup.resources = {.memory = 64 << 20, .pids = 20};
    spec.cgroup.properties = {{"TimeoutStopUSec", "uint64 5000000"}};
    for (int times = 0; times < 3; ++times) { // the name is free again at once
        ASSERT_EQ(run(), "");
        std::string leaf = ledger->leaf;
        EXPECT_TRUE(leaf.ends_with("/test-" + spec.name + ".scope")) << leaf;
        EXPECT_EQ(file("cgroup.procs"), std::to_string(launch.child) + "\n");
        EXPECT_EQ(file("memory.max"), "67108864\n");
        EXPECT_EQ(file("pids.max"), "20\n");
        end();
        EXPECT_FALSE(sys::exists(leaf));
    }
}

TEST_F(SystemdUnit, TakesNewLimits) {
    ASSERT_EQ(run(), "");
    auto done = stages::cgroup::update(
        ledger->leaf, {.resources = {.memory = 32 << 20, .pids = 7}, .unit = ledger->unit});
    ASSERT_TRUE(done) << sys::to_line(done.error());
    EXPECT_EQ(file("memory.max"), "33554432\n");
    EXPECT_EQ(file("pids.max"), "7\n");
}

TEST_F(SystemdUnit, KnowsWhatItWouldWriteAgain) {
    auto has = [&](const char* file) {
        return sys::exists(std::string(ledger->leaf) + "/" + file);
    };
    auto known = [&](const std::string& property) {
        std::string manager = ::geteuid() == 0 ? "" : "--user ";
        std::string command = "systemctl " + manager + "show --value -p " + property + " " +
                              std::string(ledger->unit);
        FILE* out = ::popen(command.c_str(), "r");
        char line[64] = {};
        EXPECT_NE(::fgets(line, sizeof line, out), nullptr) << command;
        EXPECT_EQ(::pclose(out), 0) << command;
        return std::string(line);
    };
    spec.cgroup.resources.unified = {{"cpu.idle", "1"}, {"cpu.max", "50000 200000"}};
    ASSERT_EQ(run(), "");
    if (!has("cpu.idle"))
        GTEST_SKIP() << "host lacks cpu.idle";
    EXPECT_EQ(known("CPUWeight"), "idle\n"); // as systemctl writes 0
    EXPECT_EQ(known("CPUQuotaPerSecUSec"), "250ms\n");
    ASSERT_EQ(
        ::system(::geteuid() == 0 ? "systemctl daemon-reload" : "systemctl --user daemon-reload"),
        0);
    EXPECT_EQ(file("cpu.idle"), "1\n");
    EXPECT_EQ(file("cpu.max"), "50000 200000\n");
    auto done = stages::cgroup::update(
        ledger->leaf, {.resources = {.cpu_period = 100000, .cpu_idle = 0}, .unit = ledger->unit});
    ASSERT_TRUE(done) << sys::to_line(done.error());
    EXPECT_EQ(known("CPUWeight"), "100\n");
    EXPECT_EQ(known("CPUQuotaPerSecUSec"), "500ms\n");
    EXPECT_EQ(file("cpu.max"), "50000 100000\n");
    EXPECT_EQ(file("cpu.idle"), "0\n");
}

TEST_F(SystemdUnit, IsIdleWhateverItsWeight) {
    spec.cgroup.resources = {.cpu_idle = 1, .cpu_weight = 70};
    ASSERT_EQ(run(), "");
    EXPECT_EQ(file("cpu.idle"), "1\n");
    auto again = stages::cgroup::update(ledger->leaf,
                                        {.resources = spec.cgroup.resources, .unit = ledger->unit});
    EXPECT_TRUE(again) << sys::to_line(again.error());
}

TEST_F(SystemdUnit, TakesAnotherProcess) {
    ASSERT_EQ(run(), "");
    pid_t other = ::fork();
    if (other == 0)
        for (;;)
            ::pause();
    auto attached = cgroup::attach(ledger->unit, ledger->leaf, other);
    EXPECT_TRUE(attached) << sys::to_line(attached.error());
    // By their numbers, which may begin anew between the two.
    EXPECT_THAT(*cgroup::processes(ledger->leaf), UnorderedElementsAre(launch.child, other));
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
}

TEST_F(SystemdUnit, CanHaveASubgroup) {
    spec.cgroup.subgroup = "container";
    spec.cgroup.resources = {.pids = 20};
    ASSERT_EQ(run(), "");
    std::string leaf = ledger->leaf;
    EXPECT_TRUE(leaf.ends_with(".scope/container")) << leaf;
    EXPECT_EQ(file("cgroup.procs"), std::to_string(launch.child) + "\n");
    EXPECT_EQ(file("pids.max"), "20\n");
    end();
    EXPECT_FALSE(sys::exists(leaf.substr(0, leaf.rfind('/'))));
}

TEST_F(SystemdUnit, OfANameThatRunsIsRefused) {
    ASSERT_EQ(run(), "");
    auto again = stages::cgroup::parent(launch);
    ASSERT_FALSE(again);
    EXPECT_THAT(sys::to_line(again.error()), HasSubstr("systemd has a unit \"test-"));
    EXPECT_EQ(file("cgroup.procs"), std::to_string(launch.child) + "\n");
}

} // namespace
