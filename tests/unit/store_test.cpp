// The state directory, where no container is needed to look into it.
#include "oci/store.hpp"
#include "tests/unit/recorder.hpp"
#include "tests/unit/temporary.hpp"

#include <gmock/gmock.h>

#include <cerrno>

using oci::Status;
using oci::Store;

namespace {

// buildah takes "stopped" for the end, and asks while `create` is at it.
TEST(Store, AContainerIsBeingCreatedForAsLongAsSomebodyIsAtIt) {
    unit::Temporary here;
    auto creator = Store::create(here / "root", "box");
    ASSERT_TRUE(creator) << sys::to_line(creator.error());
    ASSERT_TRUE(creator->progress());
    auto status = [&] { return Store::open(here / "root", "box")->now()->status; };
    EXPECT_EQ(status(), Status::creating);
    EXPECT_EQ(creator->now()->status, Status::stopped) << "who has the lock knows better";
    creator->unlock();
    EXPECT_EQ(status(), Status::stopped) << "it was given up";
}

TEST(Store, OneThatCanNotBeHadLeavesNothing) {
    unit::Temporary here;
    {
        unit::Recorder kernel;
        kernel.pass("");
        kernel.answer("flock", -EIO);
        auto store = Store::create(here / "root", "box");
        ASSERT_FALSE(store);
        EXPECT_EQ(store.error().code, EIO);
    }
    EXPECT_TRUE(std::filesystem::is_empty(here / "root"));
}

// "delete --root . src", or the folder of another runtime whose containers run.
TEST(Store, WhatIsNoContainersIsLeftAlone) {
    unit::Temporary here;
    std::filesystem::create_directories(here / "root/src");
    here.file("root/src/state.json", "{}");
    auto other = Store::open(here / "root", "src");
    ASSERT_FALSE(other);
    EXPECT_THAT(sys::to_line(other.error()),
                testing::AllOf(testing::StartsWith("container does not exist: \"src\""),
                               testing::HasSubstr("is no container's")));
    auto taken = Store::create(here / "root", "src");
    ASSERT_FALSE(taken);
    EXPECT_THAT(sys::to_line(taken.error()),
                testing::AllOf(testing::StartsWith("container with given ID already exists"),
                               testing::HasSubstr("is no container's")));
    std::filesystem::create_directories(here / "root/begun"); // and cut short at once
    EXPECT_TRUE(Store::open(here / "root", "begun"));
}

// A folder without it would be nobody's, with the rest in it.
TEST(Store, ItsProgressIsTheLastToGo) {
    unit::Temporary here;
    auto store = Store::create(here / "root", "box");
    ASSERT_TRUE(store && store->progress() && store->write("aaa", "") && store->write("zzz", ""));
    unit::Recorder kernel;
    kernel.pass("");
    ASSERT_TRUE(store->remove());
    std::vector<std::string> gone;
    for (const std::string& call : kernel.calls)
        if (call.starts_with("unlinkat("))
            gone.push_back(call);
    ASSERT_EQ(gone.size(), 4U); // and the folder
    EXPECT_THAT(gone[2], testing::HasSubstr("\"progress\""));
}

// `kill` has no lock, and `delete` may be at it meanwhile.
TEST(Store, ANoteOfASignalMakesNoFileWhereTheContainerIsGone) {
    unit::Temporary here;
    auto creator = Store::create(here / "root", "box");
    ASSERT_TRUE(creator) << sys::to_line(creator.error());
    auto progress = creator->progress();
    ASSERT_TRUE(progress);
    EXPECT_FALSE((*progress)->ending);
    auto killer = Store::open(here / "root", "box");
    ASSERT_TRUE(killer);
    EXPECT_TRUE(killer->set_ending());
    EXPECT_TRUE((*progress)->ending);
    std::filesystem::remove(here / "root/box/progress");
    EXPECT_TRUE(killer->set_ending());
    EXPECT_TRUE(std::filesystem::is_empty(here / "root/box"));
    ASSERT_TRUE(creator->remove());
    EXPECT_TRUE(killer->set_ending());
}

} // namespace
