// buildah, which is its own monitor: it creates, starts, and asks for the state until that is
// "stopped".
#include "tests/engines/engine.hpp"

#include "tests/support/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace engines;
using testing::HasSubstr;

class Buildah : public testing::Test {
protected:
    static void SetUpTestSuite() {
        why_not = missing({"buildah"});
        if (why_not.empty() && !is_root() && subordinate("/etc/subuid").count == 0)
            why_not = "host lacks subordinate ids for rootless buildah";
        if (!why_not.empty())
            return;
        Ended made = said({"from", "--name", "box", "scratch"});
        Ended filled = said({"add", "box", enclosure().layer(), "/"});
        if (made.status != 0 || filled.status != 0)
            why_not = "buildah can't work here: " + made.err + filled.err;
    }
    static void TearDownTestSuite() {
        if (why_not.empty()) {
            EXPECT_EQ(said({"rm", "--all"}).status, 0);
        }
    }
    void SetUp() override {
        if (!why_not.empty())
            GTEST_SKIP() << why_not;
    }
    static Command command(const Strings& words) {
        std::string home = enclosure().folder() / "buildah";
        Strings argv{find_program("buildah"), "--root",           home + "/root", "--runroot",
                     home + "/run",           "--storage-driver", "vfs"};
        argv.insert(argv.end(), words.begin(), words.end());
        return enclosure().inside(argv);
    }
    static Ended said(const Strings& words, const std::string& input = {}) {
        Command whole = command(words);
        whole.input = input;
        whole.input_ends = true;
        return support::run(std::move(whole));
    }
    static Strings words(const Strings& options, const Strings& command) {
        Strings all{"run", "--runtime", gocontainer(), "--isolation", "oci", "--network=none"};
        all.insert(all.end(), options.begin(), options.end());
        all.insert(all.end(), {"box", "--"});
        all.insert(all.end(), command.begin(), command.end());
        return all;
    }

    static inline std::string why_not;
    std::string word = token();
};

TEST_F(Buildah, RunsACommandWithItsStreams) {
    Ended ended =
        said(words({}, {"sh", "-c", "cat; id -u; echo err >&2; sleep 0.3; exit 7"}), word);
    EXPECT_EQ(ended.out, word + "0\n");
    EXPECT_THAT(ended.err, HasSubstr("err\n"));
    EXPECT_EQ(ended.status, 7);
    EXPECT_EQ(said(words({}, {"sh", "-c", "sh -c 'kill -9 $$'; exit $?"})).status, 137);
}

TEST_F(Buildah, TellsWhyACommandCanNotBeRun) {
    Ended absent = said(words({}, {word}));
    EXPECT_NE(absent.status, 0);
    EXPECT_THAT(absent.err,
                HasSubstr("exec: \"" + word + "\": executable file not found in $PATH"));
}

TEST_F(Buildah, GivesATerminal) {
    Terminal terminal(command(words({"--terminal"}, {"sh"})), 31, 97);
    terminal.type("stty -echo; echo u''p\n");
    terminal.until("up\r\n");
    terminal.type("tty; stty size; sh -c 'echo be''gun; exec sleep 1000'\n");
    terminal.until("/dev/pts/0\r\n31 97\r\nbegun\r\n");
    terminal.type("\x03");
    terminal.type("echo after $?; exit 5\n");
    terminal.until("after 130");
    EXPECT_EQ(terminal.wait().status, 5);
}

TEST_F(Buildah, LeavesNothingOfARun) {
    EXPECT_EQ(said(words({}, {"true"})).status, 0);
    std::string root = is_root() ? "/run/gocontainer" : enclosure().folder() / "xdg/gocontainer";
    Ended listed =
        support::run(enclosure().inside({gocontainer(), "--root", root, "list", "--quiet"}));
    EXPECT_EQ(listed.out, "") << listed.err;
}

} // namespace
