// `gocontainer lesson`, with somebody at the terminal and without.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

namespace {

using namespace support;
using testing::HasSubstr;
using testing::Not;

class Walk : public testing::Test {
protected:
    Scratch scratch;
    std::string word = token();
    // `$((…))`: what a shell shows, and what no text says.
    std::string text = "# 7. Of " + word +
                       "\n\nStage: pid, time. About 1 minute.\n\n"
                       "## Question\n\nWhat is **bold** and `code`?\n\n"
                       "## Prediction\n\n```predict\nHow many?\n$ echo $((6 * 7))\n```\n\n"
                       "## Try it\n\n```console\n$ a=" +
                       word +
                       "\n$ echo $((1000 + 1))-$a\nprinted\n$ cat <<END\n> $((1000 + 2))\n> END\n"
                       "```\n\nElsewhere:\n\n"
                       "```console terminal=2\n$ echo $((1000 + 3)).$a.\n```\n\n"
                       "```console\n$ echo $((1000 + 4))-$a > kept\n```\n\n"
                       "## Cleaning up\n\nNothing.\n";
    Strings env = {"XDG_STATE_HOME=" + scratch.folder("state"),
                   "GOCONTAINER_LESSONS=" + scratch.folder("lessons"), "TERM=dumb"};
    void SetUp() override {
        scratch.folder("lessons/07-word");
        scratch.file("lessons/07-word/README.md", text);
    }
    Command lesson(const Strings& words) {
        Strings argv{gocontainer(), "lesson"};
        argv.insert(argv.end(), words.begin(), words.end());
        return {.argv = argv, .env = env, .cwd = scratch.path()};
    }
    nlohmann::json progress() {
        auto found = try_slurp(scratch / "state/gocontainer/progress.json");
        return found ? nlohmann::json::parse(*found)["lessons"]["07"] : nlohmann::json();
    }
};

TEST_F(Walk, RunsWhatTheLearnerAgreesTo) {
    Terminal learner(lesson({"7"}));
    learner.until("go on to \"Prediction\"");
    learner.type("\r");
    learner.until("Your prediction: ");
    learner.type("41\n");
    learner.until("42");
    learner.until("You said: 41");
    learner.until("go on to");
    learner.type("\r");
    for (const char* shown : {"a=", "1001-", "1002", "1003..", "> kept"}) {
        learner.until("Enter: run");
        learner.type("\r");
        learner.until(shown);
    }
    learner.until("go on to \"Cleaning up\"");
    EXPECT_EQ(slurp(scratch / "kept"), "1004-" + word + "\n");
    EXPECT_THAT(learner.screen(), HasSubstr("1001-" + word));
    EXPECT_EQ(progress()["section"], 4);
    learner.type("\r");
    EXPECT_EQ(learner.wait().status, 0);
    EXPECT_EQ(progress()["section"], 5);
    EXPECT_THAT(run(lesson({})).out, HasSubstr("Of " + word));
    EXPECT_THAT(run(lesson({})).out, HasSubstr("read"));
}

TEST_F(Walk, SkipsLeavesAndGoesOn) {
    {
        Terminal learner(lesson({"7"}));
        learner.until("go on to \"Prediction\"");
        learner.type("\r");
        learner.until("Your prediction: ");
        learner.type("42\n");
        learner.until("As you said");
        learner.until("go on to");
        learner.type("q");
        EXPECT_EQ(learner.wait().status, 0);
    }
    EXPECT_THAT(run(lesson({"list"})).out, HasSubstr("3 of 5"));
    {
        Terminal learner(lesson({"7"}));
        learner.until("Try it");
        EXPECT_THAT(learner.screen(), Not(HasSubstr("Your prediction")));
        for (int i = 0; i < 5; ++i) {
            learner.until("Enter: run");
            learner.type("s");
        }
        learner.until("go on to");
        learner.type("q");
        EXPECT_EQ(learner.wait().status, 0);
        EXPECT_THAT(learner.screen(), HasSubstr("printed"));
        EXPECT_THAT(learner.screen(), Not(HasSubstr("1001")));
        EXPECT_FALSE(try_slurp(scratch / "kept"));
    }
    Terminal learner(lesson({"7", "--anew"}));
    learner.until("go on to \"Prediction\"");
    learner.type("q");
    EXPECT_EQ(learner.wait().status, 0);
}

// A command that asks is answered by the learner, and one that doesn't end is interrupted.
TEST_F(Walk, HandsOnWhatIsTypedMeanwhile) {
    scratch.file("lessons/07-word/README.md", "# 7. Of\n\n```console\n$ read -p \"who$((1))? \" "
                                              "name\n$ echo 1$name\n$ echo 2$((2)); cat\n```\n");
    Terminal learner(lesson({"7"}));
    learner.until("Enter: run");
    learner.type("\r");
    learner.until("who1? "); // the echo of the command has no 1
    learner.type(word + "\r");
    learner.until("Enter: run");
    learner.type("\r");
    learner.until("1" + word);
    learner.until("Enter: run");
    learner.type("\r");
    learner.until("22\r\n"); // the terminal is the command's: before, Enter is not a newline
    learner.type("echoed\r");
    learner.until("echoed\r\nechoed");
    learner.type("\x03");
    learner.until("That was lesson 7");
    EXPECT_EQ(learner.wait().status, 0);
}

// What is written behind the prompt by what runs in the background is no answer to it.
TEST_F(Walk, KnowsThePromptBehindWhichSomebodyWrites) {
    scratch.file("lessons/07-word/README.md", "# 7. Of\n\n```console\n"
                                              "$ PS1=\"$PS1$((1)) is written at once\"$'\\n'\n"
                                              "$ echo $((1000 + 5))\n```\n");
    Terminal learner(lesson({"7"}));
    for (int i = 0; i < 2; ++i) {
        learner.until("Enter: run");
        learner.type("\r");
    }
    learner.until("1005");
    learner.until("That was lesson 7");
    EXPECT_EQ(learner.wait().status, 0);
}

TEST_F(Walk, FitsANarrowTerminal) {
    scratch.file("lessons/07-word/README.md",
                 "# 7. Of\n\n## Question\n\nWhere does the kernel keep that name, so that two "
                 "processes can disagree about it?\n\n## Prediction\n");
    Terminal learner(lesson({"7"}), 24, 40);
    learner.until("go on to \"Prediction\"");
    EXPECT_THAT(learner.screen(), HasSubstr("Where does the kernel keep that name,\r\n"));
    learner.type("q");
    EXPECT_EQ(learner.wait().status, 0);
}

// Had the container not started, its commands would be the host's.
TEST_F(Walk, TypesNothingElsewhere) {
    scratch.file("lessons/07-word/README.md",
                 "# 7. Of\n\n```console\n$ false\n/ # echo $((1000 + 6)) > made\n```\n");
    Terminal learner(lesson({"7"}));
    learner.until("Enter: run");
    learner.type("\r");
    learner.until("Enter: skip");
    learner.type("\r");
    learner.until("That was lesson 7");
    EXPECT_EQ(learner.wait().status, 0);
    EXPECT_FALSE(try_slurp(scratch / "made"));
}

TEST_F(Walk, AsksForAGuessOnce) {
    Terminal learner(lesson({"7"}));
    learner.until("go on to \"Prediction\"");
    learner.type("\r");
    learner.until("Your prediction: ");
    learner.type("\n");
    learner.until("A guess will do: ");
    learner.type("\n");
    learner.until("go on to");
    EXPECT_THAT(learner.screen(), HasSubstr("42"));
    learner.type("q");
    EXPECT_EQ(learner.wait().status, 0);
}

TEST_F(Walk, LeavesOutWhatTheMachineLacks) {
    scratch.file("lessons/07-word/README.md",
                 "# 7. Of\n\n```predict is=so needs=no-such-program\nWhat?\n$ touch made\n```\n"
                 "```console needs=no-such-program\n$ touch made\nshown\n```\n");
    Terminal learner(lesson({"7"}));
    learner.until("Your prediction: ");
    learner.type("so\n");
    learner.until("needs no-such-program");
    learner.until("Elsewhere the answer is: so");
    learner.until("needs no-such-program");
    learner.until("shown");
    learner.until("That was lesson 7");
    EXPECT_EQ(learner.wait().status, 0);
    EXPECT_FALSE(try_slurp(scratch / "made"));
}

TEST_F(Walk, UnderstandsAnAnswerInASentence) {
    for (const char* answer : {"42", "42.", "42, of course", "  42  "}) {
        Terminal learner(lesson({"7", "--anew"}));
        learner.until("go on to \"Prediction\"");
        learner.type("\r");
        learner.until("Your prediction: ");
        learner.type(std::string(answer) + "\n");
        learner.until("As you said");
        learner.until("go on to");
        learner.type("q");
        learner.wait();
    }
}

TEST_F(Walk, WithoutATerminalPrintsAll) {
    Ended ended = run(lesson({"7"}));
    EXPECT_EQ(ended.status, 0);
    for (const Block& block : blocks_of(scratch / "lessons/07-word/README.md"))
        for (const std::string& line : block.lines)
            EXPECT_THAT(ended.out, HasSubstr(line));
    EXPECT_THAT(ended.out, HasSubstr("What is bold and code?"));
    EXPECT_THAT(ended.out, Not(HasSubstr("\033")));
    EXPECT_TRUE(progress().is_null());
}

// Whose containers' processes and files are not root's, as the lessons print them.
TEST_F(Walk, HidesTheRangeOfARootThatHasOne) {
    if (!is_root())
        GTEST_SKIP() << "an ordinary user";
    scratch.file("lessons/07-word/README.md",
                 "# 7. Of\n\n```console\n$ wc -l < /etc/subuid\n```\n");
    auto with = [&](const std::string& ids, Command command) {
        std::string path = scratch.file("ids", ids);
        command.before_exec = [path] {
            enter_own_mounts();
            mount_in(path, "/etc/subuid", "", MS_BIND);
            mount_in(path, "/etc/subgid", "", MS_BIND);
        };
        return command;
    };
    const std::string range = "root:1000000:65536\n";
    EXPECT_THAT(run(with(range, lesson({"list"}))).out,
                testing::StartsWith("You are root, and /etc/subuid"));
    EXPECT_THAT(run(with("somebody:1000000:65536\n", lesson({"list"}))).out,
                Not(HasSubstr("You are root")));
    Terminal learner(with(range, lesson({"7"})));
    learner.until("You are root, and /etc/subuid");
    learner.until("Enter: run");
    learner.type("\r");
    learner.until("subuid\r\n0\r\n");
    learner.until("That was lesson 7");
    EXPECT_EQ(learner.wait().status, 0);
    EXPECT_EQ(slurp(scratch / "ids"), range);
    // And what grades: where container root is another's uid, a program of his finds nothing there.
    Command check = with(range, {.argv = {gocontainer(), "lab", "check", "7",
                                          source() + "/lessons/07-pid/solution/mine.sh"},
                                 .env = {env.front()}});
    Ended checked = run(std::move(check));
    EXPECT_THAT(checked.out, HasSubstr("\npassed")) << checked.err;
}

TEST_F(Walk, SaysWhoseTheRootfsIs) {
    if (!is_root())
        GTEST_SKIP() << "only root finds what is another's";
    scratch.file("lessons/07-word/README.md", "# 7. Of\n\n## Question\n\nWhy?\n");
    scratch.folder("rootfs");
    ASSERT_EQ(chown((scratch / "rootfs").c_str(), 4242, 0), 0);
    Terminal learner(lesson({"7"}));
    learner.until("./rootfs belongs to uid 4242");
    learner.until("That was lesson 7");
    EXPECT_EQ(learner.wait().status, 0);
}

TEST_F(Walk, SaysWhatIsWrong) {
    EXPECT_THAT(run(lesson({"8"})).err, HasSubstr("no lesson 8"));
    EXPECT_THAT(run(lesson({"x"})).err, HasSubstr("\"x\""));
    EXPECT_THAT(run(lesson({"--loud"})).err, HasSubstr("--loud"));
    scratch.folder("state/gocontainer");
    scratch.file("state/gocontainer/progress.json", "{");
    Ended ended = run(lesson({"list"}));
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("progress.json"));
}

