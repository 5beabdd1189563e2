// What a bundle's process is given for itself, as the process and the kernel see it.
#include "tests/unit/real.hpp"

#include "sys/capability.hpp"
#include "sys/path.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

using spec::Spec;
using spec::Stage;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using unit::bundle;

namespace {

class BundleProcess : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0)
            GTEST_SKIP() << "without a user namespace it needs root";
    }
};

constexpr const char* kCaps = "grep Cap /proc/self/status | tr -d '\\t\\n'";

Spec with_caps(const std::string& script) {
    Spec spec = bundle(script);
    spec.stages.add(Stage::caps);
    return spec;
}

TEST_F(BundleProcess, HasTheFiveSetsAsListed) {
    Spec spec = with_caps(kCaps);
    spec.capabilities = {.bounding = {"cap_chown", "cap_kill", "cap_setuid"},
                         .permitted = {"cap_chown", "cap_kill"},
                         .effective = {"cap_chown"},
                         .inheritable = {"cap_kill", "cap_chown"},
                         .ambient = {"cap_kill"}};
    spec.process.ids->uid = 1000;
    // As another user, an exec leaves what is ambient.
    EXPECT_EQ(unit::run(spec).out,
              "CapInh:0000000000000021CapPrm:0000000000000020CapEff:0000000000000020"
              "CapBnd:00000000000000a1CapAmb:0000000000000020");
    // Root is given all that is bounding, but for no_new_privs.
    spec.process.ids->uid = 0;
    spec.capabilities.ambient.clear();
    spec.capabilities.inheritable.clear();
    EXPECT_EQ(unit::run(spec).out,
              "CapInh:0000000000000000CapPrm:0000000000000021CapEff:0000000000000021"
              "CapBnd:00000000000000a1CapAmb:0000000000000000");
}

TEST_F(BundleProcess, HasNoneWithoutAWord) {
    Spec spec = with_caps(kCaps);
    EXPECT_EQ(unit::run(spec).out,
              "CapInh:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000"
              "CapBnd:0000000000000000CapAmb:0000000000000000");
}

TEST_F(BundleProcess, IsWhoItsNumbersSay) {
    Spec spec =
        with_caps("grep -E '^(Uid|Gid|Groups)' /proc/self/status | tr '\\t\\n' '  '; umask");
    spec.process.ids = {.uid = 12, .gid = 34, .groups = {5, 6}};
    spec.process.umask = 0127;
    EXPECT_THAT(unit::run(spec).out,
                AllOf(HasSubstr("Uid: 12 12 12 12 "), HasSubstr("Gid: 34 34 34 34 "),
                      HasSubstr("Groups: 5 6 "), HasSubstr("0127\n")));
    spec.process.ids = {.uid = 12, .gid = 34, .keep_groups = true};
    gid_t kept[] = {77};
    ASSERT_EQ(syscall(SYS_setgroups, 1, kept), 0);
    EXPECT_THAT(unit::run(spec).out, HasSubstr("Groups: 77 "));
    ASSERT_EQ(syscall(SYS_setgroups, 0, nullptr), 0);
    spec.stages.add(Stage::user);
    spec.user.mapping = spec::Mapping::listed;
    spec.user.uids = spec.user.gids = {{.inside = 0, .outside = 100000, .count = 10}};
    spec.process.ids = {.uid = 12, .gid = 34};
    EXPECT_THAT(unit::run(spec).out, HasSubstr("gid 34 is not mapped"));
    spec.process.ids = {.uid = 0, .gid = 0, .groups = {5, 56}};
    EXPECT_THAT(unit::run(spec).out, HasSubstr("gid 56 is not mapped"));
}

TEST_F(BundleProcess, GetsNewPrivilegesOnlyIfItMay) {
    for (bool may : {false, true}) {
        Spec spec = with_caps("grep NoNewPrivs /proc/self/status");
        spec.process.new_privileges = may;
        EXPECT_EQ(unit::run(spec).out, may ? "NoNewPrivs:\t0\n" : "NoNewPrivs:\t1\n");
    }
}

TEST_F(BundleProcess, HasItsOwnSessionKeyring) {
    Spec spec = with_caps("cat /proc/keys");
    spec.capabilities.bounding = {"cap_sys_admin"};
    spec.process.keyring = "_ses.word-" + sys::random_hex(4).value_or("");
    EXPECT_THAT(unit::run(spec).out, HasSubstr(" " + spec.process.keyring));
}

TEST_F(BundleProcess, IsKilledForMemoryAsLikelyAsWanted) {
    Spec spec = with_caps("cat /proc/self/oom_score_adj");
    spec.process.oom_score_adj = 321;
    EXPECT_EQ(unit::run(spec).out, "321\n");
    spec.stages.add(Stage::user);
    spec.user.mapping = spec::Mapping::listed;
    spec.user.uids = spec.user.gids = {{.inside = 0, .outside = 100000, .count = 10}};
    EXPECT_EQ(unit::run(spec).out, "321\n");
    spec.process.oom_score_adj = -1000; // not by itself, but by who has started it
    constexpr unsigned kSysResource = 24;
    unit::Ran ran = unit::run(spec);
    if ((sys::held_bits().value_or(0) >> kSysResource & 1) != 0)
        EXPECT_EQ(ran.out, "-1000\n");
    else
        EXPECT_THAT(ran.out, HasSubstr("oom_score_adj"));
}

