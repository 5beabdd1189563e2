// The pid stage: process numbers, and the /proc that shows them.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

using namespace support;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

/// The number of a process in each namespace, outermost first.
std::vector<int> numbers(pid_t pid) {
    std::istringstream in(status(pid).at("NSpid"));
    std::vector<int> out;
    int number = 0;
    while (in >> number)
        out.push_back(number);
    return out;
}

/// The processes that the container's own /proc shows.
std::vector<int> shown(pid_t pid) {
    std::vector<int> out;
    for (const std::string& name : Root(pid).list("/proc"))
        if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }))
            out.push_back(std::stoi(name));
    return out;
}

std::size_t own_depth() {
    return numbers(getpid()).size();
}

} // namespace

TEST(Pid, TheFirstProcessIsNumberOne) {
    Container box;
    EXPECT_FALSE(shares(box.first(), "pid"));
    EXPECT_EQ(numbers(box.first()).size(), own_depth() + 1);
    EXPECT_EQ(numbers(box.first()).back(), 1);
    EXPECT_EQ(box.ask("echo $$").out, "1\n");
}

TEST(Pid, ProcShowsItsOwnProcessesOnly) {
    Container box;
    EXPECT_THAT(shown(box.first()), ElementsAre(1));
    auto table = mountinfo(box.first());
    const MountLine* proc = mounted_at(table, "/proc");
    ASSERT_NE(proc, nullptr);
    EXPECT_EQ(proc->type, "proc");
    EXPECT_EQ(proc->root, "/");
    for (const char* option : {"nosuid", "nodev", "noexec"})
        EXPECT_TRUE(proc->has(option)) << option;
    EXPECT_EQ(box.ask("readlink /proc/self/exe >/dev/null && echo fine").out, "fine\n");
}

TEST(Pid, NewIsTheDefault) {
    Container box({"--proc", "new"});
    EXPECT_THAT(shown(box.first()), ElementsAre(1));
}

TEST(Pid, BindShowsTheOuterProcesses) {
    Container box({"--proc", "bind"});
    EXPECT_FALSE(shares(box.first(), "pid"));
    EXPECT_THAT(shown(box.first()), Contains(getpid()));
    EXPECT_THAT(shown(box.first()), Contains(box.first()));
    auto table = mountinfo(box.first());
    for (const char* option : {"nosuid", "nodev", "noexec"})
        EXPECT_TRUE(mounted_at(table, "/proc")->has(option)) << option;
}

TEST(Pid, NoneLeavesItEmpty) {
    Container box({"--proc", "none"});
    EXPECT_FALSE(shares(box.first(), "pid"));
    auto table = mountinfo(box.first());
    EXPECT_EQ(mounted_at(table, "/proc"), nullptr);
    EXPECT_THAT(Root(box.first()).list("/proc"), ElementsAre());
}

TEST(Pid, ProcessesOutsideCannotBeSignalled) {
    Process victim({.argv = {"cat"}});
    Container box({"--cap-add", "all"});
    EXPECT_NE(box.ask("kill -9 " + std::to_string(victim.pid())).status, 0);
    EXPECT_TRUE(victim.running());
}

TEST(Pid, EverythingEndsWithNumberOne) {
    Container box;
    box.ask("for i in 1 2 3; do sh -c 'trap \"\" TERM HUP; sleep 1000' >/dev/null 2>&1 & done");
    ASSERT_TRUE(eventually([&] { return descendants_of(box.first()).size() >= 3; }));
    std::vector<pid_t> all = descendants_of(box.first());
    EXPECT_EQ(box.end(5).status, 5);
    for (pid_t pid : all)
        EXPECT_TRUE(eventually([&] { return kill(pid, 0) != 0 && errno == ESRCH; })) << pid;
}

TEST(Pid, OffKeepsTheHostsNumbers) {
    Container box({"--no-pid"});
    EXPECT_TRUE(shares(box.first(), "pid"));
    EXPECT_EQ(numbers(box.first()).size(), own_depth());
    EXPECT_EQ(box.ask("echo $$").out, std::to_string(numbers(box.first()).back()) + "\n");
}

TEST(Pid, OffLeavesProcEmptyAndSaysSo) {
    Ended ended = launch({"--no-pid", "--no-cgroup"}, {"ls", "-A", "/proc"});
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.err, HasSubstr("/proc is empty"));
    EXPECT_THAT(ended.err, HasSubstr("-v /proc:/proc"));
    // As it says.
    ended = launch({"--no-pid", "--no-cgroup", "-v", "/proc:/proc"}, {"ls", "/proc/self/status"});
    EXPECT_EQ(ended.out, "/proc/self/status\n");
    EXPECT_THAT(ended.err, Not(HasSubstr("/proc is empty")));
    // The host's stays.
    EXPECT_THAT(launch({"--only", "user,mount"}, {"true"}).err, Not(HasSubstr("/proc is empty")));
}

TEST(Pid, AloneWithTheUserStage) {
    Container box({"--only", "user,pid"});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre("user", "pid"));
    EXPECT_EQ(numbers(box.first()).back(), 1);
}

TEST(Pid, AProcOfItsOwnNeedsTheMountStage) {
    Ended ended = launch({"--only", "user,pid", "--proc", "new"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("--proc"));
}
