// The walker's guard, asked about processes whose namespaces are known.
#include "run/guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using spec::Stage;

spec::Spec with(std::initializer_list<Stage> stages) {
    spec::Spec spec;
    spec.stages = spec::StageSet(0);
    for (Stage stage : stages)
        spec.stages.add(stage);
    return spec;
}

sys::Result<void> check(const spec::Spec& spec, pid_t pid) {
    stages::Launch launch{.spec = spec};
    launch.child = pid;
    return run::check_namespaces(launch);
}

TEST(Guard, StopsAChildThatIsInOurOwnNamespaces) {
    auto stopped = check(with({Stage::uts, Stage::mount}), getpid());
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().stage, "uts");
    EXPECT_THAT(stopped.error().detail, testing::HasSubstr("the host's uts namespace"));
}

TEST(Guard, AsksOnlyForWhatTheCloneMakes) {
    EXPECT_TRUE(check(with({Stage::root, Stage::caps}), getpid()));
    // The cgroup namespace is unshared later, by the stage itself.
    EXPECT_TRUE(check(with({Stage::cgroup, Stage::time}), getpid()));
    spec::Spec joined = with({Stage::uts});
    joined.joins = {{Stage::uts, "/proc/1/ns/uts"}};
    EXPECT_TRUE(check(joined, getpid()));
}

TEST(Guard, WantsEveryOneOfThem) {
    int ready[2];
    int done[2];
    ASSERT_EQ(pipe(ready), 0);
    ASSERT_EQ(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        close(done[1]);
        char byte = unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0 ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        (void)!read(done[0], &byte, 1); // until the test is over
        _exit(0);
    }
    char answer = 0;
    ASSERT_EQ(read(ready[0], &answer, 1), 1);
    auto both = check(with({Stage::user, Stage::uts}), child);
    auto more = check(with({Stage::user, Stage::uts, Stage::ipc}), child);
    close(done[1]);
    waitpid(child, nullptr, 0);
    for (int fd : {ready[0], ready[1], done[0]})
        close(fd);
    if (answer != 'y')
        GTEST_SKIP() << "host lacks unprivileged user namespaces";
    EXPECT_TRUE(both) << sys::to_line(both.error());
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().stage, "ipc");
}

TEST(Guard, FailsClosedWhereNothingCanBeSeen) {
    EXPECT_FALSE(check(with({Stage::uts}), 0x3fffffff)); // no such process
}

} // namespace
