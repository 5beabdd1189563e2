// --pause: the prompt between two stages, held against /proc.
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <regex>

namespace {

using namespace support;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Pause : public testing::Test {
protected:
    Host before = Host::look();
    std::string name = token();
    void TearDown() override {
        EXPECT_EQ(differs_from(before), "");
        EXPECT_EQ(strays(), "");
    }
    /// The child's number, as the prompt says it.
    static pid_t child_of(const std::string& text) {
        std::smatch match;
        static const std::regex said("The child is process ([0-9]+) here");
        EXPECT_TRUE(std::regex_search(text, match, said)) << text;
        return match.empty() ? -1 : std::stoi(match[1]);
    }
    static constexpr const char* kPrompt = "quit) > ";
};

TEST_F(Pause, TheChildWaitsBeforeTheStage) {
    Process parent({.argv = parent_words({"--pause", "uts,root", "--hostname", name},
                                         {"sh", "-c", "hostname; read line; echo $line"})});
    parent.until_complains(kPrompt);
    pid_t child = child_of(parent.err());
    EXPECT_THAT(own_namespaces(child), testing::Contains("uts"));
    EXPECT_EQ(slurp("/proc/" + std::to_string(child) + "/mountinfo").contains(rootfs()), false);
    parent.type("\n");
    parent.until_complains("before the root stage");
    parent.until_complains(kPrompt);
    EXPECT_THAT(slurp("/proc/" + std::to_string(child) + "/mountinfo"),
                HasSubstr(rootfs() + "/proc"));
    EXPECT_EQ(parent.out(), ""); // not running yet
    parent.type("diff\n");
    parent.until_complains("hostname: ");
    parent.until_complains(name);
    parent.type("continue\nwhat follows\n"); // the rest of the input is the command's
    Ended ended = parent.wait();
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, name + "\nwhat follows\n");
}

TEST_F(Pause, QuitEndOfInputAndSignalsLeaveNothingBehind) {
    for (const char* typed : {"quit\n", "q\n", ""}) {
        Process parent({.argv = parent_words({"--pause", "mount"}, {"true"})});
        parent.until_complains(kPrompt);
        pid_t child = child_of(parent.err());
        parent.type(typed);
        parent.close_input();
        Ended ended = parent.wait();
        EXPECT_EQ(ended.status, 130);
        EXPECT_THAT(ended.err, HasSubstr("ended before the mount stage"));
        EXPECT_EQ(::kill(child, 0), -1);
    }
    for (int signal : {SIGINT, SIGTERM}) {
        Process parent({.argv = parent_words({"--pause", "mount"}, {"true"})});
        parent.until_complains(kPrompt);
        parent.kill(signal);
        EXPECT_EQ(parent.wait().status, 130);
    }
    Process killed({.argv = parent_words({"--pause", "all"}, {"true"})});
    killed.until_complains(kPrompt);
    killed.kill(SIGKILL);
    killed.wait();
}

TEST_F(Pause, OpensAShellInTheHalfMadeContainer) {
    Terminal terminal(
        {.argv = parent_words({"--pause", "mount", "--hostname", name}, {"hostname"})});
    terminal.until(kPrompt);
    terminal.type("shell\n");
    terminal.until("(before mount) # ");
    terminal.type("echo uid $(id -u) on $(uname -n)\n");
    terminal.until("uid 0 on " + name); // the uts stage is behind us, the rootfs not yet
    terminal.type("exit\n");
    terminal.until(kPrompt);
    terminal.type("x\n");
    terminal.until("is none of the commands");
    terminal.type("look\n");
    terminal.until(name);
    terminal.until(kPrompt);
    terminal.type("explain\n");
    terminal.until("mount_setattr(AT_FDCWD, \"/\"");
    EXPECT_EQ(terminal.wait().status, 0);
}

// More than a student's terminal has lines for.
TEST_F(Pause, LookTellsOfItsPartsAndShowsOne) {
    Terminal terminal({.argv = parent_words({"--pause", "mount", "--hostname", name}, {"true"})},
                      24, 80);
    auto answer = [&](const std::string& line) {
        terminal.type(line + "\n");
        return terminal.take(kPrompt);
    };
    terminal.until(kPrompt);
    EXPECT_THAT(answer("look"), AllOf(HasSubstr(name), HasSubstr("\"look mounts\" shows a part"),
                                      HasSubstr("names and clocks, ")));
    EXPECT_THAT(answer("l names"), AllOf(HasSubstr(name), Not(HasSubstr("capabilities"))));
    EXPECT_THAT(answer("look mount"), AllOf(HasSubstr("/proc"), Not(HasSubstr(name))));
    EXPECT_THAT(answer("look x"), HasSubstr("no such part: process, namespaces"));
    EXPECT_THAT(answer("diff mounts"), HasSubstr("is none of the commands"));
    terminal.type("quit\n");
    EXPECT_EQ(terminal.wait().status, 130);
}

TEST_F(Pause, StopsByControlZAtOnceAndAsksAnewBehindIt) {
    Terminal terminal({.argv = parent_words({"--pause", "mount"}, {"echo", name})});
    terminal.until(kPrompt);
    terminal.type("loo\x1a");
    EXPECT_TRUE(
        eventually([&] { return support::status(terminal.pid())["State"].starts_with("T"); }));
    ASSERT_EQ(::kill(terminal.pid(), SIGCONT), 0);
    terminal.until(kPrompt);
    terminal.type("c\n"); // not "looc"
    terminal.until(name);
    EXPECT_EQ(terminal.wait().status, 0);
}

TEST_F(Pause, BeforeItsIdsAreMappedNsenterLeadsInAndShellSaysWhyNot) {
    Process parent({.argv = parent_words({"--pause", "user"}, {"true"})});
    parent.until_complains(kPrompt);
    const std::string line = "     $ nsenter ";
    std::size_t at = parent.err().find(line);
    ASSERT_NE(at, std::string::npos) << parent.err();
    std::string pasted = parent.err().substr(at + line.size() - 8);
    pasted.resize(pasted.find("/bin/sh")); // its lines end with backslashes, as a shell has them
    Ended entered = run({.argv = {"bash", "-c", pasted + " id -u"}});
    EXPECT_EQ(entered.out, "65534\n") << entered.err << pasted;
    parent.type("shell\n");
    parent.until_complains("no id is");
    parent.until_complains(kPrompt);
    parent.type("quit\n");
    EXPECT_EQ(parent.wait().status, 130);
}

TEST_F(Pause, BeforeEachStageOnce) {
    Process parent({.argv = parent_words({"--pause=all"}, {"true"})});
    for (int i = 0; i < 12; ++i)
        parent.type("c\n");
    Ended ended = parent.wait();
    EXPECT_EQ(ended.status, 0) << ended.err;
    std::size_t last = 0;
    for (const char* stage :
         {"user", "cgroup", "net", "uts", "ipc", "mount", "pid", "root", "caps", "seccomp"}) {
        std::size_t at = ended.err.find("stopped before the " + std::string(stage) + " stage");
        if (at == std::string::npos && std::string(stage) == "cgroup")
            continue; // no cgroup that we may make: it has said so
        EXPECT_NE(at, std::string::npos) << stage;
        EXPECT_GE(at, last);
        EXPECT_EQ(ended.err.find("stopped before the " + std::string(stage) + " stage", at + 1),
                  std::string::npos);
        last = at;
    }
}

} // namespace
