// --break: each fault is really there, and seen where lessons/TEACHING.md says.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <unistd.h>

#include <system_error>

using namespace support;
using testing::HasSubstr;
using testing::Not;

namespace {

std::string of(pid_t pid, const std::string& file) {
    return "/proc/" + std::to_string(pid) + "/" + file;
}

/// A launch with a fault that keeps it from starting.
std::string stopped(const Strings& options) {
    Ended ended = launch(options, {"echo", "started"});
    EXPECT_EQ(ended.status, 125) << ended.err;
    EXPECT_EQ(ended.out, "");
    return ended.err;
}

TEST(Break, PropagationLeftShared) {
    auto peers = [](const Strings& more) {
        Strings options{"--map", "single"};
        options.insert(options.end(), more.begin(), more.end());
        Container box(options, {.before_exec = [] { enter_own_mounts(/*shared=*/true); }});
        return slurp(of(box.first(), "mountinfo"));
    };
    EXPECT_THAT(peers({}), Not(HasSubstr(" master:")));
    EXPECT_THAT(peers({"--break", "1"}), HasSubstr(" master:"));
}

TEST(Break, UmountForgotten) {
    Scratch scratch;
    const std::string secret = token();
    const std::string file = scratch.file("secret", secret);
    EXPECT_NE(Container().ask("cat /.." + file).status, 0);
    Container box({"--break", "2"});
    EXPECT_EQ(box.ask("cat /.." + file).out, secret);
    EXPECT_GT(mountinfo(box.first()).size(), mountinfo(Container().first()).size());
}

TEST(Break, MapMissing) {
    EXPECT_THAT(stopped({"--break", "3"}), HasSubstr("user: set"));
}

TEST(Break, LoopbackDown) {
    auto up = [](const Strings& options) {
        Container box(options);
        auto flags = Root(box.first()).read("sys/class/net/lo/flags");
        return (std::stoul(flags.value_or("0"), nullptr, 16) & 1U) != 0; // IFF_UP
    };
    EXPECT_TRUE(up({}));
    EXPECT_FALSE(up({"--break", "4"}));
}

TEST(Break, FilterBeforeNoNewPrivs) {
    EXPECT_THAT(stopped({"--break", "5"}), HasSubstr("seccomp: seccomp(SECCOMP_SET_MODE_FILTER"));
    Container box({"--break", "5", "--cap-add", "sys_admin"});
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "0");
    EXPECT_EQ(status(box.first()).at("Seccomp"), "2");
}

TEST(Break, BoundingSetFull) {
    const std::uint64_t all = (2ULL << std::stoul(slurp("/proc/sys/kernel/cap_last_cap"))) - 1;
    EXPECT_EQ(status_bits(Container({"--break", "6"}).first(), "CapBnd"), all);
    EXPECT_NE(status_bits(Container().first(), "CapBnd"), all);
}

TEST(Break, HostnameNotSet) {
    Container box({"--break", "7", "--hostname", token()});
    EXPECT_FALSE(shares(box.first(), "uts"));
    EXPECT_EQ(box.ask("hostname").out, slurp("/proc/sys/kernel/hostname"));
}

TEST(Break, CgroupNamespaceMissing) {
    EXPECT_THAT(stopped({"--break", "8"}), HasSubstr("mount: mount(\"cgroup2\")"));
    Container box({"--break", "8", "--no-mount", "--no-root"});
    EXPECT_TRUE(shares(box.first(), "cgroup"));
}

TEST(Break, LimitNotWritten) {
    if (launch({"--pids", "40"}, {"true"}).status != 0)
        GTEST_SKIP() << "no pids controller that this user may have";
    Container box({"--break", "9", "--pids", "40"});
    EXPECT_EQ(Root(box.first()).read("sys/fs/cgroup/pids.max"), "max\n");
    EXPECT_EQ(Root(Container({"--pids", "40"}).first()).read("sys/fs/cgroup/pids.max"), "40\n");
}

