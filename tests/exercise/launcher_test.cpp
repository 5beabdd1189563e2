// Lesson 1: `mine COMMAND…` starts it in user, mount, pid and uts namespaces of its own.
#include "tests/exercise/mine.hpp"

#include <gmock/gmock.h>

#include <signal.h>
#include <unistd.h>

using namespace exercise;
using testing::Contains;
using testing::EndsWith;

namespace {

/// A shell under the learner's launcher that has answered.
struct Started {
    Strings command{"/bin/sh", "-s", token()};
    Process launcher{{.argv = mine(command)}};
    pid_t shell = -1;
    Started() {
        launcher.type("echo ready\n");
        launcher.until("ready");
        shell = running(launcher.pid(), command);
    }
};

/// Not gone, and no zombie.
bool runs(pid_t pid) {
    auto text = try_slurp("/proc/" + std::to_string(pid) + "/status");
    return text && text->find("State:\tZ") == std::string::npos;
}

} // namespace

TEST(Launcher, TheCommandIsNumberOneInNamespacesOfItsOwn) {
    Started box;
    ASSERT_GT(box.shell, 0) << "the command runs, but is no descendant of its launcher";
    Strings own = own_namespaces(box.shell);
    for (const char* name : {"user", "uts", "mnt", "pid"})
        EXPECT_THAT(own, Contains(name));
    EXPECT_THAT(status(box.shell).at("NSpid"), EndsWith("\t1"));
}

TEST(Launcher, RootInsideIsYouOutside) {
    Started box;
    ASSERT_GT(box.shell, 0);
    EXPECT_THAT(id_map(box.shell, "uid_map"), Contains((IdRange{0, getuid(), 1})));
    EXPECT_THAT(id_map(box.shell, "gid_map"), Contains((IdRange{0, getgid(), 1})));
}

TEST(Launcher, TheStatusIsTheCommands) {
    for (int status : {0, 42})
        EXPECT_EQ(run({.argv = mine({"sh", "-c", "test $$ = 1 && exit " + std::to_string(status)})})
                      .status,
                  status);
}

TEST(Launcher, NothingIsLeftWhenItIsKilled) {
    Started box;
    ASSERT_GT(box.shell, 0);
    ASSERT_NE(box.shell, box.launcher.pid()) << "nobody waits for the command";
    box.launcher.kill(SIGKILL);
    (void)box.launcher.wait();
    bool ended = eventually([&] { return !runs(box.shell); }, Duration{5000});
    EXPECT_TRUE(ended) << "the command is still there";
    if (!ended)
        kill(box.shell, SIGKILL);
}
