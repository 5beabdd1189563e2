// Limits: which file each is written to, in which form and order, and what is said when it can't
// be.
#include "stages/cgroup_limits.hpp"
#include "stages/cgroup_ops.hpp"
#include "stages/cgroup_place.hpp"
#include "stages/cgroup_stats.hpp"
#include "sys/path.hpp"
#include "tests/unit/fake_cgroups.hpp"

#include <gmock/gmock.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>

namespace {

namespace cgroup = stages::cgroup;
using test::FakeCgroups;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::string kLeaf = "/sys/fs/cgroup/x";

/// A leaf with every controller.
struct Leaf : FakeCgroups {
    std::vector<std::string> said;
    cgroup::LimitFiles::Say say = [this](const std::string& line) { said.push_back(line); };
    spec::Naming naming = spec::Naming::properties;
    sys::Fd fd;
    std::optional<cgroup::LimitFiles> files;

    Leaf() {
        std::string all = "cpuset cpu io memory hugetlb pids rdma";
        mount("/sys/fs/cgroup", all);
        put("/sys/fs/cgroup/cgroup.subtree_control", all);
        cgroup(kLeaf);
        fd = *sys::openat(AT_FDCWD, kLeaf, O_PATH | O_DIRECTORY);
    }
    /// "" or the error as one line.
    std::string write(const spec::Resources& wanted,
                      cgroup::Remember remember = cgroup::Remember::nothing) {
        files.emplace(fd, kLeaf, naming, say, remember);
        calls.clear();
        auto done = files->write(wanted);
        return done ? "" : sys::to_line(done.error());
    }
    /// What was written since, without the leaf's own name.
    std::vector<std::string> written() const {
        std::vector<std::string> out;
        for (const std::string& call : calls)
            out.push_back(call.substr(std::string("write " + kLeaf + "/").size()));
        return out;
    }
    void set(const std::string& file, const std::string& text) { put(kLeaf + "/" + file, text); }
};

TEST(CgroupLimits, EachHasItsFile) {
    Leaf leaf;
    spec::Resources all{.memory = 100,
                        .memory_swap = 150,
                        .memory_reservation = 50,
                        .cpu_quota = 5000,
                        .cpu_period = 20000,
                        .cpu_burst = 1000,
                        .cpu_idle = 1,
                        .cpu_weight = 70,
                        .cpuset = "0-1",
                        .cpuset_mems = "0",
                        .pids = 9,
                        .hugetlb = {{"2MB", 4096}},
                        .rdma = {{"mlx4_0", 2, 3}, {"mlx4_1", {}, 4}},
                        .unified = {{"memory.high", "80"}}};
    leaf.set("cpuset.cpus.effective", "0-1\n");
    leaf.set("cpuset.mems.effective", "0\n");
    EXPECT_EQ(leaf.write(all), "");
    EXPECT_THAT(leaf.written(),
                ElementsAre("memory.max=100", "memory.swap.max=50", "memory.low=50", "cpu.idle=1",
                            "cpu.max.burst=1000", "cpu.max=5000 20000", "cpuset.cpus=0-1",
                            "cpuset.mems=0", "pids.max=9", "hugetlb.2MB.max=4096",
                            "hugetlb.2MB.rsvd.max=4096",
                            "rdma.max=mlx4_0 hca_handle=2 hca_object=3",
                            "rdma.max=mlx4_1 hca_object=4", "memory.high=80"));
}

TEST(CgroupLimits, NoLimitIsMax) {
    Leaf leaf;
    EXPECT_EQ(leaf.write({.memory = -1,
                          .memory_swap = -1,
                          .memory_reservation = -1,
                          .cpu_quota = -1,
                          .pids = -1}),
              "");
    EXPECT_THAT(leaf.written(), ElementsAre("memory.max=max", "memory.swap.max=max",
                                            "memory.low=max", "cpu.max=max", "pids.max=max"));
}

TEST(CgroupLimits, OneProcessIsTheFewest) {
    Leaf leaf;
    EXPECT_EQ(leaf.write({.pids = 0}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("pids.max=1"));
}

TEST(CgroupLimits, WithoutASwapLimitSwapIsLeftAlone) {
    Leaf leaf;
    EXPECT_EQ(leaf.write({.memory = 100}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("memory.max=100"));
}

TEST(CgroupLimits, SwapGoesWithTheLimitOfMemoryThatIsThere) {
    Leaf leaf;
    leaf.set("memory.max", "100\n");
    EXPECT_EQ(leaf.write({.memory_swap = 130}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("memory.swap.max=30"));
    leaf.set("memory.max", "max\n");
    EXPECT_EQ(leaf.write({.memory_swap = 130}),
              "linux.resources.memory.swap \"130\": there is no limit of memory to go with it: it "
              "is the sum of memory and swap");
    leaf.set("memory.max", "200\n");
    EXPECT_THAT(leaf.write({.memory_swap = 130}), HasSubstr("less than the limit of memory, 200"));
    EXPECT_THAT(leaf.calls, IsEmpty());
}

TEST(CgroupLimits, NoSwapIsNothingToForbid) {
    Leaf leaf;
    test::fs::remove(leaf.top() + kLeaf + "/memory.swap.max");
    EXPECT_EQ(leaf.write({.memory = 100, .memory_swap = 100}), "");
    EXPECT_EQ(leaf.write({.memory = 100, .memory_swap = -1}), "");
    EXPECT_THAT(
        leaf.write({.memory = 100, .memory_swap = 101}),
        HasSubstr("linux.resources.memory.swap \"1\": can't be enforced: this kernel has no "
                  "memory.swap.max"));
}

TEST(CgroupLimits, ALimitBelowWhatIsInUseCanBeRefused) {
    Leaf leaf;
    leaf.set("memory.current", "1000\n");
    leaf.set("memory.swap.current", "500\n");
    EXPECT_EQ(leaf.write({.memory = 999, .check_before_update = true}),
              "linux.resources.memory.limit \"999\": is less than the 1000 bytes that are in use: "
              "choose a larger one, or leave out checkBeforeUpdate");
    EXPECT_THAT(leaf.write({.memory = 1000, .memory_swap = 1499, .check_before_update = true}),
                HasSubstr("linux.resources.memory.swap \"1499\": is less than the 1500 bytes"));
    EXPECT_THAT(leaf.calls, IsEmpty());
    EXPECT_EQ(leaf.write({.memory = 1000, .memory_swap = 1500, .check_before_update = true}), "");
    EXPECT_EQ(leaf.write({.memory = 999}), "") << "unless asked, the kernel decides";
}

TEST(CgroupLimits, APeriodAloneKeepsTheQuota) {
    Leaf leaf;
    leaf.set("cpu.max", "3000 100000\n");
    EXPECT_EQ(leaf.write({.cpu_period = 50000}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("cpu.max=3000 50000"));
}

TEST(CgroupLimits, ABurstThatNeedsANewQuotaComesAfterIt) {
    Leaf leaf;
    bool raised = false;
    leaf.watch = [&](const sys::Call& call) {
        if (call.name == "write" && call.text.contains("\"9000\""))
            raised = true;
    };
    struct Kernel : sys::Listener { // a burst above the quota is refused
        Leaf& below;
        bool& raised_;
        Kernel(Leaf& leaf_below, bool& is_raised) : below(leaf_below), raised_(is_raised) {
            sys::listener = this;
        }
        ~Kernel() override { sys::listener = &below; }
        Kernel(const Kernel&) = delete;
        Kernel& operator=(const Kernel&) = delete;
        std::optional<long> before(const sys::Call& call) override {
            if (call.name == "write" && call.text.contains("\"8000\"") && !raised_)
                return -EINVAL;
            return below.before(call);
        }
    } kernel(leaf, raised);
    EXPECT_EQ(leaf.write({.cpu_quota = 9000, .cpu_burst = 8000}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("cpu.max=9000", "cpu.max.burst=8000"));
}

TEST(CgroupLimits, WhatIsIdleTakesNoWeight) {
    Leaf leaf;
    leaf.answer("write", "\"70\"", EINVAL); // systemd has made it idle already
    EXPECT_EQ(leaf.write({.cpu_idle = 1, .cpu_weight = 70}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("cpu.idle=1"));
}

TEST(CgroupLimits, WhatIsNoLongerIdleCanHaveAWeight) {
    Leaf leaf;
    EXPECT_EQ(leaf.write({.cpu_idle = 0, .cpu_weight = 70}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("cpu.idle=0", "cpu.weight=70"));
}

TEST(CgroupLimits, MemoryNodesThatTheParentMayNotUseAreAnError) {
    Leaf leaf;
    leaf.put("/sys/fs/cgroup/cpuset.mems.effective", "0\n");
    leaf.set("cpuset.mems.effective", "0\n");
    EXPECT_EQ(
        leaf.write({.cpuset_mems = "1"}),
        "linux.resources.cpu.mems \"1\": can't be enforced: the kernel would use memory nodes "
        "0: the memory nodes to choose from are 0");
}

TEST(CgroupLimits, HugePagesOfAnotherSizeAreAnError) {
    Leaf leaf;
    EXPECT_EQ(leaf.write({.hugetlb = {{"3MB", 1}}}),
              "linux.resources.hugepageLimits \"3MB\": can't be enforced: this kernel has no huge "
              "pages of that size: ls /sys/kernel/mm/hugepages lists the sizes");
    EXPECT_THAT(leaf.write({.hugetlb = {{"../../y/2MB", 1}}}), HasSubstr("no huge pages"));
}

TEST(CgroupLimits, UnifiedIsWrittenAsItIsLineByLine) {
    Leaf leaf;
    EXPECT_EQ(leaf.write({.unified = {{"io.max", "8:0 rbps=1\n8:16 wbps=2\n"}}}), "");
    EXPECT_THAT(leaf.written(), ElementsAre("io.max=8:0 rbps=1", "io.max=8:16 wbps=2"));
    EXPECT_THAT(leaf.write({.unified = {{"memory.none", "1"}}}),
                HasSubstr("linux.resources.unified \"memory.none\": this kernel has no such file"));
    EXPECT_THAT(leaf.write({.unified = {{"../y/memory.max", "1"}}}),
                HasSubstr("is not the name of a file"));
}

TEST(CgroupLimits, WeightsOfIoHaveTwoScales) {
    Leaf leaf;
    leaf.set("io.bfq.weight", "");
    leaf.put("/sys/fs/cgroup/io.cost.qos", "8:0 enable=1\n");
    leaf.put("/sys/dev/block/8:0/dev", "8:0\n");
    leaf.put("/sys/class/block/sda/queue/scheduler", "none [bfq]\n");
    leaf.put("/sys/class/block/sdb/queue/scheduler", "[none]\n");
    EXPECT_EQ(leaf.write({.io_weight = 4950,
                          .io_bfq_weight = 500,
                          .io_weights = {{.device = "8:0", .weight = 9, .bfq_weight = 8}}}),
              "");
    EXPECT_THAT(leaf.written(), ElementsAre("io.bfq.weight=default 500", "io.weight=default 4950",
                                            "io.bfq.weight=8:0 8", "io.weight=8:0 9"));
    EXPECT_THAT(leaf.said, IsEmpty());
    EXPECT_THAT(leaf.write({.io_weights = {{.device = "9:9", .weight = 9}}}),
                StartsWith("linux.resources.blockIO.weightDevice: \"9:9\" is no block device"));
}

TEST(CgroupLimits, WhatWasThereIsPutBackAfterARefusal) {
    Leaf leaf;
    leaf.set("memory.max", "77\n");
    leaf.set("cpu.max", "max 100000\n");
    leaf.set("cpuset.cpus.effective", "0\n");
    leaf.put("/sys/dev/block/8:0/dev", "8:0\n");
    leaf.set("io.max", "8:16 rbps=5 wbps=max riops=max wiops=max\n");
    leaf.answer("write", "\"no\"", EINVAL);
    std::string line = leaf.write({.memory = 100,
                                   .cpu_quota = 5000,
                                   .cpuset = "0",
                                   .io_max = {{.device = "8:0", .rbps = 6}},
                                   .unified = {{"memory.high", "no"}}},
                                  cgroup::Remember::previous);
    EXPECT_THAT(line, HasSubstr("EINVAL (invalid argument): linux.resources.unified "
                                "\"memory.high\": the kernel refuses \"no\""));
    leaf.calls.clear();
    leaf.files->restore();
    EXPECT_THAT(leaf.written(),
                ElementsAre("io.max=8:0 rbps=max wbps=max riops=max wiops=max", "cpuset.cpus=\\n",
                            "cpu.max=max 100000", "memory.max=77"));
}

TEST(CgroupLimits, ARateIsLiftedByMax) {
    Leaf leaf;
    leaf.put("/sys/dev/block/8:0/dev", "8:0\n");
    spec::Resources lifts{.io_max = {{.device = "8:0", .rbps = spec::kNoRate}}};
    EXPECT_EQ(leaf.write(lifts), "");
    EXPECT_THAT(leaf.written(), ElementsAre("io.max=8:0 rbps=max"));
    lifts.io_max[0].riops = 6;
    EXPECT_EQ(leaf.write(lifts), "");
    EXPECT_THAT(leaf.written(), ElementsAre("io.max=8:0 rbps=max riops=6"));
}

// --- update --------------------------------------------------------------------------------------

TEST(CgroupUpdate, ChangesWhatIsGivenAndNothingElse) {
    Leaf leaf;
    leaf.calls.clear();
    EXPECT_TRUE(cgroup::update(kLeaf, {.resources = {.memory = 5, .pids = 6}}));
    EXPECT_THAT(leaf.written(), ElementsAre("memory.max=5", "pids.max=6"));
}

TEST(CgroupUpdate, TakesBackWhatWasWrittenBeforeARefusal) {
    Leaf leaf;
    leaf.set("memory.max", "max\n");
    leaf.answer("write", "\"6\"", EINVAL);
    leaf.calls.clear();
    auto done = cgroup::update(kLeaf, {.resources = {.memory = 5, .pids = 6}});
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("linux.resources.pids.limit \"6\": the "
                                                      "kernel refuses this value"));
    EXPECT_THAT(leaf.written(), ElementsAre("memory.max=5", "memory.max=max"));
}

TEST(CgroupUpdate, HandsDownTheControllersThatItTakes) {
    FakeCgroups host;
    host.mount("/sys/fs/cgroup", "memory pids");
    host.put("/proc/self/cgroup", "0::/\n");
    host.cgroup("/sys/fs/cgroup/a");
    host.cgroup("/sys/fs/cgroup/a/x");
    host.watch = [&](const sys::Call& call) { // as the kernel does once the last +pids is written
        if (call.text.contains("\"pids.max\"") && call.text.contains("O_WRONLY"))
            host.put("/sys/fs/cgroup/a/x/pids.max", "");
    };
    EXPECT_TRUE(cgroup::update("/sys/fs/cgroup/a/x", {.resources = {.pids = 6}}));
    EXPECT_THAT(host.calls, ElementsAre("write /sys/fs/cgroup/cgroup.subtree_control=+pids",
                                        "write /sys/fs/cgroup/a/cgroup.subtree_control=+pids",
                                        "write /sys/fs/cgroup/a/x/pids.max=6"));
    auto done = cgroup::update("/sys/fs/cgroup/a/x", {.resources = {.cpu_weight = 6}});
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()),
                StartsWith("linux.resources.cpu.shares: can't be enforced: this kernel has no "));
}

TEST(CgroupLimits, AreCalledAsWhoAskedForThemDoes) {
    spec::Resources some{.memory = 1, .cpu_period = 2, .unified = {{"pids.max", "3"}}};
    auto names = [&](spec::Naming naming) {
        std::vector<std::string> out;
        for (const cgroup::Limit& limit : cgroup::limits_of(some, naming))
            out.push_back(limit.name + " " + limit.controller);
        return out;
    };
    EXPECT_THAT(names(spec::Naming::options),
                ElementsAre("--memory memory", "--cpu-period cpu", "--unified \"pids.max\" pids"));
    EXPECT_THAT(names(spec::Naming::properties),
                ElementsAre("linux.resources.memory.limit memory", "linux.resources.cpu.period cpu",
                            "linux.resources.unified \"pids.max\" pids"));
}

// --- on the kernel -------------------------------------------------------------------------------

/// Where v2 has the controllers, as in tests/vm.
class CgroupLimitsForReal : public ::testing::Test {
protected:
    void SetUp() override {
        auto hierarchy = cgroup::find_hierarchy();
        ASSERT_TRUE(hierarchy);
        std::string name = "/unit-limits-" + std::to_string(::getpid());
        if (hierarchy->layout != cgroup::Layout::pure || cgroup::rootless() ||
            !sys::mkdirat(AT_FDCWD, hierarchy->root + name, 0755))
            GTEST_SKIP() << "host lacks a cgroup v2 of its own that this user may write to";
        leaf = hierarchy->root + name;
    }
    void TearDown() override {
        if (leaf.empty())
            return;
        EXPECT_TRUE(cgroup::kill_all(leaf, SIGKILL));
        if (child > 0)
            ::waitpid(child, nullptr, 0);
        EXPECT_TRUE(cgroup::remove(leaf));
    }
    std::string update(const spec::Resources& wanted) {
        auto done = cgroup::update(leaf, {.resources = wanted});
        return done ? "" : sys::to_line(done.error());
    }
    std::string file(const std::string& name) const {
        std::string text = sys::read_file(leaf + "/" + name).value_or("");
        return text.substr(0, text.find('\n'));
    }
    /// A process in the leaf that runs `job`.
    void start(const std::function<void()>& job) {
        child = ::fork();
        if (child == 0) {
            if (sys::write_file(leaf + "/cgroup.procs", "0"))
                job();
            ::_exit(0);
        }
    }
    std::string leaf;
    pid_t child = 0;
};

TEST_F(CgroupLimitsForReal, TheKernelTakesThem) {
    EXPECT_EQ(update({.memory = 64 << 20,
                      .memory_swap = 96 << 20,
                      .memory_reservation = 16 << 20,
                      .cpu_quota = 20000,
                      .cpu_period = 50000,
                      .cpu_burst = 10000,
                      .cpu_weight = 70,
                      .cpuset = "0",
                      .cpuset_mems = "0",
                      .pids = 0,
                      .unified = {{"memory.high", "50331648"}}}),
              "");
    EXPECT_EQ(file("memory.max"), "67108864");
    EXPECT_EQ(file("memory.low"), "16777216");
    EXPECT_EQ(file("memory.high"), "50331648");
    EXPECT_EQ(file("cpu.max"), "20000 50000");
    EXPECT_EQ(file("cpu.max.burst"), "10000");
    EXPECT_EQ(file("cpu.weight"), "70");
    EXPECT_EQ(file("cpuset.cpus"), "0");
    EXPECT_EQ(file("cpuset.mems"), "0");
    EXPECT_EQ(file("pids.max"), "1");
    // The quota alone, the period alone, and a burst beyond the quota of before.
    EXPECT_EQ(update({.cpu_quota = 40000, .cpu_burst = 35000}), "");
    EXPECT_EQ(file("cpu.max"), "40000 50000");
    EXPECT_EQ(file("cpu.max.burst"), "35000");
    EXPECT_EQ(update({.cpu_period = 100000}), "");
    EXPECT_EQ(file("cpu.max"), "40000 100000");
    EXPECT_EQ(update({.cpu_quota = -1, .pids = -1}), "");
    EXPECT_EQ(file("cpu.max"), "max 100000");
    EXPECT_EQ(file("pids.max"), "max");
}

TEST_F(CgroupLimitsForReal, IdleComesAndGoesWithItsWeight) {
    EXPECT_EQ(update({.cpu_idle = 1, .cpu_weight = 70}), "");
    EXPECT_EQ(file("cpu.idle"), "1");
    EXPECT_EQ(update({.cpu_idle = 0, .cpu_weight = 30}), "");
    EXPECT_EQ(file("cpu.idle"), "0");
    EXPECT_EQ(file("cpu.weight"), "30");
}

TEST_F(CgroupLimitsForReal, HugePagesAreLimitedWithTheirReservations) {
    auto sizes = sys::read_file("/sys/fs/cgroup/cgroup.controllers");
    if (!sizes->contains("hugetlb") || !sys::exists("/sys/kernel/mm/hugepages/hugepages-2048kB"))
        GTEST_SKIP() << "host lacks huge pages of 2 MB";
    EXPECT_EQ(update({.hugetlb = {{"2MB", 4 << 20}}}), "");
    EXPECT_EQ(file("hugetlb.2MB.max"), "4194304");
    EXPECT_EQ(file("hugetlb.2MB.rsvd.max"), "4194304");
}

TEST_F(CgroupLimitsForReal, ARefusedOneLeavesAllAsTheyWere) {
    ASSERT_EQ(update({.memory = 64 << 20, .cpu_quota = 20000, .cpuset = "0", .pids = 5}), "");
    EXPECT_THAT(update({.memory = 32 << 20,
                        .cpu_quota = 10000,
                        .cpuset = "0",
                        .pids = 4,
                        .unified = {{"memory.high", "a lot"}}}),
                HasSubstr("linux.resources.unified \"memory.high\": the kernel refuses \"a lot\""));
    EXPECT_EQ(file("memory.max"), "67108864");
    EXPECT_EQ(file("cpu.max"), "20000 100000");
    EXPECT_EQ(file("pids.max"), "5");
}

TEST_F(CgroupLimitsForReal, MemoryInUseCanBeCheckedFirst) {
    ASSERT_EQ(update({.memory = 64 << 20}), "");
    start([] {
        std::vector<char> held(16 << 20, 'x');
        for (;;)
            ::pause();
    });
    for (int tries = 0; tries < 500 && std::stoll(file("memory.current")) < 16 << 20; ++tries)
        ::usleep(10000);
    EXPECT_THAT(update({.memory = 8 << 20, .check_before_update = true}),
                HasSubstr("linux.resources.memory.limit \"8388608\": is less than the "));
    EXPECT_EQ(file("memory.max"), "67108864");
    EXPECT_EQ(cgroup::processes(leaf)->size(), 1U);
}

TEST_F(CgroupLimitsForReal, StatisticsCountAndAKillForMemoryIsHeard) {
    ASSERT_EQ(update({.memory = 16 << 20, .memory_swap = 16 << 20, .pids = 7}), "");
    auto watch = cgroup::OomWatch::open(leaf);
    ASSERT_TRUE(watch);
    start([] {
        std::vector<char> held(64 << 20, 'x');
        ::_exit(held[1]);
    });
    pollfd news{.fd = watch->fd(), .events = POLLPRI, .revents = 0};
    bool killed = false;
    while (!killed && *sys::poll(std::span(&news, 1), std::chrono::seconds(30)) > 0)
        killed = *watch->killed();
    EXPECT_TRUE(killed);
    auto stats = cgroup::stats(leaf);
    ASSERT_TRUE(stats);
    EXPECT_EQ(stats->memory.memory.limit, 16U << 20);
    EXPECT_GT(stats->memory.memory.failures, 0U);
    EXPECT_GT(stats->cpu.total, 0U);
    EXPECT_EQ(stats->pids.limit, 7U);
    EXPECT_FALSE(stats->memory.raw.empty());
}

} // namespace