TEST(Labs, SayWhatTheyAre) {
    Ended help = run({.argv = {gocontainer(), "lab", "--help"}});
    EXPECT_EQ(help.status, 0);
    for (const char* word : {"start N", "check N", "hint N", "solution N", "report", "gauntlet"})
        EXPECT_THAT(help.out, HasSubstr(word));
    EXPECT_EQ(run({.argv = {gocontainer(), "lab"}}).out, help.out);
    Ended typo = run({.argv = {gocontainer(), "lab", "chekc", "3"}});
    EXPECT_EQ(typo.status, 125);
    EXPECT_THAT(typo.err, HasSubstr("chekc"));
}

TEST(Labs, SayWhatIsWrong) {
    Scratch scratch;
    auto complaint = [&](const Strings& words) {
        Strings argv{gocontainer(), "lab"};
        argv.insert(argv.end(), words.begin(), words.end());
        Ended ended = run({.argv = argv, .env = {"XDG_STATE_HOME=" + scratch.path()}});
        EXPECT_EQ(ended.status, 125) << ended.out;
        return ended.err;
    };
    EXPECT_THAT(complaint({"check", "3x"}), HasSubstr("name a lesson"));
    EXPECT_THAT(complaint({"check", "3", scratch.path()}), HasSubstr("that is a folder"));
    EXPECT_THAT(complaint({"check", "3", scratch / "x"}), HasSubstr("there is no such program"));
    EXPECT_THAT(complaint({"escape", "kill-host", "--without"}), HasSubstr("wants a stage"));
    EXPECT_THAT(complaint({"gauntlet", "--svg"}), HasSubstr("wants a file"));
    EXPECT_THAT(complaint({"gauntlet", "--svg", scratch / "x/y"}), HasSubstr("ENOENT"));
}

// Beside the binary's real path, whatever the working directory.
TEST(Lessons, AreFoundBesideTheBinary) {
    Ended ended =
        run({.argv = {gocontainer(), "lesson", "0"}, .env = {"GOCONTAINER_LESSONS"}, .cwd = "/"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("0. Know your host"));
}

TEST(Lessons, FitATerminalAndAScreenReader) {
    for (int number = 0; number < 16; ++number) {
        Ended whole = run({.argv = {gocontainer(), "lesson", std::to_string(number)}});
        ASSERT_EQ(whole.status, 0) << whole.err;
        for (const std::string& line : lines(whole.out))
            EXPECT_LE(std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }), 80)
                << number << ": " << line;
        Ended plain = run({.argv = {gocontainer(), "lesson", "--plain", std::to_string(number)}});
        for (const char* drawn : {"─", "│", "►", "▼", "…"})
            EXPECT_THAT(plain.out, Not(HasSubstr(drawn))) << number;
    }
}

} // namespace
