// Lesson 2: `mine PID` writes the maps of a process in a new user namespace.
#include "tests/exercise/mine.hpp"

#include <gmock/gmock.h>

#include <sched.h>
#include <unistd.h>

using namespace exercise;
using testing::Contains;

namespace {

class Map : public testing::Test {
protected:
    std::unique_ptr<Process> process = idle_in(CLONE_NEWUSER);
    void SetUp() override {
        if (!process)
            GTEST_SKIP() << "this machine lets nobody make a user namespace";
        Ended ended = run({.argv = mine({std::to_string(process->pid())})});
        EXPECT_EQ(ended.status, 0) << ended.err;
    }
    std::vector<IdRange> uids() const { return id_map(process->pid(), "uid_map"); }
    std::vector<IdRange> gids() const { return id_map(process->pid(), "gid_map"); }
};

} // namespace

TEST_F(Map, RootInsideIsYouOutside) {
    EXPECT_THAT(uids(), Contains((IdRange{0, getuid(), 1})));
    EXPECT_THAT(gids(), Contains((IdRange{0, getgid(), 1})));
}

TEST_F(Map, TheOthersAreYourSubordinateIds) {
    Subordinate uid = subordinate("/etc/subuid"), gid = subordinate("/etc/subgid");
    if (uid.count == 0 || gid.count == 0)
        GTEST_SKIP() << "no range in /etc/subuid and /etc/subgid for this user";
    EXPECT_THAT(uids(), Contains((IdRange{1, uid.first, uid.count})));
    EXPECT_THAT(gids(), Contains((IdRange{1, gid.first, gid.count})));
}

TEST_F(Map, AProcessThatIsNotThereIsAnError) {
    EXPECT_NE(run({.argv = mine({"4194305"})}).status, 0); // more than the kernel gives
}
