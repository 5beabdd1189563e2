// --replace: programs of a learner's in the place of stages, in a shell's words.
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace support;
using testing::HasSubstr;

class Replace : public testing::Test {
protected:
    Scratch scratch;
    std::string name = token();
    /// A stage's program: `body`, and what hands on.
    std::string program(const std::string& stage, const std::string& body,
                        const std::string& last = "exec \"$GOCONTAINER_NEXT\" \"$@\"\n") {
        return stage + "=" + scratch.file(stage, "#!/bin/sh -e\n" + body + "\n" + last, 0755);
    }
};

TEST_F(Replace, TheProgramDoesWhatTheStageWouldHave) {
    const std::string uts = program("uts", "hostname \"$GOCONTAINER_HOSTNAME\"; echo by $$ >&2");
    Ended ended = launch({"--replace", uts, "--hostname", name}, {"hostname"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, name + "\n");
    EXPECT_THAT(ended.err, HasSubstr("by 1")); // the child itself, by an exec
    // And what it leaves out is left out.
    Ended without = launch({"--replace", program("uts", ":"), "--hostname", name}, {"hostname"});
    EXPECT_EQ(without.out, slurp("/proc/sys/kernel/hostname"));
}

TEST_F(Replace, AContainerOfOnesOwnStages) {
    Strings options{"--hostname", name};
    for (const std::string& stage :
         {program("uts", "hostname \"$GOCONTAINER_HOSTNAME\""),
          program("mount", R"(mount --make-rprivate /
mount --bind "$GOCONTAINER_ROOTFS" "$GOCONTAINER_ROOTFS"
mount -t tmpfs )" + name + R"( "$GOCONTAINER_ROOTFS/dev"
: > "$GOCONTAINER_ROOTFS/dev/null"
mount --bind /dev/null "$GOCONTAINER_ROOTFS/dev/null")"),
          program("pid", "mount -t proc proc \"$GOCONTAINER_ROOTFS/proc\""),
          program("root", "cd \"$GOCONTAINER_ROOTFS\"; pivot_root . .; umount -l .; cd /"),
          program("net", "ip link set lo up")}) {
        options.emplace_back("--replace");
        options.push_back(stage);
    }
    Container box(options);
    EXPECT_EQ(box.ask("hostname").out, name + "\n");
    EXPECT_EQ(box.ask("echo $$").out, "1\n");
    EXPECT_EQ(box.ask("cat /sys/class/net/lo/operstate 2>/dev/null; ifconfig lo | grep -c UP").out,
              "1\n");
    // Seen from here: the root filesystem, its /dev with its null, and /proc, and nothing of the
    // host's.
    const std::string proc = "/proc/" + std::to_string(box.first());
    const std::string mounts = slurp(proc + "/mountinfo");
    EXPECT_EQ(lines(mounts).size(), 4U) << mounts;
    EXPECT_THAT(mounts, HasSubstr(" /dev rw"));
    EXPECT_THAT(mounts, HasSubstr("tmpfs " + name));
    // What follows was ours again: capabilities, filter, and no descriptor but the streams.
    const std::string status = slurp(proc + "/status");
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
    EXPECT_THAT(status, HasSubstr("CapBnd:\t00000000a80425fb"));
    EXPECT_EQ(listing(proc + "/fd").size(), listing("/proc/self/fd").empty() ? 0U : 3U);
}

TEST_F(Replace, AProgramMayUseAnyDescriptorThatAShellCan) {
    Strings options{"--hostname", name};
    for (const char* stage : {"uts", "net", "caps", "seccomp"}) {
        options.emplace_back("--replace");
        options.push_back(
            program(stage, std::string(stage) == "uts" ? "hostname \"$GOCONTAINER_HOSTNAME\"" : ":",
                    "for n in 3 4 5 6 7 8 9; do eval \"exec $n</dev/null\"; done\n"
                    "exec \"$GOCONTAINER_NEXT\" \"$@\"\n"));
    }
    Ended ended = launch(options, {"hostname"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, name + "\n");
}

TEST_F(Replace, WhatIsKeptForALaterStageIsNoOthersToChange) {
    const std::string caps = program("caps", ":");
    // In bash, since numbers beyond 9 are wanted: what would be executed for caps is another
    // program.
    const std::string thief = scratch.file(
        "thief",
        "#!/bin/bash\nfor f in /proc/self/fd/*; do [[ $(readlink $f) != " + caps.substr(5) +
            " ]] || eval \"exec ${f##*/}</bin/true\"; done\nexec \"$GOCONTAINER_NEXT\" \"$@\"\n",
        0755);
    Ended ended = launch({"--replace", "uts=" + thief, "--replace", caps}, {"echo", name});
    EXPECT_EQ(ended.status, 125);
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.err, HasSubstr("was closed or replaced by the program that stood in"));
}

TEST_F(Replace, ThatDoesNotHandOnIsAnError) {
    Host before = Host::look();
    const std::string silent = program("uts", "exit 3", "");
    Ended ended = launch({"--replace", silent}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("uts: \"" + silent.substr(4) + "\" ended with status 3"));
    EXPECT_THAT(ended.err, HasSubstr("exec \"$GOCONTAINER_NEXT\" \"$@\""));
    Ended killed = launch({"--replace", program("mount", "kill -9 $$", "")}, {"true"});
    // PID 1 of a namespace does not hear itself: it goes on to the end of the script.
    EXPECT_EQ(killed.status, 125);
    EXPECT_THAT(killed.err, HasSubstr("has not handed on"));
    EXPECT_EQ(differs_from(before), "");
    EXPECT_EQ(strays(), "");
}

TEST_F(Replace, WhatCannotBeReplacedIsToldBeforeAnythingIsMade) {
    struct Case {
        std::string option, says;
        Strings others;
    };
    const std::string plain = scratch.file("plain", "no program");
    const std::string windows = scratch.file("windows", "#!/bin/sh\r\nexit 0\r\n");
    chmod(windows.c_str(), 0755);
    for (const Case& one :
         std::vector<Case>{{program("user", ""), "nothing can stand in for user", {}},
                           {program("ipc", ""), "nothing can stand in for ipc", {}},
                           {program("init", ""), "nothing can stand in for init", {"--init"}},
                           {program("uts", ""), "the uts stage is left out", {"--no-uts"}},
                           {"uts=/nowhere/" + name, "ENOENT", {}},
                           {"uts=" + windows, "as on Windows", {}},
                           {"uts=" + plain, is_root() ? "EACCES" : "chmod +x", {}}}) {
        Strings options{"--replace", one.option};
        options.insert(options.end(), one.others.begin(), one.others.end());
        Ended ended = launch(options, {"true"});
        EXPECT_EQ(ended.status, 125) << one.option;
        EXPECT_THAT(ended.err, HasSubstr(one.says));
        EXPECT_THAT(ended.err, HasSubstr("--replace"));
    }
}

TEST_F(Replace, IsSeenFromOutside) {
    Ended ended = launch({"--explain", "--hostname", name, "--replace",
                          program("uts", "hostname \"$GOCONTAINER_HOSTNAME\"")},
                         {"true"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("stands in for it"));
    EXPECT_THAT(ended.err, HasSubstr(" → " + name));         // what it has changed
    EXPECT_THAT(ended.err, Not(HasSubstr("command line:"))); // that we are executed again
}

} // namespace
