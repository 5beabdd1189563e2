// What the commands do with a leaf: on the kernel itself, where this user may make cgroups, and on
// a fake one for what no kernel does at will.
#include "stages/cgroup_ops.hpp"
#include "stages/cgroup_place.hpp"
#include "sys/path.hpp"
#include "tests/unit/fake_cgroups.hpp"

#include <gmock/gmock.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace {

namespace cgroup = stages::cgroup;
using test::FakeCgroups;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CgroupOps : public ::testing::Test {
protected:
    void SetUp() override {
        auto hierarchy = cgroup::find_hierarchy();
        ASSERT_TRUE(hierarchy);
        std::string own = hierarchy->directory(hierarchy->own.empty() ? "/" : hierarchy->own);
        leaf = sys::join(own, "unit-ops-" + std::to_string(::getpid()));
        if (hierarchy->layout == cgroup::Layout::none || !sys::mkdirat(AT_FDCWD, leaf, 0755))
            GTEST_SKIP() << "host lacks a cgroup v2 that this user may write to";
        ASSERT_TRUE(sys::mkdirat(AT_FDCWD, leaf + "/a", 0755));
        ASSERT_TRUE(sys::mkdirat(AT_FDCWD, leaf + "/a/b", 0755));
        counter = static_cast<std::atomic<long>*>(::mmap(
            nullptr, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    }
    void TearDown() override {
        for (pid_t pid : started) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
        EXPECT_TRUE(cgroup::remove(leaf));
        EXPECT_FALSE(sys::exists(leaf));
        ::munmap(counter, sizeof(*counter));
    }
    /// A process in a cgroup of ours, that counts.
    pid_t start(const std::string& directory) {
        pid_t pid = ::fork();
        if (pid == 0)
            for (;;) {
                ++*counter;
                ::usleep(100);
            }
        EXPECT_TRUE(sys::write_file(directory + "/cgroup.procs", std::to_string(pid)));
        started.push_back(pid);
        return pid;
    }
    /// How it ended; it is forgotten then.
    int signal_of(pid_t pid) {
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        std::erase(started, pid);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    bool counts() const {
        long before = *counter;
        for (int tries = 0; tries < 5000 && *counter == before; ++tries)
            ::usleep(100);
        return *counter != before;
    }
    bool stands_still() const {
        long before = *counter;
        ::usleep(30000);
        return *counter == before;
    }
    std::string leaf;
    std::vector<pid_t> started;
    std::atomic<long>* counter = nullptr;
};

TEST_F(CgroupOps, FreezeStopsAllThatIsBelowUntilThaw) {
    start(leaf + "/a/b");
    ASSERT_TRUE(counts());
    EXPECT_FALSE(*cgroup::frozen(leaf));
    auto done = cgroup::freeze(leaf);
    ASSERT_TRUE(done) << sys::to_line(done.error());
    EXPECT_TRUE(stands_still());
    EXPECT_TRUE(*cgroup::frozen(leaf));
    ASSERT_TRUE(cgroup::thaw(leaf));
    EXPECT_TRUE(counts());
    EXPECT_FALSE(*cgroup::frozen(leaf));
}

TEST_F(CgroupOps, ProcessesAreThoseOfTheLeafAndAllBelow) {
    EXPECT_THAT(*cgroup::processes(leaf), IsEmpty());
    pid_t one = start(leaf);
    pid_t two = start(leaf + "/a/b");
    pid_t three = start(leaf + "/a");
    std::vector<pid_t> all = {one, two, three};
    std::ranges::sort(all);
    EXPECT_EQ(*cgroup::processes(leaf), all);
    EXPECT_EQ(*cgroup::directory_of(two), leaf + "/a/b");
    EXPECT_THAT(*cgroup::processes(leaf + "/none"), IsEmpty());
}

TEST_F(CgroupOps, ASignalGoesToAllAndAFrozenLeafStaysSo) {
    pid_t one = start(leaf);
    pid_t two = start(leaf + "/a/b");
    ASSERT_TRUE(cgroup::freeze(leaf));
    ASSERT_TRUE(cgroup::kill_all(leaf, SIGUSR1));
    EXPECT_TRUE(*cgroup::frozen(leaf));
    EXPECT_TRUE(stands_still());
    ASSERT_TRUE(cgroup::thaw(leaf));
    EXPECT_EQ(signal_of(one), SIGUSR1);
    EXPECT_EQ(signal_of(two), SIGUSR1);
    pid_t three = start(leaf);
    ASSERT_TRUE(cgroup::kill_all(leaf, SIGTERM));
    EXPECT_EQ(signal_of(three), SIGTERM);
    EXPECT_FALSE(*cgroup::frozen(leaf));
}

TEST_F(CgroupOps, SigkillEndsFrozenOnesToo) {
    pid_t one = start(leaf);
    pid_t two = start(leaf + "/a/b");
    ASSERT_TRUE(cgroup::freeze(leaf));
    ASSERT_TRUE(cgroup::kill_all(leaf, SIGKILL));
    EXPECT_EQ(signal_of(one), SIGKILL);
    EXPECT_EQ(signal_of(two), SIGKILL);
}

TEST_F(CgroupOps, RemoveWaitsForWhatEndsMeanwhile) {
    pid_t pid = start(leaf + "/a/b");
    std::thread ending([pid] {
        ::usleep(50000);
        ::kill(pid, SIGKILL);
    });
    auto removed = cgroup::remove(leaf);
    ending.join();
    EXPECT_TRUE(removed) << sys::to_line(removed.error());
    EXPECT_FALSE(sys::exists(leaf));
}

TEST_F(CgroupOps, ALeafsOwnCgroupsAreOpenedAndNoOthers) {
    ASSERT_TRUE(sys::mkdirat(AT_FDCWD, leaf + "2", 0755)); // its name begins as the leaf's does
    auto inode = [](const sys::Result<sys::Fd>& fd) { return sys::fstat(fd->get())->st_ino; };
    EXPECT_EQ(inode(cgroup::open_leaf(leaf, "")), sys::fstatat(AT_FDCWD, leaf, 0)->st_ino);
    EXPECT_EQ(inode(cgroup::open_leaf(leaf, "/")), sys::fstatat(AT_FDCWD, leaf, 0)->st_ino);
    EXPECT_EQ(inode(cgroup::open_leaf(leaf, "/a/b/")),
              sys::fstatat(AT_FDCWD, leaf + "/a/b", 0)->st_ino);
    for (const char* out : {"..", "../..", "a/../..", "a/b/../../../"}) {
        auto opened = cgroup::open_leaf(leaf, out);
        ASSERT_FALSE(opened) << out;
        EXPECT_THAT(sys::to_line(opened.error()), HasSubstr("leads out of the container's cgroup"));
    }
    std::string sibling = "../" + leaf.substr(leaf.rfind('/') + 1) + "2";
    EXPECT_FALSE(cgroup::open_leaf(leaf, sibling));
    EXPECT_THAT(sys::to_line(cgroup::open_leaf(leaf, "c").error()),
                HasSubstr("the container has no cgroup \"c\""));
    ASSERT_TRUE(sys::unlinkat(AT_FDCWD, leaf + "2", AT_REMOVEDIR));
}

// --- what no kernel does at will -----------------------------------------------------------------

struct Fake : FakeCgroups {
    const std::string leaf = "/sys/fs/cgroup/made/x";
    explicit Fake(const std::string& pids = "") {
        mount("/sys/fs/cgroup", "");
        cgroup("/sys/fs/cgroup/made");
        cgroup(leaf, pids);
    }
};

TEST(CgroupOpsFake, ALeafThatIsGoneHasNothingToEnd) {
    Fake host;
    EXPECT_TRUE(cgroup::kill_all("/sys/fs/cgroup/gone", SIGKILL));
    EXPECT_TRUE(cgroup::kill_all("/sys/fs/cgroup/gone", SIGTERM));
    EXPECT_TRUE(cgroup::remove("/sys/fs/cgroup/gone"));
    EXPECT_THAT(*cgroup::processes("/sys/fs/cgroup/gone"), IsEmpty());
    EXPECT_FALSE(*cgroup::frozen("/sys/fs/cgroup/gone"));
    EXPECT_EQ(cgroup::freeze("/sys/fs/cgroup/gone").error().code, ENOENT);
    EXPECT_THAT(host.calls, IsEmpty());
}

TEST(CgroupOpsFake, WhatDoesNotFreezeIsThawedAgain) {
    Fake host("1\n");
    host.answer("poll", "", 0); // the kernel has nothing to tell in all that time
    EXPECT_THAT(sys::to_line(cgroup::freeze(host.leaf).error()),
                HasSubstr("EBUSY (device or resource busy): a process in "
                          "\"/sys/fs/cgroup/made/x\" doesn't let itself be frozen"));
    EXPECT_THAT(host.calls, ElementsAre("write " + host.leaf + "/cgroup.freeze=1",
                                        "write " + host.leaf + "/cgroup.freeze=0"));
}

TEST(CgroupOpsFake, RemoveLeavesWhatIsInUse) {
    Fake host("1\n");
    host.answer("poll", "", 0);
    EXPECT_EQ(sys::to_line(cgroup::remove(host.leaf).error()),
              "EBUSY (device or resource busy): processes are in \"/sys/fs/cgroup/made/x\": kill "
              "them first");
    EXPECT_TRUE(host.has(host.leaf));
}

TEST(CgroupOpsFake, RemoveTakesTheDirectoriesThatWereMadeOnTheWay) {
    Fake host;
    ASSERT_TRUE(sys::setxattr("/sys/fs/cgroup/made", cgroup::kMade, "1"));
    EXPECT_TRUE(cgroup::remove(host.leaf));
    EXPECT_THAT(host.calls,
                ElementsAre("rmdir /sys/fs/cgroup/made/x", "rmdir /sys/fs/cgroup/made"));
    Fake person;
    EXPECT_TRUE(cgroup::remove(person.leaf));
    EXPECT_TRUE(person.has("/sys/fs/cgroup/made")) << "it is not for us to remove";
}

} // namespace
