// The time stage: clocks that count from another moment.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <sstream>

using namespace support;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// Seconds of a clock in the time namespace that a process is in.
double clock_of(pid_t pid, clockid_t clock) {
    return std::stod(in_namespaces(pid, {"user", "time"}, [clock] {
        timespec now{};
        clock_gettime(clock, &now);
        return std::to_string(static_cast<double>(now.tv_sec) +
                              static_cast<double>(now.tv_nsec) / 1e9);
    }));
}

/// How far a container's clock is ahead of ours, in tens of seconds. Ours is looked at before and
/// after it: on a slow machine, that may be far apart.
long ahead(pid_t pid, clockid_t clock) {
    for (;;) {
        double before = clock_of(getpid(), clock);
        double inside = clock_of(pid, clock);
        if (clock_of(getpid(), clock) - before < 4)
            return std::lround((inside - before) / 10) * 10;
    }
}

class Time : public testing::Test {
    void SetUp() override {
        if (access("/proc/self/ns/time", F_OK) != 0)
            GTEST_SKIP() << "this kernel has no time namespaces";
    }
};

} // namespace

TEST_F(Time, IsOffByDefault) {
    Container box;
    EXPECT_TRUE(shares(box.first(), "time"));
}

TEST_F(Time, EachOffsetTurnsItOn) {
    Container boot({"--boottime", "864000"});
    EXPECT_FALSE(shares(boot.first(), "time"));
    EXPECT_EQ(ahead(boot.first(), CLOCK_BOOTTIME), 864000);
    EXPECT_EQ(ahead(boot.first(), CLOCK_MONOTONIC), 0);
    Container monotonic({"--monotonic", "36000"});
    EXPECT_FALSE(shares(monotonic.first(), "time"));
    EXPECT_EQ(ahead(monotonic.first(), CLOCK_BOOTTIME), 0);
    EXPECT_EQ(ahead(monotonic.first(), CLOCK_MONOTONIC), 36000);
}

TEST_F(Time, UptimeInsideShowsTheOffset) {
    Container box({"--boottime", "864000", "--monotonic", "500"});
    double inside = std::stod(box.ask("cat /proc/uptime").out);
    EXPECT_NEAR(inside - clock_of(getpid(), CLOCK_BOOTTIME), 864000, 60);
    std::istringstream offsets(slurp("/proc/" + std::to_string(box.first()) + "/timens_offsets"));
    std::string clock;
    long seconds = 0;
    long nanoseconds = 0;
    std::map<std::string, long> found;
    while (offsets >> clock >> seconds >> nanoseconds)
        found[clock] = seconds;
    EXPECT_EQ(found["boottime"], 864000);
    EXPECT_EQ(found["monotonic"], 500);
}

TEST_F(Time, ClocksCanBeSetBack) {
    long uptime = std::lround(clock_of(getpid(), CLOCK_BOOTTIME));
    if (uptime < 60)
        GTEST_SKIP() << "this machine has been up for less than a minute";
    Container box({"--boottime", std::to_string(-uptime + 20)});
    double inside = clock_of(box.first(), CLOCK_BOOTTIME);
    EXPECT_LT(inside, clock_of(getpid(), CLOCK_BOOTTIME) - 20);
}

TEST_F(Time, BelowZeroIsRefused) {
    Ended ended = launch({"--boottime", "-9000000000"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("time"));
    EXPECT_THAT(ended.err, HasSubstr("ERANGE"));
}

TEST_F(Time, OnWithoutOffsetsIsANamespaceAlone) {
    Container box({"--only", "user,time"});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre("user", "time"));
    EXPECT_EQ(ahead(box.first(), CLOCK_BOOTTIME), 0);
}

TEST_F(Time, AnOffsetWithoutTheStageIsRefused) {
    Ended ended = launch({"--no-time", "--boottime", "864000"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("--boottime"));
}

TEST_F(Time, TheHostsClocksAreNotMoved) {
    double before = clock_of(getpid(), CLOCK_BOOTTIME);
    Container box({"--boottime", "864000", "--cap-add", "sys_time"});
    EXPECT_LT(clock_of(getpid(), CLOCK_BOOTTIME), before + 3600);
}
