// containerd's shim, driven by ctr.
#include "tests/engines/engine.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace {

using namespace engines;
using testing::HasSubstr;
using testing::Not;

class Containerd : public testing::Test {
protected:
    static void SetUpTestSuite() { (void)engine("containerd"); }
    void SetUp() override {
        if (!ctr.why_not().empty())
            GTEST_SKIP() << "containerd: " << ctr.why_not();
    }
    void TearDown() override {
        if (!detached)
            return;
        (void)ctr({"task", "kill", "--signal", "KILL", name}); // it may have ended
        EXPECT_TRUE(
            eventually([&] { return ctr({"task", "rm", name}).status == 0 || task().empty(); }));
        EXPECT_EQ(ctr({"container", "rm", name}).status, 0);
    }
    Strings words(const Strings& options, const Strings& command) const {
        Strings all{"run", "--runc-binary", gocontainer()};
        all.insert(all.end(), options.begin(), options.end());
        all.insert(all.end(), {kFullName, name});
        all.insert(all.end(), command.begin(), command.end());
        return all;
    }
    Ended run(const Strings& command, const Strings& options = {"--rm"}) const {
        return ctr(words(options, command));
    }
    void start(const Strings& command) {
        Ended made = run(command, {"--detach"});
        ASSERT_EQ(made.status, 0) << made.err << ctr.log();
        detached = true;
    }
    /// "PID STATUS" of `task ls`, or "".
    std::string task() const {
        std::istringstream lines(ctr({"task", "ls"}).out);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream fields(line);
            std::string id, pid, status;
            if (fields >> id >> pid >> status && id == name)
                return pid + " " + status;
        }
        return "";
    }
    pid_t pid() const { return std::stoi(task()); }
    Ended exec(const Strings& command, const Strings& options = {}) const {
        Strings all{"task", "exec", "--exec-id", token()};
        all.insert(all.end(), options.begin(), options.end());
        all.push_back(name);
        all.insert(all.end(), command.begin(), command.end());
        return ctr(all);
    }

    Engine& ctr = engine("containerd");
    std::string name = token();
    bool detached = false;
};

TEST_F(Containerd, RunsACommand) {
    Ended ended = run({"sh", "-c", "echo " + name + "; echo err >&2; exit 7"});
    EXPECT_EQ(ended.out, name + "\n");
    EXPECT_EQ(ended.err, "err\n");
    EXPECT_EQ(ended.status, 7);
}

TEST_F(Containerd, TellsWhyACommandCanNotBeRun) {
    EXPECT_THAT(run({name}).err, HasSubstr("OCI runtime create failed: exec: \"" + name +
                                           "\": executable file not found in $PATH"));
    EXPECT_THAT(run({"/etc"}).err, HasSubstr("permission denied"));
    EXPECT_EQ(task(), "");
}

TEST_F(Containerd, GivesATerminal) {
    Terminal terminal(ctr.command(words({"--rm", "--tty"}, {"sh"})), 31, 97);
    terminal.type("stty -echo; echo up\n");
    terminal.until("up\r\n");
    EXPECT_TRUE(eventually([&] {
        terminal.type("echo \"=$(stty size)=\"\n");
        terminal.until("=");
        return terminal.take("=") == "31 97";
    }));
    terminal.type("tty; exit 5\n");
    terminal.until("/dev/pts/0");
    EXPECT_EQ(terminal.wait().status, 5);
}

TEST_F(Containerd, ExecsAndKills) {
    start({"sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"});
    EXPECT_EQ(task(), std::to_string(pid()) + " RUNNING");
    Ended ended =
        exec({"sh", "-c", "id -u; id -g; pwd; exit 9"}, {"--user", "12:13", "--cwd", "/tmp"});
    EXPECT_EQ(ended.out, "12\n13\n/tmp\n") << ended.err;
    EXPECT_EQ(ended.status, 9);
    Ended absent = exec({name});
    EXPECT_EQ(absent.status, 1);
    EXPECT_THAT(absent.err, HasSubstr("OCI runtime exec failed: exec: \"" + name + "\": "));
    EXPECT_THAT(ctr({"task", "ps", name}).out, HasSubstr(std::to_string(pid())));
    EXPECT_EQ(ctr({"task", "kill", "--signal", "TERM", name}).status, 0);
    EXPECT_TRUE(eventually([&] { return task().ends_with("STOPPED"); }));
    EXPECT_EQ(ctr({"task", "rm", name}).status, 0);
}

TEST_F(Containerd, ExecHasATerminal) {
    start({"sleep", "1000"});
    Terminal terminal(ctr.command({"task", "exec", "--exec-id", "t", "--tty", name, "sh"}));
    terminal.type("stty -echo; echo up\n");
    terminal.until("up\r\n");
    terminal.type("test -t 0 && test -t 1 && echo is one; exit 6\n");
    terminal.until("is one");
    EXPECT_EQ(terminal.wait().status, 6);
}

TEST_F(Containerd, PausesAndGoesOn) {
    start({"sleep", "1000"});
    ASSERT_EQ(ctr({"task", "pause", name}).status, 0);
    EXPECT_THAT(task(), HasSubstr("PAUSED"));
    ASSERT_EQ(ctr({"task", "resume", name}).status, 0);
    EXPECT_THAT(task(), HasSubstr("RUNNING"));
    EXPECT_EQ(exec({"true"}).status, 0);
}

TEST_F(Containerd, KillsAll) {
    start({"sh", "-c", "sleep 1000 & wait"});
    pid_t first = pid();
    EXPECT_EQ(ctr({"task", "kill", "--all", "--signal", "KILL", name}).status, 0);
    EXPECT_TRUE(eventually([&] { return task().ends_with("STOPPED"); }));
    EXPECT_TRUE(eventually([&] { return !try_slurp("/proc/" + std::to_string(first) + "/stat"); }));
}

// What Kubernetes asks for by its RuntimeClass.
TEST_F(Containerd, HasTheHandlerThatReadmePrints) {
    Ended dumped = support::run(
        enclosure().inside({find_program("containerd"), "--config",
                            enclosure().folder() / "containerd/config.toml", "config", "dump"}));
    EXPECT_EQ(dumped.status, 0) << dumped.err;
    std::size_t handler = dumped.out.find(".containerd.runtimes.gocontainer]");
    ASSERT_NE(handler, std::string::npos);
    std::size_t options = dumped.out.find(".containerd.runtimes.gocontainer.options]", handler);
    ASSERT_NE(options, std::string::npos);
    EXPECT_THAT(dumped.out.substr(handler, options - handler),
                HasSubstr("runtime_type = \"io.containerd.runc.v2\""));
    EXPECT_THAT(dumped.out.substr(options, 300),
                HasSubstr("BinaryName = \"" + gocontainer() + "\""));
}

TEST_F(Containerd, MeasuresAndLimits) {
    if (!has_controller("memory"))
        GTEST_SKIP() << "host lacks the memory controller in a cgroup v2";
    Ended made = run({"sleep", "1000"}, {"--detach", "--memory-limit", "67108864"});
    ASSERT_EQ(made.status, 0) << made.err;
    detached = true;
    EXPECT_EQ(slurp("/sys/fs/cgroup" + cgroup_of(pid()) + "/memory.max"), "67108864\n");
    EXPECT_THAT(ctr({"task", "metrics", name}).out, HasSubstr("memory.usage_limit"));
}

} // namespace
