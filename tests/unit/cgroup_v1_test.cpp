// cgroup v1's limits, as v2 would write them.
#include "teach/cgroup_v1.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

struct Host {
    unit::Recorder kernel;
    std::vector<teach::Mount> mounts;
    teach::Snapshot of;

    void mount(const char* options, const char* point, const char* root = "/") {
        teach::Mount one;
        one.type = "cgroup";
        one.super_options = options;
        one.point = point;
        one.root = root;
        mounts.push_back(one);
    }
    std::vector<std::pair<std::string, std::string>> files() {
        teach::add_v1_limits(of, mounts);
        std::vector<std::pair<std::string, std::string>> out;
        for (const teach::CgroupFile& file : of.cgroup_files)
            out.emplace_back(file.name, file.text);
        return out;
    }
};

TEST(CgroupV1, LimitsHaveTheNamesOfV2) {
    Host host;
    host.mount("rw,cpu,cpuacct", "/c/cpu");
    host.mount("rw,memory", "/c/memory");
    host.mount("rw,pids", "/c/pids");
    host.of.cgroups = {{"cpu,cpuacct", "/a/b"}, {"memory", "/a"}, {"pids", "/"}, {"", "/"}};
    host.kernel.file("/c/cpu/a/b/cpu.cfs_quota_us", "50000\n");
    host.kernel.file("/c/cpu/a/b/cpu.cfs_period_us", "100000\n");
    host.kernel.file("/c/cpu/a/cpu.cfs_quota_us", "90000\n");
    host.kernel.file("/c/cpu/a/cpu.cfs_period_us", "100000\n");
    host.kernel.file("/c/memory/a/memory.usage_in_bytes", "5\n");
    host.kernel.file("/c/memory/a/memory.limit_in_bytes", "1048576\n");
    host.kernel.file("/c/pids/pids.max", "7\n"); // the root limits nobody
    EXPECT_THAT(host.files(),
                ElementsAre(Pair("cpu.max", "50000 100000"), Pair("memory.current", "5"),
                            Pair("memory.max", "1048576")));
    ASSERT_EQ(host.of.cgroup_above.size(), 1U);
    EXPECT_EQ(host.of.cgroup_above[0].name, "cpu.max");
    EXPECT_EQ(host.of.cgroup_above[0].text, "90000 100000");
    EXPECT_EQ(host.of.cgroup_above[0].path, "/a");
}

TEST(CgroupV1, NoLimitIsMax) {
    Host host;
    host.mount("rw,cpu", "/c/cpu");
    host.mount("rw,memory", "/c/memory");
    host.of.cgroups = {{"cpu", "/a"}, {"memory", "/a/b"}};
    host.kernel.file("/c/cpu/a/cpu.cfs_quota_us", "-1\n");
    host.kernel.file("/c/cpu/a/cpu.cfs_period_us", "100000\n");
    host.kernel.file("/c/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    host.kernel.file("/c/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_THAT(host.files(),
                ElementsAre(Pair("cpu.max", "max 100000"), Pair("memory.max", "max")));
    EXPECT_THAT(host.of.cgroup_above, IsEmpty());
}

TEST(CgroupV1, WhatIsMountedInPartIsFoundThere) {
    Host host;
    host.mount("rw,memory", "/c/memory", "/docker/1");
    host.of.cgroups = {{"memory", "/docker/1/x"}};
    host.kernel.file("/c/memory/x/memory.limit_in_bytes", "42\n");
    EXPECT_THAT(host.files(), ElementsAre(Pair("memory.max", "42")));
    Host other;
    other.mount("rw,memory", "/c/memory", "/docker/1");
    other.of.cgroups = {{"memory", "/docker/12"}};
    other.kernel.file("/c/memory2/memory.limit_in_bytes", "42\n");
    EXPECT_THAT(other.files(), IsEmpty()) << "out of sight";
}

} // namespace
