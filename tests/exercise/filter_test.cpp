// Lesson 13: a filter in the place of ours, by GOCONTAINER_REPLACE=seccomp=PROGRAM.
#include "tests/exercise/mine.hpp"

#include <gmock/gmock.h>

using namespace exercise;
using testing::ElementsAre;

namespace {

/// What calls answer inside: "mount=EPERM".
Strings answers(const Strings& calls) {
    Ended ended =
        launch({"-v", source() + "/build/tests/probe:/probe:ro"}, joined({"/probe"}, calls));
    EXPECT_EQ(ended.status, 0) << ended.err;
    return lines(ended.out);
}

} // namespace

TEST(Filter, ItIsLoadedOnTheCommand) {
    Container box;
    EXPECT_EQ(status(box.first()).at("Seccomp"), "2");
    EXPECT_EQ(std::stoi(status(box.first()).at("Seccomp_filters")),
              std::stoi(status(getpid()).at("Seccomp_filters")) + 1);
}

TEST(Filter, ANewUserNamespaceIsRefused) {
    EXPECT_THAT(answers({"unshare-newuser", "clone-newuser"}),
                ElementsAre("unshare-newuser=EPERM", "clone-newuser=EPERM"));
}

TEST(Filter, Clone3IsAnsweredAsByAnOldKernel) {
    EXPECT_THAT(answers({"clone3"}), ElementsAre("clone3=ENOSYS"));
}

TEST(Filter, EverythingElseIsTheKernelsToAnswer) {
    EXPECT_THAT(
        answers({"unshare", "clone", "ptrace", "personality", "newer"}),
        ElementsAre("unshare=0", "clone=EINVAL", "ptrace=0", "personality=0", "newer=ENOSYS"));
}
