// Flags of the runtime that no other test comes by: each does what runc's does.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Process;
using support::Strings;
using support::Terminal;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

namespace {

class Flags : public testing::Test {
protected:
    Flags() { bundle.args({"sleep", "1000"}); }
    Ended runtime(const Strings& words, support::Command with = {}) const {
        return bundle.runtime(words, std::move(with));
    }
    /// Does it have a cgroup of its own?
    bool grouped() const {
        return support::cgroup_of(bundle.pid()) != support::cgroup_of(getpid());
    }
    Bundle bundle;
    const std::string& id = bundle.id();
};

// --- before the command --------------------------------------------------------------------------

TEST_F(Flags, RootlessSaysWhatACgroupThatIsRefusedIs) {
    EXPECT_THAT(runtime({"--rootless", "yes", "list"}).err, HasSubstr("true, false or auto"));
    bundle.start();
    bool given = grouped();
    ASSERT_EQ(runtime({"delete", "--force", id}).status, 0);
    ASSERT_EQ(support::run(bundle.detached({"--rootless=true", "run", "-d", id})).status, 0);
    EXPECT_EQ(grouped(), given);
    ASSERT_EQ(runtime({"delete", "--force", id}).status, 0);
    Ended strict = support::run(bundle.detached({"--rootless=false", "run", "-d", id}));
    std::string said = support::slurp(bundle.folder() / "detached.err");
    EXPECT_EQ(strict.status, given ? 0 : 1) << said;
    if (given) {
        EXPECT_EQ(said, "");
        EXPECT_TRUE(grouped());
        return;
    }
    EXPECT_THAT(said, AllOf(HasSubstr("gocontainer: cgroup: "), HasSubstr("--rootless=false")));
    EXPECT_EQ(runtime({"list", "-q"}).out, "");
}

TEST_F(Flags, RootMayBeRelativeAndWrittenWithASingleDash) {
    bundle.save();
    Strings words{support::gocontainer(), "-root", "other", "run", "-no-subreaper", "-d", id};
    support::Command run = bundle.detached({});
    run.argv.resize(4); // the shell that gives it no pipe of ours
    run.argv.insert(run.argv.end(), words.begin(), words.end());
    EXPECT_EQ(support::run(run).status, 0) << support::slurp(bundle.folder() / "detached.err");
    EXPECT_EQ(runtime({"--root=" + bundle.path() + "/other", "list", "--quiet"}).out, id + "\n");
    EXPECT_EQ(runtime({"list", "--quiet"}).out, ""); // that is another one
    EXPECT_EQ(runtime({"--root", "other", "delete", "--force", id}).status, 0);
}

TEST_F(Flags, DebugSaysMoreOnStderrAndNothingInTheLog) {
    bundle.config["process"]["capabilities"]["bounding"].push_back("CAP_NO_SUCH");
    bundle.args({"true"});
    bundle.save();
    std::string log = bundle.path() + "/log";
    Strings words{"--log", log, "--log-format", "json", "run", id};
    EXPECT_EQ(runtime(words).err, "");
    words.insert(words.begin(), "--debug");
    EXPECT_THAT(runtime(words).err, HasSubstr("CAP_NO_SUCH"));
    EXPECT_EQ(support::try_slurp(log).value_or(""), ""); // Podman reads one object, an error
}

// --- create and run ------------------------------------------------------------------------------

TEST_F(Flags, KeepLeavesWhatHasEnded) {
    bundle.args({"sh", "-c", "exit 7"});
    bundle.save();
    EXPECT_EQ(runtime({"run", "--keep", id}).status, 7);
    EXPECT_EQ(bundle.status(), "stopped");
    EXPECT_EQ(bundle.state()["pid"], 0);
    EXPECT_EQ(runtime({"delete", id}).status, 0);
    EXPECT_EQ(runtime({"run", id}).status, 7);
    EXPECT_EQ(runtime({"list", "-q"}).out, "");
}

// --- exec ----------------------------------------------------------------------------------------

TEST_F(Flags, ExecTtyIsATerminal) {
    bundle.start();
    for (const char* flag : {"-t", "--tty", "--tty=true"}) {
        Terminal terminal(bundle.command({"exec", flag, id, "sh", "-c", "tty; stty size"}), 31, 97);
        Ended ended = terminal.wait();
        EXPECT_THAT(ended.out, MatchesRegex("/dev/pts/[0-9]+\r\n31 97\r\n")) << flag;
    }
    EXPECT_EQ(runtime({"exec", id, "tty"}).out, "not a tty\n");
}

TEST_F(Flags, SocketActivationIsForTheFirstProcess) {
    bundle.save();
    support::Command command = bundle.detached({"run", "-d", id});
    command.env = {"LISTEN_FDS=1", "LISTEN_FDNAMES=web"};
    int ours = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);
    command.fds = {{ours, 3}};
    command.before_exec = [] { setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1); };
    ASSERT_EQ(support::run(command).status, 0) << support::slurp(bundle.folder() / "detached.err");
    close(ours);
    auto env = support::environment(bundle.pid());
    EXPECT_EQ(env["LISTEN_FDS"] + env["LISTEN_PID"] + env["LISTEN_FDNAMES"], "11web");
    EXPECT_TRUE(support::descriptors(bundle.pid()).contains(3));
    EXPECT_THAT(runtime({"exec", id, "env"}).out, Not(HasSubstr("LISTEN_")));
}

