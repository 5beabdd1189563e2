// A filter of config.json's that knows nothing of what we do under it, or lets nothing be said:
// the command starts, or what went wrong is said all the same.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <sys/ioctl.h>
#include <sys/stat.h>

using support::Bundle;
using support::Ended;
using testing::HasSubstr;

namespace {

class Silence : public testing::TestWithParam<const char*> {
protected:
    static void deny(Bundle& bundle, const std::vector<std::string>& calls) {
        bundle.config["linux"]["seccomp"] = {
            {"defaultAction", "SCMP_ACT_ALLOW"},
            {"syscalls", {{{"names", calls}, {"action", GetParam()}}}}};
    }
    /// Neither a program nor a script: the kernel says so at the exec, and nobody before.
    static void spoil(const Bundle& bundle) {
        support::spill(bundle.path() + "/rootfs/bad", "nonsense\n");
        ASSERT_EQ(chmod((bundle.path() + "/rootfs/bad").c_str(), 0755), 0);
    }
};
INSTANTIATE_TEST_SUITE_P(, Silence, testing::Values("SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"),
                         [](const auto& each) { return std::string(each.param); });

constexpr const char* kWrong = "execve(\"/bad\"): ENOEXEC";

TEST_P(Silence, LosesNoErrorOfRun) {
    Bundle bundle;
    spoil(bundle);
    deny(bundle, {"write", "writev", "sendto", "sendmsg", "sendmmsg"});
    bundle.args({"/bad"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr(kWrong));
    EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
}

TEST_P(Silence, LosesNoErrorOfStart) {
    Bundle bundle;
    spoil(bundle);
    deny(bundle, {"write", "writev", "sendto", "sendmsg", "sendmmsg"});
    bundle.args({"/bad"});
    bundle.create();
    Ended ended = bundle.runtime({"start", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr(kWrong));
    EXPECT_TRUE(support::eventually([&] { return bundle.status() == "stopped"; }));
    EXPECT_EQ(bundle.runtime({"delete", bundle.id()}).status, 0);
}

TEST_P(Silence, LosesNoErrorOfExec) {
    Bundle bundle;
    spoil(bundle);
    deny(bundle, {"write", "writev", "sendto", "sendmsg", "sendmmsg"});
    bundle.args({"sleep", "1000"});
    bundle.start();
    Ended ended = bundle.runtime({"exec", bundle.id(), "/bad"});
    EXPECT_EQ(ended.status, 255);
    EXPECT_THAT(ended.err, HasSubstr(kWrong));
    EXPECT_EQ(bundle.runtime({"exec", bundle.id(), "sleep", "0"}).status, 0);
}

TEST_P(Silence, NamesTheFilterThatEndsALaunch) {
    if (std::string(GetParam()) != "SCMP_ACT_KILL_PROCESS")
        return; // close_range may fail
    Bundle bundle;
    deny(bundle, {"close_range"});
    bundle.args({"true"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("under the filter of linux.seccomp"));
    bundle.create();
    ended = bundle.runtime({"start", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("under the filter of linux.seccomp"));
}

/// Calls of ours that a command may well do without, and so its profile.
const std::vector<std::string> kOurs{
    "accept4", "capget",  "clone3", "close_range", "dup2",       "dup3",     "execveat",
    "getcwd",  "openat2", "pipe2",  "prctl",       "prlimit64",  "recvfrom", "recvmsg",
    "sendmsg", "sendto",  "setns",  "setsid",      "socketpair", "umask",    "unshare"};

// Without no_new_privs the user is set under the filter, which has nothing to do with this.
TEST(UnderAFilter, AnIdThatIsNotMappedIsSaid) {
    Bundle bundle;
    nlohmann::json& linux = bundle.config["linux"];
    linux["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"},
                        {"syscalls", {{{"names", {"sync"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
    if (support::is_root()) {
        linux["namespaces"].push_back({{"type", "user"}});
        for (const char* maps : {"uidMappings", "gidMappings"})
            linux[maps] = {{{"containerID", 0}, {"hostID", 0}, {"size", 1}}};
    }
    bundle.config["process"]["noNewPrivileges"] = false;
    bundle.config["process"]["user"] = {{"uid", 5}, {"gid", 0}};
    bundle.args({"true"});
    bundle.save();
    EXPECT_THAT(bundle.runtime({"run", bundle.id()}).err, HasSubstr("uid 5 is not mapped"));
}

class Narrow : public testing::TestWithParam<bool> {
protected:
    Narrow() {
        if (GetParam()) // who may trace has its processes born last (run/newcomer.hpp)
            for (const char* set : {"bounding", "effective", "permitted"})
                bundle_.config["process"]["capabilities"][set] = {"CAP_SYS_PTRACE"};
    }
    void deny(const std::vector<std::string>& calls, const char* action = "SCMP_ACT_ERRNO") {
        bundle_.config["linux"]["seccomp"] = {
            {"defaultAction", "SCMP_ACT_ALLOW"},
            {"syscalls", {{{"names", calls}, {"action", action}}}}};
    }
    void deny_terminals() {
        bundle_.config["linux"]["seccomp"]["syscalls"].push_back(
            {{"names", {"ioctl"}},
             {"action", "SCMP_ACT_ERRNO"},
             {"args", {{{"index", 1}, {"value", TIOCSCTTY}, {"op", "SCMP_CMP_EQ"}}}}});
    }
    Ended in_terminal(const std::vector<std::string>& words) {
        support::Terminal terminal(bundle_.command(words));
        return terminal.wait();
    }
    Bundle bundle_;
};
INSTANTIATE_TEST_SUITE_P(, Narrow, testing::Bool(), [](const auto& each) {
    return std::string(each.param ? "TracedContainer" : "Container");
});

TEST_P(Narrow, ProfileNeedNotKnowWhatWeCall) {
    deny(kOurs);
    deny_terminals();
    const std::vector<std::string> seven{"sh", "-c", "exit 7"};
    bundle_.args(seven);
    bundle_.save();
    Ended ended = bundle_.runtime({"run", bundle_.id()});
    EXPECT_EQ(ended.status, 7) << ended.err;
    bundle_.config["process"]["terminal"] = true;
    bundle_.save();
    Ended shown = in_terminal({"run", bundle_.id()});
    EXPECT_EQ(shown.status, 7) << shown.out;
    bundle_.config["process"]["terminal"] = false;
    bundle_.args({"sleep", "1000"});
    bundle_.start();
    ended = bundle_.runtime({"exec", bundle_.id(), "sh", "-c", "exit 7"});
    EXPECT_EQ(ended.status, 7) << ended.err;
    // It is in no session that has the caller's terminal (proc_pid_stat(5), the 7th).
    shown = in_terminal({"exec", bundle_.id(), "cut", "-d ", "-f7", "/proc/self/stat"});
    EXPECT_EQ(shown.out, "0\r\n");
    // Whoever is born last makes its terminal's session under the filter.
    shown = in_terminal({"exec", "-t", bundle_.id(), "cut", "-d ", "-f7", "/proc/self/stat"});
    EXPECT_EQ(shown.status, 0);
    EXPECT_GT(atoi(shown.out.c_str()), 0) << shown.out;
}

// The home directory is read before.
TEST_P(Narrow, ProfileThatOpensNothingKeepsHome) {
    support::spill(bundle_.path() + "/rootfs/etc/passwd", "root:x:0:0::/my/home:/bin/sh\n");
    deny({"open", "openat", "geteuid"});
    bundle_.args({"sh", "-c", "echo $HOME"});
    bundle_.save();
    EXPECT_EQ(bundle_.runtime({"run", bundle_.id()}).out, "/my/home\n");
}

TEST_P(Narrow, ProfileThatIsTooNarrowIsSaid) {
    for (const char* call : {"close", "read", "write", "ioctl", "setsid", "execve"})
        for (const char* action : {"SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"}) {
            deny({call}, action);
            bundle_.args({"sleep", "1000"});
            bundle_.save();
            if (support::run(bundle_.detached({"run", "--detach", bundle_.id()})).status != 0) {
                EXPECT_NE(support::slurp(bundle_.path() + "/detached.err"), "") << call << action;
                continue;
            }
            // The command itself may fail for it; but nothing hangs, and what fails says so.
            support::Terminal terminal(bundle_.command({"exec", "-t", bundle_.id(), "true"}));
            Ended shown = terminal.wait();
            if (shown.status == 255) {
                EXPECT_THAT(shown.out, HasSubstr("gocontainer: ")) << call << action;
            }
            bundle_.runtime({"delete", "--force", bundle_.id()});
        }
}

} // namespace
