// Statistics of a leaf, from files as the kernel writes them.
#include "stages/cgroup_stats.hpp"
#include "tests/unit/fake_cgroups.hpp"

#include <gmock/gmock.h>

namespace {

namespace cgroup = stages::cgroup;
using test::FakeCgroups;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kLeaf = "/sys/fs/cgroup/x";

struct Leaf : FakeCgroups {
    explicit Leaf(const std::string& controllers) {
        mount("/sys/fs/cgroup", controllers);
        put("/sys/fs/cgroup/cgroup.subtree_control", controllers);
        cgroup(kLeaf);
    }
    void set(const std::string& file, const std::string& text) { put(kLeaf + "/" + file, text); }
};

TEST(CgroupStats, AreWhatTheFilesSay) {
    Leaf leaf("cpu memory pids io hugetlb");
    leaf.set("cpu.stat", "usage_usec 10\nuser_usec 7\nsystem_usec 3\nnr_periods 4\n"
                         "nr_throttled 2\nthrottled_usec 5\nnr_bursts 1\nburst_usec 6\n");
    leaf.set("memory.stat", "anon 11\nfile 12\nkernel 13\nsock 14\n");
    leaf.set("memory.current", "100\n");
    leaf.set("memory.peak", "200\n");
    leaf.set("memory.max", "300\n");
    leaf.set("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n");
    leaf.set("memory.swap.current", "20\n");
    leaf.set("memory.swap.max", "50\n");
    leaf.set("memory.swap.events", "high 0\nmax 3\nfail 0\n");
    leaf.set("pids.current", "4\n");
    leaf.set("pids.max", "8\n");
    leaf.set("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:16 wbytes=7\n");
    leaf.set("hugetlb.2MB.current", "4096\n");
    leaf.set("hugetlb.2MB.rsvd.current", "1\n");
    leaf.set("hugetlb.2MB.max", "8192\n");
    leaf.set("hugetlb.2MB.events", "max 2\n");
    auto stats = cgroup::stats(kLeaf);
    ASSERT_TRUE(stats);
    using Stats = cgroup::Stats;
    EXPECT_EQ(stats->cpu, (Stats::Cpu{10000, 7000, 3000, 4, 2, 5000, 1, 6000}));
    EXPECT_EQ(stats->memory.cache, 12U);
    EXPECT_EQ(stats->memory.memory, (Stats::Use{100, 200, 300, 9}));
    EXPECT_EQ(stats->memory.swap, (Stats::Use{120, 0, 350, 3}));
    EXPECT_EQ(stats->memory.kernel.usage, 13U);
    EXPECT_EQ(stats->memory.sockets.usage, 14U);
    EXPECT_EQ(stats->memory.raw.at("anon"), 11U);
    EXPECT_EQ(stats->pids, (Stats::Pids{4, 8}));
    EXPECT_THAT(stats->io, ElementsAre(Stats::Io{8, 0, 1, 2, 5, 3, 4, 6},
                                       Stats::Io{254, 16, 0, 7, 0, 0, 0, 0}));
    EXPECT_THAT(stats->hugetlb, ElementsAre(std::pair("2MB", Stats::Use{4096, 0, 8192, 2})));
}

TEST(CgroupStats, NoLimitIsTold) {
    Leaf leaf("memory pids");
    leaf.set("memory.max", "max\n");
    leaf.set("memory.swap.max", "5\n");
    leaf.set("pids.max", "max\n");
    auto stats = cgroup::stats(kLeaf);
    ASSERT_TRUE(stats);
    EXPECT_EQ(stats->memory.memory.limit, cgroup::kNoLimit);
    EXPECT_EQ(stats->memory.swap.limit, cgroup::kNoLimit);
    EXPECT_EQ(stats->pids.limit, 0U);
}

TEST(CgroupStats, WhatNoControllerCountsIsZero) {
    Leaf leaf("");
    auto stats = cgroup::stats(kLeaf);
    ASSERT_TRUE(stats);
    EXPECT_EQ(*stats, cgroup::Stats{});
    EXPECT_THAT(stats->io, IsEmpty());
    EXPECT_EQ(cgroup::stats("/sys/fs/cgroup/gone").error().code, ENOENT);
}

TEST(CgroupStats, KillsForMemoryArePutIntoWords) {
    Leaf leaf("memory");
    EXPECT_EQ(cgroup::killed_for_memory(kLeaf + std::string("/gone")), "");
    EXPECT_EQ(cgroup::killed_for_memory(kLeaf), "") << "nobody counts";
    leaf.set("memory.max", "204800\n");
    leaf.set("memory.events", "oom 3\noom_kill 0\n");
    EXPECT_EQ(cgroup::killed_for_memory(kLeaf), "");
    leaf.set("memory.events", "oom 3\noom_kill 1\noom_group_kill 0\n");
    EXPECT_THAT(cgroup::killed_for_memory(kLeaf),
                AllOf(HasSubstr("killed 1 process of"), HasSubstr("204800 bytes")));
    leaf.set("memory.max", "max\n");
    leaf.set("memory.events", "oom 3\noom_kill 12\n");
    EXPECT_THAT(cgroup::killed_for_memory(kLeaf),
                AllOf(HasSubstr("killed 12 processes of"), Not(HasSubstr("bytes"))));
}

TEST(CgroupStats, AKillForMemoryIsToldOnce) {
    Leaf leaf("memory");
    EXPECT_EQ(cgroup::OomWatch::open(kLeaf).error().code, ENOENT);
    leaf.set("memory.events", "oom 1\noom_kill 1\n");
    auto watch = cgroup::OomWatch::open(kLeaf);
    ASSERT_TRUE(watch);
    EXPECT_FALSE(*watch->killed());
    leaf.set("memory.events", "oom 5\noom_kill 1\n");
    EXPECT_FALSE(*watch->killed()) << "out of memory, but nobody was killed";
    leaf.set("memory.events", "oom 5\noom_kill 2\n");
    EXPECT_TRUE(*watch->killed());
    EXPECT_FALSE(*watch->killed());
}

} // namespace
