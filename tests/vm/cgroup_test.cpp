// Limits, as the kernel keeps them: what the leaf's own files say, while something tries to get
// past.
#include "tests/support/proc.hpp"
#include "tests/vm/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

using namespace vm;
using namespace std::chrono_literals;

#define NEEDS(controller)                                                                          \
    if (std::string why = lacks_controller(controller); !why.empty())                              \
    GTEST_SKIP() << why

namespace {

// Waits for a line, lest an unlimited one takes the machine down; ends when its input does.
constexpr const char* kForkBomb = "bomb() { bomb | bomb & }; read line; bomb; read go; exit 7";
constexpr const char* kWait = "read go; exit 7";

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

long long lines(const std::string& text) {
    return text.empty() ? 0 : std::ranges::count(text, '\n') + 1;
}

/// "254:0" of the whole disk below `path`; empty when that is no disk.
std::string disk_of(const std::string& path) {
    struct stat info{};
    if (stat(path.c_str(), &info) != 0 || major(info.st_dev) == 0)
        return {};
    std::string sys = "/sys/dev/block/" + std::to_string(major(info.st_dev)) + ":" +
                      std::to_string(minor(info.st_dev));
    if (exists(sys + "/partition"))
        sys = std::filesystem::canonical(sys).parent_path();
    return read_file(sys + "/dev");
}

/// The container ends as its script says, and leaves neither a process nor its cgroup.
void expect_clean_end(Container& container, const std::string& leaf) {
    container.go();
    EXPECT_EQ(container.wait(), 7) << container.err();
    EXPECT_FALSE(exists(leaf));
    EXPECT_EQ(processes_with(container.token()), 0);
}

} // namespace

TEST(CgroupTest, ForkBombStopsAtPids) {
    NEEDS("pids");
    Container container({"--pids", "20"}, kForkBomb);
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    ASSERT_EQ(read_file(leaf + "/pids.max"), "20");
    container.step();

    EXPECT_TRUE(
        support::eventually([&] { return field(read_file(leaf + "/pids.events"), "max") > 0; }));
    // Counted while they stand still: the kernel counts a process before it refuses it.
    for (int i = 0; i < 20; ++i) {
        support::write_to(leaf + "/cgroup.freeze", "1");
        ASSERT_TRUE(support::eventually(
            [&] { return field(read_file(leaf + "/cgroup.events"), "frozen") == 1; }));
        EXPECT_GT(lines(read_file(leaf + "/cgroup.procs")), 0);
        EXPECT_LE(lines(read_file(leaf + "/cgroup.procs")), 20);
        EXPECT_LE(std::stoll(read_file(leaf + "/pids.current")), 20);
        support::write_to(leaf + "/cgroup.freeze", "0");
        support::pass(50ms);
    }
    EXPECT_LE(std::stoll("0" + read_file(leaf + "/pids.peak")), 20);
    expect_clean_end(container, leaf);
}

TEST(CgroupTest, AllocationIsKilledAtMemory) {
    NEEDS("memory");
    // tail keeps all of a file that has no line. Process 1 outlives it, and with it the leaf.
    Container container({"--memory", "32M"},
                        "read line; tail /dev/zero; status=$?; read go; exit $status");
    std::string leaf = container.leaf();
    ASSERT_EQ(read_file(leaf + "/memory.max"), "33554432");
    container.step();
    EXPECT_EQ(read_file(leaf + "/memory.swap.max"), "0");

    EXPECT_TRUE(support::eventually(
        [&] { return field(read_file(leaf + "/memory.events"), "oom_kill") > 0; }));
    EXPECT_LE(std::stoll("0" + read_file(leaf + "/memory.peak")), 33554432);
    container.go();
    EXPECT_EQ(container.wait(), 137) << container.err();
    EXPECT_FALSE(exists(leaf));
}

TEST(CgroupTest, CommandKilledAtMemoryGives137) {
    NEEDS("memory");
    Container container({"--memory", "32M"}, "read line; exec tail /dev/zero");
    std::string leaf = container.leaf();
    ASSERT_EQ(read_file(leaf + "/memory.max"), "33554432");
    container.step();
    EXPECT_EQ(container.wait(), 137) << container.err();
}

