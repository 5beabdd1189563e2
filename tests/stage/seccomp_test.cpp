// The seccomp stage: what the kernel says of the filter, and what calls answer inside.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

using namespace support;
using testing::AllOf;
using testing::HasSubstr;

namespace {

/// The kernel's count of filters on a process; those on the test itself are on everyone.
int filters(pid_t pid) {
    return std::stoi(status(pid).at("Seccomp_filters"));
}

/// tests/probe.cpp inside: the answers to `calls`.
Ended probe(Strings options, const Strings& calls) {
    options.insert(options.end(), {"-v", source() + "/build/tests/probe:/probe:ro"});
    Strings command = {"/probe"};
    command.insert(command.end(), calls.begin(), calls.end());
    return launch(options, command);
}

/// The same, for a launch that must go well: "mount=EPERM", a line each.
Strings answers(const Strings& options, const Strings& calls) {
    Ended ended = probe(options, calls);
    EXPECT_EQ(ended.status, 0) << ended.err;
    return lines(ended.out);
}

std::string profile(const std::string& default_action, const std::string& rules) {
    return R"({"defaultAction": ")" + default_action + R"(", "syscalls": [)" + rules + "]}";
}

} // namespace

TEST(Seccomp, EveryProcessHasOneFilterMoreAndNoNewPrivileges) {
    Container box;
    EXPECT_EQ(status(box.first()).at("Seccomp"), "2");
    EXPECT_EQ(filters(box.first()), filters(getpid()) + 1);
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "1");
    EXPECT_EQ(box.ask("grep Seccomp_filters /proc/self/status").out,
              "Seccomp_filters:\t" + std::to_string(filters(getpid()) + 1) + "\n");
}

TEST(Seccomp, OffAndNoneLeaveTheCallersFilters) {
    for (const Strings& options : {Strings{"--no-seccomp"}, Strings{"--seccomp", "none"}}) {
        Container box(options);
        EXPECT_EQ(filters(box.first()), filters(getpid()));
        EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "1") << "the caps stage sees to that";
    }
}

TEST(Seccomp, DefaultAnswers) {
    Strings calls = {"getppid",
                     "unshare",
                     "setns",
                     "mount",
                     "clone3",
                     "clone",
                     "clone-newuser",
                     "keyctl",
                     "add_key",
                     "perf_event_open",
                     "get_mempolicy",
                     "chroot",
                     "ptrace",
                     "personality",
                     "personality-norandom",
                     "socket-unix",
                     "socket-vsock",
                     "socket-vsock-high",
                     "socket-alg",
                     "socket-alg-high",
                     "tiocgwinsz",
                     "tiocsti",
                     "tiocsti-high",
                     "tioclinux",
                     "tioclinux-high",
                     "newer"};
    Strings expected = {"getppid=0",
                        "unshare=EPERM",
                        "setns=EPERM",
                        "mount=EPERM",
                        "clone3=ENOSYS",
                        "clone=EINVAL",
                        "clone-newuser=EPERM",
                        "keyctl=EPERM",
                        "add_key=EPERM",
                        "perf_event_open=EPERM",
                        "get_mempolicy=EPERM",
                        "chroot=EFAULT",
                        "ptrace=0",
                        "personality=0",
                        "personality-norandom=EPERM",
                        "socket-unix=0",
                        "socket-vsock=EPERM",
                        "socket-vsock-high=EPERM",
                        "socket-alg=EPERM",
                        "socket-alg-high=EPERM",
                        "tiocgwinsz=EBADF",
                        "tiocsti=EPERM",
                        "tiocsti-high=EPERM",
                        "tioclinux=EPERM",
                        "tioclinux-high=EPERM",
                        "newer=ENOSYS"};
    EXPECT_EQ(answers({}, calls), expected);
    EXPECT_EQ(answers({"--seccomp", "default"}, calls), expected);
    EXPECT_EQ(answers({"--new-privs"}, calls), expected);
}

// Shows too that the answers above are the filter's, not the kernel's own.
TEST(Seccomp, NoneAnswersWithTheKernelsOwn) {
    EXPECT_EQ(answers({"--seccomp", "none"},
                      {"unshare", "setns", "mount", "clone3", "clone-newuser", "tiocsti"}),
              (Strings{"unshare=0", "setns=EBADF", "mount=EFAULT", "clone3=EINVAL",
                       "clone-newuser=EINVAL", "tiocsti=EBADF"}));
}