TEST(Break, GroupsKept) {
    constexpr gid_t kSome[] = {4242};
    auto before = [&] {
        if (is_root() &&
            setgroups(std::size(kSome), kSome) != 0) // an ordinary user has some anyhow
            throw std::system_error(errno, std::generic_category(), "setgroups");
    };
    Container whole({}, {.before_exec = before});
    if (slurp(of(whole.first(), "setgroups")) != "allow\n")
        GTEST_SKIP() << "setgroups is denied: /etc/subgid gives this user no range";
    EXPECT_THAT(status(whole.first()).at("Groups"), testing::MatchesRegex(" *"));
    Container box({"--break", "10"}, {.before_exec = before});
    EXPECT_THAT(status(box.first()).at("Groups"), testing::ContainsRegex("[0-9]"));
}

TEST(Break, DescriptorsLeaked) {
    Scratch scratch;
    const std::string file = scratch.file(token(), "");
    auto leaks = [&](const Strings& options) {
        Container box(options, {.before_exec = [&] { (void)open(file.c_str(), O_RDONLY); }});
        for (const auto& [number, leads_to] : descriptors(box.first()))
            if (leads_to.ends_with(file.substr(file.rfind('/'))))
                return true;
        return false;
    };
    EXPECT_FALSE(leaks({}));
    EXPECT_TRUE(leaks({"--break", "11"}));
}

TEST(Break, ReadOnlyPathsWritable) {
    auto read_only = [](const Strings& options) {
        auto table = mountinfo(Container(options).first());
        const MountLine* sysctl = mounted_at(table, "/proc/sys");
        return sysctl != nullptr && sysctl->has("ro");
    };
    EXPECT_TRUE(read_only({}));
    EXPECT_FALSE(read_only({"--break", "12"}));
}

TEST(Break, PivotFromElsewhere) {
    EXPECT_THAT(stopped({"--break", "13"}), HasSubstr("root: pivot_root(\".\", \".\"): EINVAL"));
}

TEST(Break, WhatHasNoEffectIsAnError) {
    EXPECT_THAT(stopped({"--break", "0"}), HasSubstr("no such fault"));
    EXPECT_THAT(stopped({"--break", token()}), HasSubstr("no such fault"));
    EXPECT_THAT(stopped({"--break", "7", "--no-uts"}), HasSubstr("the uts stage is left out"));
    EXPECT_THAT(stopped({"--break", "2", "--root", "chroot"}), HasSubstr("nothing that it could"));
    EXPECT_THAT(stopped({"--break", "9"}), HasSubstr("nothing that it could break"));
    EXPECT_THAT(stopped({"--break", "10", "--no-user"}), HasSubstr("the user stage is left out"));
    EXPECT_THAT(stopped({"--break", "1", "--no-user"}), HasSubstr("without the user stage"));
    EXPECT_THAT(stopped({"--break", "7", "--replace", "uts=/bin/sh"}), HasSubstr("--replace"));
}

TEST(Break, LeavesNothingBehind) {
    Host before = Host::look();
    for (const char* fault : {"1", "2", "3", "8", "11", "13"})
        (void)launch({"--break", fault}, {"true"});
    EXPECT_EQ(differs_from(before), "");
    EXPECT_EQ(strays(), "");
}

TEST(Break, IsHiddenFromWhoIsToFindOut) {
    EXPECT_THAT(run({.argv = {gocontainer(), "parent", "--help"}}).out, Not(HasSubstr("--break")));
    Ended told = launch({"--explain", "--plain", "--break", "umount"}, {"true"});
    EXPECT_EQ(told.status, 0) << told.err;
    EXPECT_THAT(told.err, HasSubstr("pivot_root(\".\", \".\")"));
    EXPECT_THAT(told.err, Not(HasSubstr("umount2(\".\""))); // it is not made, so it is not told
}

} // namespace