TEST_F(BundleProcess, IsScheduledAsWanted) {
    Spec spec = with_caps("cut -d' ' -f19,40,41 /proc/self/stat; uname -m; ionice");
    spec.process.scheduler = spec::Scheduler{.policy = SCHED_BATCH, .nice = 7};
    spec.process.personality = 8; // PER_LINUX32
    spec.process.io_priority = spec::IoPriority{.klass = 2, .priority = 6};
    std::string out = unit::run(spec).out;
    EXPECT_THAT(out, HasSubstr("7 0 3\n"));
    EXPECT_THAT(out, HasSubstr("best-effort: prio 6"));
    EXPECT_THAT(out, Not(HasSubstr("64\n")));
    spec.process.scheduler = spec::Scheduler{.policy = 6}; // SCHED_DEADLINE without any times
    EXPECT_THAT(unit::run(spec).out,
                AllOf(HasSubstr("process.scheduler: sched_setattr("), HasSubstr("EINVAL")));
}

TEST_F(BundleProcess, HasItsMemoryWhereItMayBe) {
    Spec spec = with_caps("cat /proc/self/numa_maps | head -1");
    spec.process.memory_policy = spec::MemoryPolicy{.mode = 2, .flags = 0, .nodes = "0"};
    unit::Ran ran = unit::run(spec);
    if (ran.out.find("No such file") != std::string::npos ||
        ran.out.find("ENOSYS") != std::string::npos)
        GTEST_SKIP() << "this kernel knows no NUMA";
    EXPECT_THAT(ran.out, HasSubstr(" bind"));
}

TEST_F(BundleProcess, HasKernelParametersOfItsNamespaces) {
    Spec spec = with_caps("cat /proc/sys/kernel/shmmni /proc/sys/kernel/domainname");
    spec.sysctl = {{"kernel/shmmni", "77"}, {"kernel/domainname", "word"}};
    std::string before = sys::read_file("/proc/sys/kernel/shmmni").value_or("");
    EXPECT_EQ(unit::run(spec).out, "77\nword\n");
    EXPECT_EQ(sys::read_file("/proc/sys/kernel/shmmni").value_or(""), before);
    spec.sysctl = {{"kernel/../../self/comm", "x"}, {"kernel/nothing", "1"}};
    EXPECT_THAT(unit::run(spec).out, Not(HasSubstr("77")));
    spec.sysctl = {{"kernel/nothing", "1"}};
    EXPECT_THAT(unit::run(spec).out, AllOf(HasSubstr("sys/kernel/nothing"), HasSubstr("ENOENT")));
}

TEST_F(BundleProcess, CannotLeaveItsLandlock) {
    Spec spec = with_caps("echo >/dev/in && echo in; echo >/mnt/out && echo out; cat /etc/passwd "
                          ">/dev/null && echo read");
    spec.root.mounts.push_back({.type = "tmpfs", .source = "t", .destination = "/mnt"});
    spec.process.landlock = spec::Landlock{
        .handled = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG,
        .rules = {{.paths = {"/dev"},
                   .access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG},
                  {.paths = {"/dev/null"}, .access = LANDLOCK_ACCESS_FS_WRITE_FILE}}};
    unit::Ran ran = unit::run(spec);
    if (ran.out.find("has no Landlock") != std::string::npos)
        GTEST_SKIP() << "this kernel has no Landlock";
    EXPECT_THAT(ran.out, AllOf(HasSubstr("in\n"), HasSubstr("read\n"), Not(HasSubstr("out\n"))));
    spec::Spec none = spec;
    none.process.landlock->rules.back().paths = {"/no/such"};
    EXPECT_THAT(unit::run(none).out, HasSubstr("org.gocontainer.landlock: \"/no/such\""));
    spec.process.landlock->handled |= std::uint64_t{1} << 40;
    EXPECT_THAT(unit::run(spec).out, HasSubstr("too old"));
}

TEST_F(BundleProcess, HasTheHostsDevicesThatItGets) {
    std::string name = "gc" + sys::random_hex(3).value_or("");
    auto ip = [](const std::string& words) { return system(("ip " + words).c_str()); };
    if (ip("link add " + name + " type dummy 2>/dev/null") != 0)
        GTEST_SKIP() << "ip (iproute2) can make no dummy device here";
    (void)ip("addr add 10.77.0.5/24 dev " + name);
    Spec spec = with_caps("ip addr show dev word; ip link show");
    spec.stages.add(Stage::net);
    spec.net.mode = spec::NetMode::none;
    spec.net_devices = {{.name = name, .rename = "word"}};
    std::string out = unit::run(spec).out;
    EXPECT_THAT(out, AllOf(HasSubstr("inet 10.77.0.5/24"), HasSubstr(",UP")));
    EXPECT_NE(ip("link show " + name + " >/dev/null 2>&1"), 0); // gone from the host
    EXPECT_THAT(unit::run(spec).out, HasSubstr("this machine has no device \"" + name + "\""));
    ASSERT_EQ(ip("link add " + name + " type dummy"), 0);
    spec.net_devices.front().rename = "lo";
    unit::Ran ran = unit::run(spec);
    EXPECT_THAT(ran.out, HasSubstr("has a device \"lo\" already"));
    EXPECT_EQ(ran.status, 125);
    spec.net_devices = {{.name = name, .rename = "one"}, {.name = "other", .rename = "one"}};
    EXPECT_THAT(unit::run(spec).out, HasSubstr("has a device \"one\" already"));
    EXPECT_EQ(ip("link del " + name), 0); // where it was
}

