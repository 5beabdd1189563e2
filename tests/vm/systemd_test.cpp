// An ordinary user, logged in where systemd is process 1: nothing is delegated to his session, so a
// limit makes the launcher ask his own systemd for a scope, whose leaf is found here from outside.
#include "tests/support/folders.hpp"
#include "tests/vm/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <set>

using namespace vm;

namespace {

std::string user_service() {
    std::string uid = std::to_string(getuid());
    return "/sys/fs/cgroup/user.slice/user-" + uid + ".slice/user@" + uid + ".service";
}

std::string why_not() {
    const char* folder = getenv("XDG_RUNTIME_DIR");
    if (getuid() == 0 || !exists("/run/systemd/system") || folder == nullptr ||
        !exists(folder + std::string("/bus")))
        return "host lacks a 'systemd --user' session for uid " + std::to_string(getuid());
    if (access((own_cgroup() + "/cgroup.procs").c_str(), W_OK) == 0)
        return "host lacks a session without delegation: " + own_cgroup() + " is ours";
    return lacks_controller("memory");
}

#define NEEDS_SESSION()                                                                            \
    if (std::string why = why_not(); !why.empty())                                                 \
    GTEST_SKIP() << why

/// The cgroups of the user's programs. (Others come and go below him: his bus, when first called.)
std::set<std::string> cgroups() {
    return support::folders_below(user_service() + "/app.slice");
}

/// Nothing is there that was not there before; systemd removes an empty scope in its own time.
void expect_nothing_new(const std::set<std::string>& before) {
    auto added = [&] {
        std::string paths;
        for (const std::string& path : cgroups())
            if (!before.contains(path))
                paths += path + " with processes '" + read_file(path + "/cgroup.procs") + "'\n";
        return paths;
    };
    EXPECT_TRUE(support::eventually([&] { return added().empty(); })) << added();
}

void expect_leaf_in_scope_of_its_own(const Caller& caller) {
    auto before = cgroups();
    {
        Container container({"--memory", "64M", "--pids", "20"}, "read go; exit 7", caller);
        std::string leaf = container.leaf();
        EXPECT_TRUE(leaf.starts_with(user_service() + "/app.slice/")) << leaf;
        EXPECT_EQ(read_file(leaf + "/memory.max"), "67108864");
        EXPECT_EQ(read_file(leaf + "/pids.max"), "20");
        EXPECT_EQ(read_file(leaf + "/cgroup.procs"), std::to_string(container.process()));
        container.go();
        EXPECT_EQ(container.wait(), 7) << container.err();
        EXPECT_EQ(container.err(), "");
        EXPECT_FALSE(exists(leaf));
    }
    expect_nothing_new(before);
}

} // namespace

TEST(SystemdTest, SessionAsksForADelegatedScope) {
    NEEDS_SESSION();
    expect_leaf_in_scope_of_its_own({});
}

TEST(SystemdTest, ScopeWithoutDelegationAsksForOne) {
    NEEDS_SESSION();
    expect_leaf_in_scope_of_its_own(
        {{}, {}, {}, {"systemd-run", "--user", "--scope", "--quiet", "--collect"}});
}

TEST(SystemdTest, LimitsInTheScopeHold) {
    NEEDS_SESSION();
    Container container({"--memory", "32M"},
                        "read line; tail /dev/zero; status=$?; read go; exit $status");
    std::string leaf = container.leaf();
    ASSERT_EQ(read_file(leaf + "/memory.max"), "33554432");
    container.step();
    EXPECT_TRUE(support::eventually(
        [&] { return field(read_file(leaf + "/memory.events"), "oom_kill") > 0; }));
    container.go();
    EXPECT_EQ(container.wait(), 137) << container.err();
}

TEST(SystemdTest, TwoScopesAtOnce) {
    NEEDS_SESSION();
    Container one({"--memory", "40M"}, "read go; exit 7");
    Container other({"--memory", "50M"}, "read go; exit 8");
    EXPECT_EQ(read_file(one.leaf() + "/memory.max"), "41943040");
    EXPECT_EQ(read_file(other.leaf() + "/memory.max"), "52428800");
    one.go();
    EXPECT_EQ(one.wait(), 7) << one.err();
    other.go();
    EXPECT_EQ(other.wait(), 8) << other.err();
}

TEST(SystemdTest, NothingIsLeftWhenTheLauncherIsKilled) {
    NEEDS_SESSION();
    auto before = cgroups();
    Container container({"--memory", "64M"}, "read go; exit 7");
    std::string leaf = container.leaf();
    ASSERT_NE(leaf, "");
    kill(container.launcher(), SIGKILL);
    EXPECT_EQ(container.wait(), 128 + SIGKILL);
    expect_nothing_new(before);
}

TEST(SystemdTest, ControllerThatTheUserWasNotGivenIsAnError) {
    NEEDS_SESSION();
    if (has_word(read_file(user_service() + "/cgroup.controllers"), "io"))
        GTEST_SKIP() << "host lacks a controller that is kept from its users";
    auto before = cgroups();
    {
        Container container({"--io-weight", "200"}, "echo ran");
        EXPECT_EQ(container.wait(), 125);
        EXPECT_THAT(container.err(), testing::HasSubstr("io"));
        EXPECT_EQ(container.err().find('\n'), container.err().size() - 1) << container.err();
        EXPECT_EQ(container.out(), "");
    }
    expect_nothing_new(before);
}

TEST(SystemdTest, WithoutLimitsNoScopeIsAskedFor) {
    NEEDS_SESSION();
    auto before = cgroups();
    Container container({}, "read go; exit 7");
    EXPECT_GT(container.process(), 0);
    expect_nothing_new(before);
    container.go();
    EXPECT_EQ(container.wait(), 7) << container.err();
}