TEST(Seccomp, WhatACapabilityIsForGoesWithIt) {
    Strings calls = {"unshare", "mount", "clone3", "clone-newuser", "get_mempolicy", "tiocsti"};
    EXPECT_EQ(answers({"--cap-add", "sys_admin"}, calls),
              (Strings{"unshare=0", "mount=EFAULT", "clone3=EINVAL", "clone-newuser=EINVAL",
                       "get_mempolicy=EPERM", "tiocsti=EPERM"}));
    EXPECT_EQ(answers({"--cap-drop", "sys_chroot"}, {"chroot", "getppid"}),
              (Strings{"chroot=EPERM", "getppid=0"}));
}

TEST(Seccomp, WithoutTheCapsStageAllOfThemCount) {
    Container box({"--no-caps"});
    EXPECT_EQ(filters(box.first()), filters(getpid()) + 1);
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "1") << "or there could be no filter";
    EXPECT_EQ(answers({"--no-caps"}, {"unshare", "mount", "keyctl"}),
              (Strings{"unshare=0", "mount=EFAULT", "keyctl=EPERM"}));
}

TEST(Seccomp, AloneItGoesByWhatTheCallerMay) {
    Ended ended = launch({"--only", "seccomp"},
                         {source() + "/build/tests/probe", "unshare", "clone3", "keyctl"});
    EXPECT_EQ(lines(ended.out), is_root()
                                    ? (Strings{"unshare=0", "clone3=EINVAL", "keyctl=EPERM"})
                                    : (Strings{"unshare=EPERM", "clone3=ENOSYS", "keyctl=EPERM"}))
        << ended.err;
}

TEST(Seccomp, AFileDecidesAlone) {
    Scratch scratch;
    std::string file =
        scratch.file("profile.json", profile("SCMP_ACT_ALLOW",
                                             R"({"names": ["keyctl"], "action": "SCMP_ACT_ERRNO",
                                                 "errnoRet": 18},
                                                {"names": ["personality"], "action":
                                                 "SCMP_ACT_KILL_PROCESS", "args": [{"index": 0,
                                                 "op": "SCMP_CMP_EQ", "value": 262144}]})"));
    EXPECT_EQ(answers({"--seccomp", file}, {"keyctl", "unshare", "tiocsti", "personality"}),
              (Strings{"keyctl=EXDEV", "unshare=0", "tiocsti=EBADF", "personality=0"}));
    Ended ended = probe({"--seccomp", file}, {"keyctl", "personality-norandom", "unshare"});
    EXPECT_EQ(ended.status, 128 + SIGSYS);
    EXPECT_EQ(ended.out, "keyctl=EXDEV\n");
}

TEST(Seccomp, AFileGoesByCapabilitiesToo) {
    Scratch scratch;
    std::string file =
        scratch.file("profile.json",
                     profile("SCMP_ACT_ALLOW", R"({"names": ["keyctl"], "action": "SCMP_ACT_ERRNO",
                                      "errnoRet": 18, "excludes": {"caps": ["CAP_SYS_ADMIN"]}})"));
    EXPECT_EQ(answers({"--seccomp", file}, {"keyctl"}), Strings{"keyctl=EXDEV"});
    EXPECT_EQ(answers({"--seccomp", file, "--cap-add", "sys_admin"}, {"keyctl"}),
              Strings{"keyctl=EOPNOTSUPP"});
}

TEST(Seccomp, OurDefaultAsAFileIsTheSame) {
    std::string file = source() + "/stages/seccomp-default.json";
    EXPECT_EQ(answers({"--seccomp", file}, {"unshare", "clone3", "tiocsti-high", "getppid"}),
              (Strings{"unshare=EPERM", "clone3=ENOSYS", "tiocsti-high=EPERM", "getppid=0"}));
}

// Profiles live longer than kernels: what we need ourselves may not be in them.
TEST(Seccomp, AFileFromBeforeCloseRangeWorks) {
    Scratch scratch;
    std::string file = scratch.file(
        "profile.json",
        profile("SCMP_ACT_ALLOW",
                R"({"names": ["close_range", "openat2", "clone3", "faccessat2", "pidfd_open"],
                    "action": "SCMP_ACT_ERRNO"})"));
    for (const Strings& options : {Strings{}, Strings{"--init"}}) {
        Strings all = options;
        all.insert(all.end(), {"--seccomp", file});
        Ended ended = launch(all, {"echo", "started"});
        EXPECT_EQ(ended.out, "started\n") << ended.err;
    }
}

