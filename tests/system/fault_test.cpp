// Each kernel call of a launch fails in turn: the launch is an error of one line, with nothing
// left, or the container is as isolated as ever. And a kernel that lacks a call is told apart from
// what has gone wrong.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <regex>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Strings;
using testing::HasSubstr;

namespace {

/// What a process is told by the kernel about its own confinement, without what differs from one to
/// the next.
std::set<std::string> confinement(const std::string& report) {
    static const std::regex changing(
        "^(Name|Umask|Tgid|Ngid|Pid|PPid|TracerPid|FDSize|Vm|Rss|Hugetlb|CoreDumping|THP|Threads|"
        "SigQ|"
        "SigPnd|ShdPnd|Cpus|Mems|voluntary|nonvoluntary|Speculation|untag|x86_|State).*");
    static const std::regex numbers(
        "^\\d+ \\d+ \\d+:\\d+ |size=\\S*|nr_inodes=\\S*|inode64|:?\\[\\d+\\]|(master|shared):\\d+");
    std::set<std::string> out;
    for (const std::string& line : support::lines(report))
        if (!std::regex_match(line, changing))
            out.insert(std::regex_replace(line, numbers, ""));
    return out;
}

class Fault : public testing::Test {
protected:
    Fault() {
        bundle_.args({"sh", "-c",
                      "cat /proc/self/mountinfo /proc/self/status /proc/self/limits "
                      "/proc/self/oom_score_adj /proc/self/cgroup; for n in /proc/self/ns/*; do "
                      "readlink $n; done; "
                      "echo fds $(ls /proc/self/fd); pwd; umask; id; hostname"});
        bundle_.config["hostname"] = "h" + support::token();
        if (support::is_root())
            bundle_.config["process"]["oomScoreAdj"] = 123;
        bundle_.config["linux"]["seccomp"] = {
            {"defaultAction", "SCMP_ACT_ALLOW"},
            {"syscalls", {{{"names", {"swapon"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
        bundle_.save();
        Ended good = bundle_.runtime({"run", bundle_.id()});
        EXPECT_EQ(good.status, 0) << good.err;
        good_ = confinement(good.out);
        for (const json& space : bundle_.config["linux"]["namespaces"]) {
            std::string type = space["type"];
            std::string name = type == "mount" ? "mnt" : type == "network" ? "net" : type;
            spaces_.push_back(support::namespace_of(getpid(), name));
        }
    }

    struct Tried {
        Ended ended;
        bool hit = false; ///< a call of ours, before the command ran
    };
    /// With the call's `number`th failure in each process (0: each of its calls), `late` if so many
    /// microseconds later.
    Tried with(const std::string& call, const char* code, int number, const char* of = "run",
               int late = 0) {
        std::string log = bundle_.path() + "/strace";
        std::string inject = "inject=" + call + ":error=" + code;
        if (number > 0)
            inject += ":when=" + std::to_string(number);
        if (late > 0)
            inject += ":delay_enter=" + std::to_string(late);
        Strings words{"strace", "-f", "-o", log, "-e", "trace=execve," + call, "-e", inject};
        Strings command = bundle_.command({of, bundle_.id()}).argv;
        words.insert(words.end(), command.begin(), command.end());
        Tried tried{.ended = support::run({.argv = words, .cwd = bundle_.path()})};
        std::string said;
        for (const std::string& line : support::lines(tried.ended.err))
            if (!line.starts_with("strace: ")) // that somebody was killed while it held him up
                said += line + "\n";
        tried.ended.err = said;
        std::set<std::string> commands; // processes that are the command already, and its children
        for (const std::string& line : support::lines(support::slurp(log))) {
            std::string pid = line.substr(0, line.find(' '));
            if (line.contains("execve(") && line.contains("cat /proc/self/mountinfo"))
                commands.insert(pid);
            else if (line.contains("execve(\"/proc/self/exe\"") || line.contains("execve(\"/bin/"))
                commands.insert(pid);
            else if (line.contains("(INJECTED)") && !commands.contains(pid))
                tried.hit = true;
        }
        return tried;
    }

    /// Are they as isolated as they were? What may differ: nodes of /dev bound from the host, and a
    /// tree of the kernel's that is the host's, but read-only.
    void expect_isolated(const std::string& report, const std::string& what) const {
        std::set<std::string> now = confinement(report);
        auto may_differ = [](const std::string& line) {
            bool read_only = line.contains(" ro,") && line.contains(" - ");
            return read_only || line.contains(" /dev/") || line.starts_with("total ");
        };
        for (const std::string& line : now)
            EXPECT_TRUE(good_.contains(line) || may_differ(line)) << what << ": " << line;
        for (const std::string& line : good_)
            EXPECT_TRUE(now.contains(line) || may_differ(line)) << what << " lacks " << line;
        for (const std::string& space : spaces_)
            EXPECT_THAT(report, testing::Not(HasSubstr(space))) << what;
    }
    void expect_refusal_or_isolation(const Tried& tried, const std::string& what) {
        if (tried.ended.status == 0) {
            expect_isolated(tried.ended.out, what);
        } else {
            EXPECT_EQ(support::lines(tried.ended.err).size(), 1U)
                << what << ": " << tried.ended.err;
            EXPECT_EQ(tried.ended.out, "") << what;
        }
        EXPECT_EQ(bundle_.runtime({"delete", "--force", bundle_.id()}).status, 0) << what;
        EXPECT_EQ(bundle_.runtime({"list", "-q"}).out, "") << what;
    }

    Bundle bundle_;

private:
    support::Host before_ = support::Host::look();
    std::set<std::string> good_;
    Strings spaces_; ///< the host's own
    void TearDown() override {
        EXPECT_EQ(support::strays(), "");
        EXPECT_EQ(support::differs_from(before_), "");
    }
};

TEST_F(Fault, OfAnyCallLeavesNoIsolationOut) {
    // What isolates, and what it is written through. A call that this launch does not make is no
    // test of it.
    int failures = 0;
    for (const char* call :
         {"clone3",       "unshare",    "setns",   "open_tree", "move_mount",  "mount_setattr",
          "fsopen",       "fsconfig",   "fsmount", "openat2",   "mknodat",     "symlinkat",
          "fchownat",     "pivot_root", "umount2", "chdir",     "fchdir",      "getcwd",
          "sethostname",  "prctl",      "capset",  "setresuid", "setresgid",   "setgroups",
          "seccomp",      "keyctl",     "setsid",  "prlimit64", "close_range", "dup2",
          "fcntl",        "write",      "bpf",     "execveat",  "recvmsg",     "socketpair",
          "memfd_create", "sendmsg",    "capget"}) {
        for (int number = 1; number < 300; ++number) {
            Tried tried = with(call, "EPERM", number);
            std::string what = std::string(call) + " " + std::to_string(number);
            if (!tried.hit)
                break;
            ++failures;
            expect_refusal_or_isolation(tried, what);
            if (HasFailure())
                return;
        }
    }
    EXPECT_GT(failures, 100);
}

// Of a runtime that is slower than its container: no command is ended in the midst of its work for
// what could have been known before.
TEST_F(Fault, OfAWriteIsBeforeTheCommandHoweverSlowWeAre) {
    for (int number = 1; number < 300; ++number) {
        Tried tried = with("write", "EPERM", number, "run", /*late=*/150'000);
        if (!tried.hit)
            break;
        expect_refusal_or_isolation(tried, "write " + std::to_string(number));
    }
}

TEST_F(Fault, OfAKernelThatLacksACallIsNamed) {
    for (const char* call : {"openat2", "mount_setattr", "clone3", "close_range", "pidfd_open",
                             "open_tree", "move_mount", "fsopen", "fsmount", "execveat"}) {
        Tried tried = with(call, "ENOSYS", 0);
        expect_refusal_or_isolation(tried, call);
        if (tried.ended.status != 0) {
            EXPECT_THAT(tried.ended.err, HasSubstr("ENOSYS")) << call;
            EXPECT_THAT(tried.ended.err, HasSubstr("gocontainer needs Linux 5.12 or newer"))
                << call;
        }
    }
}

TEST_F(Fault, OfStartLeavesItToBeStarted) {
    int failures = 0;
    for (const char* call : {"openat", "flock", "newfstatat", "mmap", "socket", "connect"}) {
        for (int number = 1; number < 100; ++number) {
            bundle_.create();
            Tried tried = with(call, "ENFILE", number, "start");
            bool failed = tried.hit && tried.ended.status != 0;
            failures += failed ? 1 : 0;
            EXPECT_TRUE(!failed || bundle_.status() == "created")
                << call << " " << number << ": " << tried.ended.err << bundle_.status();
            EXPECT_EQ(bundle_.runtime({"delete", "--force", bundle_.id()}).status, 0);
            if (!tried.hit || HasFailure())
                break;
        }
    }
    EXPECT_GT(failures, 5);
}

} // namespace