TEST_F(Flags, ExecUserThatIsNotMappedIsAnErrorOfTheBundle) {
    if (support::is_root())
        bundle.config["linux"]["namespaces"].push_back({{"type", "user"}});
    for (const char* maps : {"uidMappings", "gidMappings"})
        bundle.config["linux"][maps] = {{{"containerID", 0}, {"hostID", geteuid()}, {"size", 1}}};
    bundle.config["linux"]["gidMappings"][0]["hostID"] = getegid();
    bundle.start();
    Ended ended = runtime({"exec", "--user", "7", id, "true"});
    EXPECT_EQ(ended.status, 255);
    EXPECT_THAT(ended.err, HasSubstr("has 0: add it to linux.uidMappings"));
}

TEST_F(Flags, ExecLabelsThatTheHostDoesNotKnowAreErrors) {
    bundle.start();
    for (const char* flag : {"--apparmor", "--process-label"}) {
        Ended ended = runtime({"exec", flag, "no:such:label:" + support::token(), id, "true"});
        EXPECT_EQ(ended.status, 255) << flag;
        EXPECT_THAT(ended.err, HasSubstr("attr")) << flag;
    }
}

TEST_F(Flags, ExecIgnorePausedWaitsForTheEndOfThePause) {
    bundle.start();
    if (!grouped())
        GTEST_SKIP() << "host lacks a cgroup that is a user's";
    ASSERT_EQ(runtime({"pause", id}).status, 0);
    EXPECT_EQ(bundle.status(), "paused");
    Ended refused = runtime({"exec", id, "true"});
    EXPECT_EQ(refused.status, 255);
    EXPECT_THAT(refused.err, HasSubstr("cannot exec in a paused container (use --ignore-paused"));
    Process exec(bundle.command({"exec", "--ignore-paused", id, "echo", "gone on"}));
    auto joined = [&] {
        auto all = json::parse(runtime({"ps", "-f", "json", id}).out);
        return all.size() == 2;
    };
    EXPECT_TRUE(support::eventually(joined));
    EXPECT_TRUE(exec.running());
    EXPECT_EQ(exec.out(), "");
    ASSERT_EQ(runtime({"resume", id}).status, 0);
    Ended ended = exec.wait();
    EXPECT_EQ(ended.out, "gone on\n") << ended.err;
    EXPECT_EQ(ended.status, 0);
}

TEST_F(Flags, ThatAreWrongAreNamedWhereverTheyStand) {
    EXPECT_THAT(runtime({"kill", id, "-9"}).err, HasSubstr("not defined: -9"));
    EXPECT_THAT(runtime({"delete", "-fxy", id}).err, HasSubstr("not defined: -fxy"));
    EXPECT_THAT(runtime({"list", "--formatted", "json"}).err,
                HasSubstr("not defined: --formatted"));
    EXPECT_THAT(runtime({"delete", id, "--force", "--bundle"}).err,
                HasSubstr("not defined: --bundle"));
    EXPECT_THAT(runtime({"spec", "--rootless", "--bundle"}).err,
                HasSubstr("needs an argument: --bundle"));
    EXPECT_THAT(runtime({"spec", "--bundle", "absent"}).err,
                AllOf(HasSubstr("\"absent/config.json\""), HasSubstr("a folder that you may")));
}

TEST_F(Flags, ExecWantsAWorkingDirectoryOfTheContainers) {
    bundle.start();
    Ended relative = runtime({"exec", "--cwd", "bin", id, "true"});
    EXPECT_EQ(relative.status, 255);
    EXPECT_THAT(relative.err, HasSubstr("--cwd \"bin\": must be absolute"));
    Ended missing = runtime({"exec", "--cwd", "/nowhere", id, "true"});
    EXPECT_EQ(missing.status, 255);
    EXPECT_THAT(missing.err, HasSubstr("make it first: it is the container's"));
}

// --- what is told of a container -----------------------------------------------------------------

