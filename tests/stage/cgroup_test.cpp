// The cgroup stage, as far as any machine shows it: a namespace, and a leaf where one can be made.
// Limits are tested where there is pure cgroup v2 (tests/vm).
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <csignal>
#include <gmock/gmock.h>
#include <unistd.h>

using namespace support;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Cgroup, ItsOwnCgroupIsTheRootThatItSees) {
    Container box;
    EXPECT_FALSE(shares(box.first(), "cgroup"));
    Strings own = lines(box.ask("cat /proc/self/cgroup").out);
    ASSERT_FALSE(own.empty());
    for (const std::string& line : own)
        if (line.starts_with("0::")) {
            EXPECT_EQ(line, "0::/");
        }
}

TEST(Cgroup, NothingIsLeftBehind) {
    Host before = Host::look();
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(launch({"--name", token()}, {"true"}).status, 0);
    EXPECT_EQ(differs_from(before), "");
}

TEST(Cgroup, ANamedOneIsNobodyElsesUntilItIsTakenAway) {
    std::string root = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
                           ? "/sys/fs/cgroup"
                           : "/sys/fs/cgroup/unified";
    if (access((root + "/cgroup.procs").c_str(), W_OK) != 0)
        GTEST_SKIP() << "host lacks a cgroup v2 that this user may write to";
    std::string name = token();
    Container box({"-q", "--cgroup", name});
    box.launcher().kill(SIGSTOP); // it will see that its container has ended, and not yet
    kill(box.first(), SIGKILL);
    std::string events = root + "/" + name + "/cgroup.events";
    ASSERT_TRUE(eventually([&] { return slurp(events).find("populated 0") != std::string::npos; }));
    Ended other = launch({"-q", "--cgroup", name}, {"true"});
    EXPECT_EQ(other.status, 125) << "the launcher of the first would end it";
    EXPECT_THAT(other.err, HasSubstr("is in use by another container"));
    box.launcher().kill(SIGCONT);
    EXPECT_EQ(box.launcher().wait().status, 137);
    EXPECT_NE(access(events.c_str(), F_OK), 0);
}

TEST(Cgroup, ItCannotBeWrittenFromInside) {
    Container box({"--cap-add", "sys_admin"});
    auto table = mountinfo(box.first());
    for (const MountLine& mount : table)
        if (mount.type == "cgroup2") {
            EXPECT_TRUE(mount.has("ro")) << mount.point;
        }
    EXPECT_NE(box.ask("mkdir /sys/fs/cgroup/" + token()).status, 0);
}

TEST(Cgroup, OffSharesTheHosts) {
    Container box({"--no-cgroup"});
    EXPECT_TRUE(shares(box.first(), "cgroup"));
    EXPECT_EQ(cgroup_of(box.first()), cgroup_of(getpid()));
}

TEST(Cgroup, ALimitNeedsTheStage) {
    for (const Strings& limit : {Strings{"--memory", "100M"}, Strings{"--pids", "10"},
                                 Strings{"--cpus", "0.5"}, Strings{"--cgroup", "/x"}}) {
        Strings options{"--no-cgroup"};
        options.insert(options.end(), limit.begin(), limit.end());
        Ended ended = launch(options, {"true"});
        EXPECT_EQ(ended.status, 125) << limit.front();
        EXPECT_THAT(ended.err, HasSubstr("cgroup"));
    }
}

TEST(Cgroup, ALimitThatCannotBeEnforcedIsAnError) {
    // Either it is in force, or there is no container.
    Ended ended = launch({"--pids", "40"}, {"cat", "/sys/fs/cgroup/pids.max"});
    if (ended.status == 0)
        EXPECT_EQ(ended.out, "40\n");
    else
        EXPECT_EQ(ended.status, 125) << ended.err;
}
