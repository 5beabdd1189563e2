// The teacher's guide has every fault of --break, under its number and its name.
#include "run/fault.hpp"
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

TEST(Faults, StandInTheTeachersGuide) {
    const std::string guide = support::slurp(support::source() + "/lessons/TEACHING.md");
    std::size_t number = 0;
    for (const run::Fault& fault : run::faults())
        EXPECT_THAT(guide, testing::HasSubstr("\n| " + std::to_string(++number) + " | `" +
                                              std::string(fault.name) + "` |"));
    EXPECT_THAT(guide,
                testing::Not(testing::HasSubstr("\n| " + std::to_string(number + 1) + " | `")));
}