TEST_F(Flags, ListAndPsHaveTwoForms) {
    bundle.start();
    json one = json::parse(runtime({"list", "--format", "json"}).out).at(0);
    EXPECT_EQ(one["id"], id);
    EXPECT_EQ(one["pid"], bundle.pid());
    EXPECT_EQ(one["status"], "running");
    EXPECT_EQ(one["bundle"], bundle.path());
    EXPECT_THAT(one["created"].get<std::string>(),
                MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z"));
    EXPECT_NE(one["owner"], "");
    Strings lines = support::lines(runtime({"list"}).out);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_THAT(lines[0], MatchesRegex("ID +PID +STATUS +BUNDLE +CREATED +OWNER *"));
    EXPECT_THAT(lines[1], AllOf(HasSubstr(id), HasSubstr(" running ")));
    EXPECT_THAT(runtime({"list", "-f", "yaml"}).err, HasSubstr("table or json"));

    // The shim of containerd has ps's options as one argument.
    lines = support::lines(runtime({"ps", "--format", "table", id, "-o pid,args"}).out);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_THAT(lines[0], MatchesRegex(" *PID +COMMAND"));
    EXPECT_THAT(lines[1], MatchesRegex(" *" + std::to_string(bundle.pid()) + " +sleep 1000"));
    Ended args_first = runtime({"ps", "--format", "table", id, "-o args,pid"});
    EXPECT_EQ(args_first.status, 1);
    EXPECT_THAT(args_first.err, HasSubstr("of ps's output is no process ID"));
    EXPECT_EQ(runtime({"ps", "-f", "json", id}).out, "[" + std::to_string(bundle.pid()) + "]\n");
}

// `create` makes the folder first. go-runc's List reads all or nothing, and "" is no time to Go.
TEST_F(Flags, ListHasATimeForWhatIsHardlyBegunToo) {
    std::string fresh = bundle.root() + "/fresh";
    ASSERT_TRUE(std::filesystem::create_directories(fresh));
    json one = json::parse(runtime({"list", "--format", "json"}).out).at(0);
    EXPECT_EQ(one["id"], "fresh");
    EXPECT_EQ(one["ociVersion"], "1.3.0");
    EXPECT_THAT(one["created"].get<std::string>(),
                MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z"));
    EXPECT_EQ(json::parse(runtime({"state", "fresh"}).out)["created"], one["created"]);
    EXPECT_EQ(runtime({"delete", "--force", "fresh"}).status, 0);
}

// Its container may run: somebody is to know that it's there.
TEST_F(Flags, ListSaysWhatItCannotRead) {
    bundle.start();
    std::string damaged = bundle.root() + "/damaged";
    std::string newer = bundle.root() + "/newer";
    std::filesystem::copy(bundle.root() + "/" + id, damaged);
    support::spill(damaged + "/state.json", "");
    ASSERT_TRUE(std::filesystem::create_directories(newer));
    support::spill(newer + "/progress", support::token());
    for (const char* format : {"table", "json"}) {
        Ended listed = runtime({"list", "--format", format});
        EXPECT_EQ(listed.status, 0);
        EXPECT_THAT(listed.out, AllOf(HasSubstr(id), Not(HasSubstr("damaged"))));
        EXPECT_THAT(listed.err, AllOf(HasSubstr("load container damaged: "),
                                      HasSubstr("load container newer: "), Not(HasSubstr(id))));
    }
    for (const std::string& folder : {damaged, newer})
        std::filesystem::remove_all(folder);
    EXPECT_EQ(runtime({"list"}).err, "");
}

TEST_F(Flags, EventsTellWhatItUses) {
    bundle.start();
    if (!grouped()) {
        EXPECT_THAT(runtime({"events", "--stats", id}).err,
                    HasSubstr("no cgroup of its own: run it where"));
        return;
    }
    Ended once = runtime({"events", "--stats", id});
    EXPECT_EQ(std::ranges::count(once.out, '\n'), 1) << once.out << once.err;
    json first = json::parse(once.out);
    EXPECT_EQ(first["type"], "stats");
    EXPECT_EQ(first["id"], id);
    for (const char* part : {"cpu", "memory", "pids", "blkio", "hugetlb", "network_interfaces"})
        EXPECT_TRUE(first["data"].contains(part)) << part;
    for (const char* wrong : {"0s", "5", "s", "5s5", "1m-1s", "5d", "99999h", "4294967296ms", ""})
        EXPECT_THAT(runtime({"events", "--interval", wrong, id}).err,
                    HasSubstr("--interval \"" + std::string(wrong) + "\""));
    Process stream(bundle.command({"events", "--interval=0m0s50ms", id}));
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(json::parse(stream.take("\n"))["type"], "stats");
    ASSERT_EQ(runtime({"kill", id, "KILL"}).status, 0);
    EXPECT_EQ(stream.wait().status, 0); // with the container
}

} // namespace
