// The teacher's guide: it has every fault of --break, under its number and its name, and the parts
// of lessons that it names for the workshop are there.
#include "run/fault.hpp"
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>

TEST(Faults, StandInTheTeachersGuide) {
    const std::string guide = support::slurp(support::source() + "/lessons/TEACHING.md");
    std::size_t number = 0;
    for (const run::Fault& fault : run::faults())
        EXPECT_THAT(guide, testing::HasSubstr("\n| " + std::to_string(++number) + " | `" +
                                              std::string(fault.name) + "` |"));
    EXPECT_THAT(guide,
                testing::Not(testing::HasSubstr("\n| " + std::to_string(number + 1) + " | `")));
}

TEST(Workshop, TakesPartsThatTheLessonsHave) {
    std::string guide = support::slurp(support::source() + "/lessons/TEACHING.md");
    guide = guide.substr(guide.find("\n## A workshop"));
    guide.resize(guide.find("\nTo show"));
    std::size_t parts = 0;
    for (const std::string& row : support::lines(guide)) {
        // | minutes | 5 chroot | part; part | … |
        std::istringstream cells(row);
        std::string cell, lesson;
        for (int i = 0; i < 3; ++i)
            std::getline(cells, cell, '|');
        lesson = cell;
        if (row.empty() || !row.starts_with("| ") || lesson.size() < 3 || isdigit(lesson[1]) == 0)
            continue;
        int number = std::stoi(lesson);
        std::string text;
        for (const auto& folder :
             std::filesystem::directory_iterator(support::source() + "/lessons"))
            if (std::string name = folder.path().filename();
                isdigit(name[0]) != 0 && std::stoi(name) == number)
                text = support::slurp(folder.path().string() + "/README.md");
        std::getline(cells, cell, '|');
        std::istringstream named(cell);
        for (std::string part; std::getline(named, part, ';'); ++parts) {
            part.erase(0, part.find_first_not_of(' '));
            part.erase(part.find_last_not_of(' ') + 1);
            EXPECT_THAT(text, testing::HasSubstr("\n**" + part)) << "lesson " << number;
        }
    }
    EXPECT_GE(parts, 15U);
}
