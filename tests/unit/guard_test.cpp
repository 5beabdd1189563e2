// The walker's guard, asked in processes whose namespaces are known.
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

std::vector<std::string> ours(const spec::Spec& spec) {
    auto found = run::namespaces_for(spec);
    EXPECT_TRUE(found) << sys::to_line(found.error());
    return found.value_or(std::vector<std::string>{});
}

TEST(Guard, StopsAChildThatIsInItsParentsNamespaces) {
    spec::Spec spec = with({Stage::uts, Stage::mount});
    auto stopped = run::check_namespaces(spec, ours(spec));
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().stage, "uts");
    EXPECT_THAT(stopped.error().detail, testing::HasSubstr("the host's uts namespace"));
    EXPECT_FALSE(run::surely_elsewhere(spec, ours(spec)));
}

TEST(Guard, AsksOnlyForWhatTheCloneMakes) {
    // The cgroup namespace is unshared later, by the stage itself.
    spec::Spec joined = with({Stage::uts});
    joined.joins = {{Stage::uts, "/proc/1/ns/uts"}};
    for (const spec::Spec& spec :
         {with({Stage::root, Stage::caps}), with({Stage::cgroup, Stage::time}), joined}) {
        EXPECT_THAT(ours(spec), testing::IsEmpty());
        EXPECT_TRUE(run::check_namespaces(spec, {}));
        EXPECT_TRUE(run::surely_elsewhere(spec, {}));
    }
}

TEST(Guard, WantsEveryOneOfThem) {
    spec::Spec two = with({Stage::user, Stage::uts});
    spec::Spec three = with({Stage::user, Stage::uts, Stage::ipc});
    auto parents_two = ours(two);
    auto parents_three = ours(three);
    ASSERT_EQ(parents_three.size(), 3u);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWUTS) != 0)
            _exit(77);
        auto both = run::check_namespaces(two, parents_two);
        auto more = run::check_namespaces(three, parents_three);
        if (!run::surely_elsewhere(two, parents_two))
            _exit(4);
        if (run::surely_elsewhere(three, parents_three))
            _exit(5);
        _exit(!both ? 1 : more ? 2 : more.error().stage != "ipc" ? 3 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        GTEST_SKIP() << "host lacks unprivileged user namespaces";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Guard, FailsClosedWhereNothingIsKnownOfTheParent) {
    EXPECT_FALSE(run::check_namespaces(with({Stage::uts}), {}));
    EXPECT_FALSE(run::surely_elsewhere(with({Stage::uts}), {}));
}

} // namespace