TEST(Seccomp, ABadFileIsRefusedWithTheSpot) {
    Scratch scratch;
    struct {
        std::string text;
        const char* says;
    } const cases[] = {
        {"{", "is not JSON"},
        {profile("SCMP_ACT_NO", ""), "defaultAction: \"SCMP_ACT_NO\" is not an action"},
        {profile("SCMP_ACT_ALLOW",
                 R"({"names": ["read"], "action": "SCMP_ACT_ERRNO"},
                    {"names": ["read"], "action": "SCMP_ACT_ERRNO",
                     "args": [{"index": 0, "op": "SCMP_CMP_IS", "value": 0}]})"),
         "syscalls[1].args[0].op: \"SCMP_CMP_IS\" is not an operator"},
        {profile("SCMP_ACT_KILL", R"({"names": ["read"], "action": "SCMP_ACT_ALLOW"})"),
         "execve never passes"},
        {profile("SCMP_ACT_NOTIFY", ""), "nothing here listens for SCMP_ACT_NOTIFY"},
    };
    for (const auto& [text, says] : cases) {
        std::string file = scratch.file("profile.json", text);
        Ended ended = launch({"--seccomp", file}, {"echo", "started"});
        EXPECT_EQ(ended.status, 125);
        EXPECT_EQ(ended.out, "");
        EXPECT_THAT(ended.err,
                    AllOf(HasSubstr("seccomp: --seccomp \"" + file + "\": "), HasSubstr(says)));
    }
    Ended ended = launch({"--seccomp", scratch / "none-such"}, {"echo", "started"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("none-such"), HasSubstr("ENOENT"),
                                 HasSubstr("Docker's JSON form")));
}

TEST(Seccomp, WhatFailsBehindTheFilterIsStillSaid) {
    Scratch scratch;
    for (const char* action : {"SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"}) {
        std::string file = scratch.file(
            "profile.json", profile("SCMP_ACT_ALLOW", R"({"names": ["sendmsg", "sendto", "write"],
                                                         "action": ")" +
                                                          std::string(action) + "\"}"));
        for (const Strings& options : {Strings{}, Strings{"--init"}}) {
            Strings all{"-q", "--seccomp", file};
            all.insert(all.end(), options.begin(), options.end());
            Ended ended = launch(all, {"no-such-program"});
            EXPECT_EQ(ended.status, 127) << action;
            EXPECT_THAT(ended.err, HasSubstr("no-such-program"));
            EXPECT_EQ(lines(ended.err).size(), 1U) << ended.err;
            ended = launch(all, {"true"});
            EXPECT_EQ(ended.status, 0) << action;
            EXPECT_EQ(ended.err, "");
        }
    }
}

TEST(Seccomp, AFilterThatEndsTheLaunchIsNamed) {
    Scratch scratch;
    std::string file = scratch.file(
        "profile.json", profile("SCMP_ACT_ALLOW", R"({"names": ["close_range", "personality"],
                                                     "action": "SCMP_ACT_KILL_PROCESS"})"));
    for (const Strings& options : {Strings{}, Strings{"--init"}}) {
        Strings all{"-q", "--seccomp", file};
        all.insert(all.end(), options.begin(), options.end());
        Ended ended = launch(all, {"true"});
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, AllOf(HasSubstr("seccomp: "), HasSubstr(file), HasSubstr("SIGSYS")));
    }
    // Of the command's own end there is nothing to say.
    file = scratch.file("own.json", profile("SCMP_ACT_ALLOW", R"({"names": ["sethostname"],
                                                     "action": "SCMP_ACT_KILL_PROCESS"})"));
    Ended ended = launch({"-q", "--seccomp", file}, {"hostname", "x"});
    EXPECT_EQ(ended.status, 128 + SIGSYS);
    EXPECT_EQ(ended.err, "");
}

TEST(Seccomp, NewPrivilegesAreStillFiltered) {
    Container box({"--new-privs"});
    EXPECT_EQ(filters(box.first()), filters(getpid()) + 1);
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "0");
}

TEST(Seccomp, NewPrivilegesNeedSomebodyToAnswerForTheFilter) {
    if (is_root())
        GTEST_SKIP() << "needs an ordinary user, who lacks CAP_SYS_ADMIN";
    Ended ended = launch({"--only", "seccomp", "--new-privs"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("EACCES"), HasSubstr("leave out --new-privs")));
}