// 200 KiB are enough for our part, and too little for the command's exec.
TEST(CgroupTest, WhoIsKilledForMemoryIsToldSo) {
    NEEDS("memory");
    for (const char* memory : {"200k", "32M"}) {
        support::Ended ended = support::run(
            {.argv = {getenv("GOCONTAINER"), "parent", "--rootfs", getenv("GOCONTAINER_ROOTFS"),
                      "--net", "none", "--memory", memory, "tail", "/dev/zero"},
             .input_ends = true});
        EXPECT_EQ(ended.status, 137) << ended.err;
        EXPECT_THAT(ended.err, testing::HasSubstr("killed 1 process of the container for want of"));
    }
}

TEST(CgroupTest, TooLittleMemoryToStartIsAnErrorThatLeavesNothing) {
    NEEDS("memory");
    for (const char* memory : {"1", "4096", "64k"}) {
        const std::string name = std::string("small-") + memory;
        const std::string leaf = "/gocontainer-" + name;
        Container container({"--memory", memory, "--name", name}, kWait);
        EXPECT_EQ(container.wait(), 125) << memory;
        EXPECT_THAT(container.err(), testing::HasSubstr("is too little for any process to start"));
        std::string above = own_cgroup(); // where the leaf is: here, or the nearest place above
        for (; above.size() > std::string("/sys/fs").size(); above.erase(above.rfind('/')))
            EXPECT_FALSE(exists(above + leaf)) << memory;
    }
}

TEST(CgroupTest, MemoryBelowTheLimitIsLeftAlone) {
    NEEDS("memory");
    // 16 MiB of a file in memory counts as the container's own.
    Container container({"--memory", "64M", "--tmpfs", "/tmp"},
                        "head -c 16777216 /dev/zero >/tmp/file && read go; exit 7");
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    EXPECT_TRUE(support::eventually(
        [&] { return std::stoll("0" + read_file(leaf + "/memory.current")) >= 16777216; }));
    EXPECT_EQ(field(read_file(leaf + "/memory.events"), "oom_kill"), 0);
    expect_clean_end(container, leaf);
}

TEST(CgroupTest, BusyLoopIsHeldToCpus) {
    NEEDS("cpu");
    Container container({"--cpus", "0.1"}, "while :; do :; done");
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    EXPECT_EQ(read_file(leaf + "/cpu.max"), "10000 100000");

    std::this_thread::sleep_for(1s); // the first period's quota is there all at once
    // It is never more than a period's, so what comes of periods that this machine has slept
    // through, as its host had others to serve, is lost: then another try.
    double share = 0;
    for (int tries = 0; tries < 5 && share <= 0.09; ++tries) {
        auto start = Clock::now();
        long long before = field(read_file(leaf + "/cpu.stat"), "usage_usec");
        std::this_thread::sleep_for(6s);
        long long after = field(read_file(leaf + "/cpu.stat"), "usage_usec");
        share = static_cast<double>(after - before) / 1e6 / seconds_since(start);
        ASSERT_LT(share, 0.11);
    }
    EXPECT_GT(share, 0.09);
    EXPECT_GT(field(read_file(leaf + "/cpu.stat"), "nr_throttled"), 0);

    kill(container.launcher(), SIGTERM);
    EXPECT_EQ(container.wait(), 128 + SIGTERM);
    EXPECT_FALSE(exists(leaf));
}

TEST(CgroupTest, CpusetKeepsItToOneProcessor) {
    NEEDS("cpuset");
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        GTEST_SKIP() << "host lacks a second processor";
    Container container({"--cpuset", "1"}, kWait);
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    EXPECT_EQ(read_file(leaf + "/cpuset.cpus"), "1");
    EXPECT_EQ(read_file(leaf + "/cpuset.cpus.effective"), "1");
    std::string status = read_file("/proc/" + std::to_string(container.process()) + "/status");
    EXPECT_THAT(status, testing::HasSubstr("\nCpus_allowed_list:\t1\n"));
    expect_clean_end(container, leaf);
}

