// Lesson 0: `mine PID` prints the names of the namespaces that the process does not share with it.
#include "tests/exercise/mine.hpp"

#include <algorithm>
#include <random>

#include <sched.h>
#include <unistd.h>

using namespace exercise;

namespace {

Strings said_of(pid_t pid) {
    Ended ended = run({.argv = mine({std::to_string(pid)})});
    EXPECT_EQ(ended.status, 0) << ended.err;
    Strings names = lines(ended.out);
    std::ranges::sort(names);
    return names;
}

} // namespace

TEST(Differences, WhatDiffersIsNamed) {
    const std::pair<const char*, int> kinds[] = {
        {"uts", CLONE_NEWUTS}, {"ipc", CLONE_NEWIPC}, {"net", CLONE_NEWNET}, {"mnt", CLONE_NEWNS}};
    std::random_device random;
    unsigned some = 0;
    for (int i = 0; i < 4; ++i) {
        // Which, nobody can guess; each of them is there once, and missing once.
        some = i % 2 == 0 ? random() : ~some;
        int namespaces = CLONE_NEWUSER;
        Strings expected{"user"};
        for (unsigned k = 0; k < std::size(kinds); ++k)
            if ((some >> k & 1) != 0) {
                namespaces |= kinds[k].second;
                expected.emplace_back(kinds[k].first);
            }
        auto process = idle_in(namespaces);
        if (!process)
            GTEST_SKIP() << "this machine lets nobody make a user namespace";
        std::ranges::sort(expected);
        EXPECT_EQ(said_of(process->pid()), expected);
    }
}

TEST(Differences, OfAProcessBesideYouNothingIsNamed) {
    Process cat({.argv = {"cat"}});
    EXPECT_EQ(said_of(cat.pid()), Strings{});
}

TEST(Differences, AProcessThatIsNotThereIsAnError) {
    Ended ended = run({.argv = mine({"4194305"})}); // more than the kernel gives
    EXPECT_NE(ended.status, 0);
    EXPECT_EQ(ended.out, "");
}
