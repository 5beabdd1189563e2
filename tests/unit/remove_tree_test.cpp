// rm -rf by calls, however deep.
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace {

class RemoveTree : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gocontainer-unit-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        top = name;
    }
    void TearDown() override { fs::remove_all(top); }
    fs::path top;
};

TEST_F(RemoveTree, FollowsNoLink) {
    fs::create_directories(top / "outside");
    std::ofstream(top / "outside/kept") << "x";
    fs::create_directories(top / "tree/a/b");
    fs::create_directory_symlink("../outside", top / "tree/link");
    fs::create_directory_symlink("../../../outside", top / "tree/a/b/link");
    ASSERT_EQ(mkfifo((top / "tree/a/fifo").c_str(), 0), 0);
    ASSERT_EQ(mkdir((top / "tree/closed").c_str(), 0), 0);
    auto removed = sys::remove_tree(AT_FDCWD, top / "tree");
    EXPECT_TRUE(removed) << sys::to_line(removed.error());
    EXPECT_FALSE(fs::exists(top / "tree"));
    EXPECT_TRUE(fs::exists(top / "outside/kept"));
}

TEST_F(RemoveTree, GoesDeeperThanPathsAndDescriptors) {
    // Made from the inside, as a container would: no path is as long.
    ASSERT_EQ(mkdir((top / "tree").c_str(), 0700), 0);
    int at = open((top / "tree").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 200; ++i) {
        ASSERT_EQ(mkdirat(at, "directory-of-a-longer-name", 0700), 0);
        ASSERT_EQ(mkdirat(at, ".deep-1", 0700), 0);
        int next = openat(at, "directory-of-a-longer-name", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_GE(next, 0);
        close(at);
        at = next;
    }
    close(at);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit few{.rlim_cur = 64, .rlim_max = before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    auto removed = sys::remove_tree(AT_FDCWD, top / "tree");
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(removed) << sys::to_line(removed.error());
    EXPECT_FALSE(fs::exists(top / "tree"));
}

TEST_F(RemoveTree, FindsNothingFine) {
    EXPECT_TRUE(sys::remove_tree(AT_FDCWD, top / "never"));
}

} // namespace