TEST(CgroupTest, CpusetThatIsNotThereIsAnError) {
    NEEDS("cpuset");
    Container container({"--cpuset", "4000"}, kWait);
    EXPECT_EQ(container.wait(), 125);
    EXPECT_THAT(container.err(), testing::HasSubstr("4000"));
    EXPECT_EQ(std::ranges::count(container.err(), '\n'), 1) << container.err();
}

TEST(CgroupTest, CpuWeight) {
    NEEDS("cpu");
    Container container({"--cpu-weight", "250"}, kWait);
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    EXPECT_EQ(read_file(leaf + "/cpu.weight"), "250");
    expect_clean_end(container, leaf);
}

TEST(CgroupTest, IoWeight) {
    NEEDS("io");
    if (!read_file("/sys/fs/cgroup/io.cost.qos").contains("enable=1"))
        GTEST_SKIP() << "host lacks a disk with a cost model (io.cost.qos)";
    Container container({"--io-weight", "300"}, kWait);
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    EXPECT_EQ(read_file(leaf + "/io.weight"), "default 300");
    expect_clean_end(container, leaf);
}

TEST(CgroupTest, IoMaxSlowsWrites) {
    NEEDS("io");
    std::string folder = std::filesystem::temp_directory_path() / "io-max";
    std::filesystem::create_directory(folder);
    std::string disk = disk_of(folder);
    if (disk.empty())
        GTEST_SKIP() << "host lacks a disk below '" << folder << "'";
    Container container({"--io-max", disk + ":wbps=1M,riops=5000", "-v", folder + ":/mnt"},
                        "read go; dd if=/dev/zero of=/mnt/file bs=1M count=4 conv=fsync; exit 7");
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    EXPECT_EQ(read_file(leaf + "/io.max"), disk + " rbps=max wbps=1048576 riops=5000 wiops=max");
    auto start = Clock::now();
    container.go();
    EXPECT_EQ(container.wait(), 7) << container.err();
    EXPECT_GT(seconds_since(start), 2.5) << "4 MiB at 1 MiB a second";
    EXPECT_EQ(std::filesystem::file_size(folder + "/file"), 4U << 20U);
    EXPECT_FALSE(exists(leaf));
    std::filesystem::remove_all(folder);
}

TEST(CgroupTest, LeafIsTheContainersOwnRoot) {
    NEEDS("pids");
    Container container({"--pids", "50"}, "read go; cat /proc/self/cgroup; exit 7");
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    EXPECT_NE(leaf, own_cgroup());
    EXPECT_EQ(read_file(leaf + "/cgroup.procs"), std::to_string(container.process()));
    auto space = [](const std::string& pid) {
        return std::filesystem::read_symlink("/proc/" + pid + "/ns/cgroup");
    };
    EXPECT_NE(space(std::to_string(container.process())), space("self"));
    expect_clean_end(container, leaf);
    EXPECT_EQ(container.out(), "0::/\n");
}

TEST(CgroupTest, NothingIsLeftWhenTheLauncherIsKilled) {
    NEEDS("pids");
    Container container({"--pids", "20"}, kForkBomb);
    std::string leaf = container.leaf();
    ASSERT_EQ(read_file(leaf + "/pids.max"), "20");
    container.step();
    EXPECT_TRUE(
        support::eventually([&] { return field(read_file(leaf + "/pids.events"), "max") > 0; }));
    kill(container.launcher(), SIGKILL);
    EXPECT_EQ(container.wait(), 128 + SIGKILL);
    EXPECT_TRUE(support::eventually([&] { return !exists(leaf); })) << leaf;
    EXPECT_EQ(processes_with(container.token()), 0);
}

TEST(CgroupTest, TwoContainersHaveALeafEach) {
    NEEDS("memory");
    Container one({"--memory", "40M"}, kWait);
    Container other({"--memory", "50M"}, kWait);
    EXPECT_NE(one.leaf(), other.leaf());
    EXPECT_EQ(read_file(one.leaf() + "/memory.max"), "41943040");
    EXPECT_EQ(read_file(other.leaf() + "/memory.max"), "52428800");
    std::string leaf = one.leaf();
    expect_clean_end(one, leaf);
    EXPECT_EQ(read_file(other.leaf() + "/memory.max"), "52428800");
    leaf = other.leaf();
    expect_clean_end(other, leaf);
}
