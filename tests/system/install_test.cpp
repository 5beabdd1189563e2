// `make shell`: where it can't install what is missing, its tour, and its shell.
#include "tests/support/container.hpp"
#include "tests/support/session.hpp"

#include <filesystem>
#include <gmock/gmock.h>

using namespace support;

namespace {

/// A machine of Debian's that has no package at all, to an ordinary user.
class Install : public testing::Test {
    void SetUp() override {
        for (const char* name : {"dpkg-query", "apt-cache", "apt-get"})
            (void)scratch_.file(std::string("bin/") + name, "#!/bin/sh\nexit 1\n", 0755);
        for (const char* name : {"bash", "cat", "dirname", "sed", "tr", "cut", "sort", "id", "env"})
            link(name);
    }
    void link(const std::string& name) {
        std::filesystem::create_symlink(program(name), scratch_ / ("bin/" + name));
    }

protected:
    Scratch scratch_;

    Ended install() {
        return run({.argv = {scratch_ / "bin/bash", source() + "/tools/install", "shell"},
                    .env = {"PATH=" + (scratch_ / "bin")},
                    .before_exec = become_ordinary});
    }
};

} // namespace

TEST_F(Install, WithoutSudoRootIsToldWhat) {
    Ended ended = install();
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, testing::HasSubstr("no sudo here; have root do it: apt-get install "));
    EXPECT_THAT(ended.err, testing::HasSubstr(" uidmap"));
}

TEST_F(Install, ARefusedSudoIsNotTheLastWord) {
    scratch_.file("bin/sudo", "#!/bin/sh\necho 'not in the sudoers file' >&2; exit 1\n", 0755);
    Ended ended = install();
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, testing::HasSubstr("not in the sudoers file"));
    EXPECT_THAT(ended.err, testing::HasSubstr("have root do it: apt-get install "));
}

TEST(Shell, WithoutATerminalIsATourThatFitsOne) {
    Checkout here;
    Ended tour = run({.argv = {here.path() + "/tools/shell"}});
    EXPECT_EQ(tour.status, 0) << tour.err;
    EXPECT_THAT(tour.out, testing::ContainsRegex("process +[0-9]+ of [0-9]+ +1 of "));
    for (const std::string& line : lines(tour.out))
        EXPECT_LE(line.size(), 82U) << line; // "…" is three bytes
}

TEST(Shell, ThatEndsWithAFailedCommandIsNoFailure) {
    Checkout here;
    Terminal shell({.argv = {here.path() + "/tools/shell"}});
    shell.until("/ # ");
    shell.type("echo $$; false\r");
    shell.until("1\r\n");
    shell.type("exit\r");
    EXPECT_EQ(shell.wait().status, 0);
}