// Kubernetes' containers join the network of their pod.
TEST_F(BundleProcess, HasTheHostsDevicesInANetworkThatItJoins) {
    std::string name = "gc" + sys::random_hex(3).value_or("");
    std::string pair = " type veth peer name " + name + "p 2>/dev/null";
    if (system(("ip link add " + name + pair).c_str()) != 0)
        GTEST_SKIP() << "ip (iproute2) can make no veth device here";
    ASSERT_EQ(system(("ip addr add 10.77.1.5/24 dev " + name).c_str()), 0);
    int pod = -1;
    std::thread([&] {
        if (unshare(CLONE_NEWNET) == 0)
            pod = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }).join();
    ASSERT_GE(pod, 0);
    Spec spec = with_caps("ip addr show dev word; ip link show lo");
    spec.stages.add(Stage::net);
    spec.net.mode = spec::NetMode::none;
    spec.joins.push_back(
        {Stage::net, "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(pod)});
    spec.net_devices = {{.name = name, .rename = "word"}};
    std::string out = unit::run(spec).out;
    EXPECT_THAT(out, AllOf(HasSubstr("inet 10.77.1.5/24"), HasSubstr(",UP")));
    EXPECT_THAT(out, Not(HasSubstr("LOOPBACK,UP"))) << "its loopback is as the pod has it";
    EXPECT_NE(system(("ip link show " + name + " >/dev/null 2>&1").c_str()), 0);
    spec.net_devices.clear();
    EXPECT_THAT(unit::run(spec).out, HasSubstr("inet 10.77.1.5/24")) << "it stays in the pod";
    close(pod);
    (void)system(("ip link del " + name + "p 2>/dev/null").c_str()); // before the kernel does
}

TEST_F(BundleProcess, RunsOnTheCpusOfTheList) {
    Spec spec = with_caps("grep Cpus_allowed_list /proc/self/status");
    spec.process.affinity = "0";
    EXPECT_EQ(unit::run(spec).out, "Cpus_allowed_list:\t0\n");
}

TEST_F(BundleProcess, IsNotStartedWithoutWhatCannotBeHad) {
    if (!sys::exists("/sys/fs/resctrl/schemata")) {
        Spec rdt = with_caps("echo started");
        rdt.rdt.emplace();
        unit::Ran ran = unit::run(rdt);
        EXPECT_EQ(ran.status, 125);
        EXPECT_THAT(ran.out, AllOf(HasSubstr("linux.intelRdt: no resctrl is mounted"),
                                   Not(HasSubstr("started"))));
    }
    Spec parameter = with_caps("echo started");
    parameter.sysctl = {{"kernel/no_such", "1"}};
    EXPECT_THAT(unit::run(parameter).out,
                AllOf(HasSubstr("linux.sysctl: "), HasSubstr("this kernel has no such parameter"),
                      Not(HasSubstr("started"))));
    Spec policy = with_caps("echo started");
    policy.process.memory_policy = spec::MemoryPolicy{.mode = 2, .flags = 0, .nodes = "63"}; // bind
    EXPECT_THAT(unit::run(policy).out,
                AllOf(HasSubstr("linux.memoryPolicy: "), Not(HasSubstr("started"))));
    Spec profile = with_caps("echo started");
    profile.process.apparmor = "no-such-profile-" + sys::random_hex(4).value_or("");
    EXPECT_THAT(
        unit::run(profile).out, // as Podman looks for it
        AllOf(testing::ContainsRegex("`/proc/[a-z0-9-].+/attr.*`"), Not(HasSubstr("started"))));
    if (sys::exists("/sys/fs/selinux/enforce"))
        return;
    Spec label = with_caps("echo started");
    label.root.mount_label = "system_u:object_r:container_file_t:s0";
    EXPECT_THAT(unit::run(label).out, HasSubstr("linux.mountLabel: SELinux is not on"));
}

TEST_F(BundleProcess, IsNotStartedWithoutItsLabel) {
    for (auto member : {&spec::Process::apparmor, &spec::Process::selinux}) {
        Spec spec = with_caps("echo started");
        spec.process.*member = "no-such-label-" + sys::random_hex(4).value_or("");
        unit::Ran ran = unit::run(spec);
        EXPECT_EQ(ran.status, 125);
        EXPECT_THAT(ran.out, AllOf(HasSubstr("attr/"), Not(HasSubstr("started"))));
    }
}

} // namespace
