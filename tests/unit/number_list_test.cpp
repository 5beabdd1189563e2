// Lists of numbers: what they are, and what is none.
#include "sys/number_list.hpp"

#include <gmock/gmock.h>

namespace {

std::vector<int> numbers(const std::vector<bool>& set) {
    std::vector<int> out;
    for (std::size_t i = 0; i < set.size(); ++i)
        if (set[i])
            out.push_back(static_cast<int>(i));
    return out;
}

TEST(NumberList, HasItsMembers) {
    using testing::ElementsAre;
    EXPECT_THAT(numbers(sys::members_of("0-2,9").value()), ElementsAre(0, 1, 2, 9));
    EXPECT_THAT(numbers(sys::members_of("5\n").value()), ElementsAre(5));
    EXPECT_THAT(numbers(sys::members_of("").value()), ElementsAre());
    EXPECT_EQ(sys::members_of("65535").value().size(), 65536u);
}

TEST(NumberList, RefusesWhatIsNone) {
    for (const char* text :
         {"a", "1-", "-1", "2-1", "1,", ",1", "1 2", "65536", "99999999999", "1-2-3"})
        EXPECT_FALSE(sys::members_of(text)) << text;
}

} // namespace
