// Lesson 8: `mine COMMAND…`, as number 1 of a container, is its init.
#include "tests/exercise/mine.hpp"

#include <gmock/gmock.h>

#include <signal.h>

#include <algorithm>

using namespace exercise;
using testing::HasSubstr;

namespace {

Strings under_init(const Strings& command) {
    return parent_words(joined(lent(), {"-q", "-v", mine() + ":/mine:ro"}),
                        joined({"/mine"}, command));
}

bool zombie(pid_t pid) {
    auto text = try_slurp("/proc/" + std::to_string(pid) + "/status");
    return text && text->find("State:\tZ") != std::string::npos;
}

} // namespace

TEST(Init, TheStatusIsTheCommands) {
    EXPECT_EQ(run({.argv = under_init({"true"})}).status, 0);
    EXPECT_EQ(run({.argv = under_init({"sh", "-c", "exit 42"})}).status, 42);
    EXPECT_EQ(run({.argv = under_init({"sh", "-c", "kill -9 $$"})}).status, 137);
}

TEST(Init, ItPassesSignalsOn) {
    for (int number : {SIGTERM, SIGHUP}) {
        std::string word = token();
        Process launcher(
            {.argv = under_init({"sh", "-c",
                                 "trap 'echo " + word + "; exit 7' " + std::to_string(number) +
                                     "; echo ready; i=0; while [ $i -lt 40 ]; do sleep 0.1; "
                                     "i=$((i + 1)); done; exit 4"})});
        launcher.until("ready");
        launcher.kill(number);
        Ended ended = launcher.wait();
        EXPECT_EQ(ended.status, 7) << "after signal " << number;
        EXPECT_THAT(ended.out, HasSubstr(word)) << "after signal " << number;
    }
}

TEST(Init, ItReapsOrphans) {
    Strings shell{"/bin/sh", "-s", token()};
    Process launcher({.argv = under_init(shell)});
    launcher.type("for i in 1 2 3 4 5; do sh -c '(sleep 0 &); true'; done; echo ready\n");
    launcher.until("ready");
    EXPECT_TRUE(
        eventually([&] { return std::ranges::none_of(descendants_of(launcher.pid()), zombie); },
                   Duration{5000}))
        << "processes whose parent has ended are still there, as zombies";
    EXPECT_GT(running(launcher.pid(), shell), 0);
    launcher.type("exit\n");
    EXPECT_EQ(launcher.wait().status, 0);
}

TEST(Init, ItEndsWithTheCommandWhateverElseRuns) {
    Ended ended = run({.argv = under_init({"sh", "-c", "sleep 1000 >/dev/null 2>&1 & exit 3"})});
    EXPECT_EQ(ended.status, 3);
    EXPECT_FALSE(ended.held_open);
}
