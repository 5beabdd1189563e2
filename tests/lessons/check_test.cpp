// `gocontainer lab`: every unsolved skeleton fails, every solution passes, by the tests that guard
// our own stages.
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace {

using namespace support;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

struct Exercise {
    std::string number, folder, stage;
    bool shell, cpp;
};
std::ostream& operator<<(std::ostream& out, const Exercise& exercise) {
    return out << exercise.folder;
}
const Exercise kAll[] = {
    {"3", "03-uts", "uts", true, true},
    {"4", "04-mount", "mount", true, false},
    {"6", "06-pivot-root", "root", true, true},
    {"7", "07-pid", "pid", true, false},
    {"9", "09-net", "net", true, true},
    {"11", "11-cgroup", "cgroup", true, false},
    {"12", "12-capabilities", "caps", false, true},
};

/// An emulated machine is for what others can't: a cgroup of one's own.
std::string left_out(const Exercise& exercise) {
    bool emulated = getenv("GOCONTAINER_VM") != nullptr;
    if (emulated && exercise.number != "11")
        return "tried on the host";
    return !emulated && is_root() ? "tried as an ordinary user, which learners are" : "";
}

class Check : public testing::TestWithParam<Exercise> {
protected:
    Scratch scratch;
    fs::path lesson = fs::path(source()) / "lessons" / GetParam().folder;
    void SetUp() override {
        if (std::string why = left_out(GetParam()); !why.empty())
            GTEST_SKIP() << why;
    }
    Ended lab(const Strings& words) {
        Strings argv{gocontainer(), "lab"};
        argv.insert(argv.end(), words.begin(), words.end());
        return run({.argv = argv,
                    .env = {"XDG_STATE_HOME=" + scratch.path(), "GOCONTAINER_ROOTFS=" + rootfs()}});
    }
    /// The skeleton fails and the solution passes.
    void compare(const std::string& skeleton, const std::string& solution) {
        const std::string& number = GetParam().number;
        Ended unsolved = lab({"check", number, skeleton});
        if (unsolved.out.contains("this machine can try none of it"))
            GTEST_SKIP() << unsolved.out;
        EXPECT_EQ(unsolved.status, 1) << unsolved.out << unsolved.err;
        EXPECT_THAT(unsolved.out, HasSubstr("FAILED"));
        EXPECT_THAT(unsolved.out, HasSubstr("lab hint " + number));
        EXPECT_NE(lab({"solution", number}).status, 0); // not before it has passed
        Ended solved = lab({"check", number, solution});
        EXPECT_EQ(solved.status, 0) << solved.out << solved.err;
        EXPECT_THAT(solved.out, Not(HasSubstr("FAILED")));
        EXPECT_EQ(lab({"solution", number}).status, 0);
        auto report = nlohmann::json::parse(lab({"report", "--json"}).out);
        ASSERT_EQ(report.size(), 1U);
        EXPECT_EQ(report[0]["checks"], 2);
        EXPECT_EQ(report[0]["evidence"]["program"], solution);
    }
};

TEST_P(Check, OfAProgramThatStandsIn) {
    if (!GetParam().shell)
        GTEST_SKIP() << "in this root filesystem there is no program that a shell could do it by";
    compare(lesson / "skeleton/mine.sh", lesson / "solution/mine.sh");
}

TEST_P(Check, OfAStageThatIsLinkedIn) {
    if (!GetParam().cpp)
        GTEST_SKIP() << "this lesson's exercise is a program";
    auto built = [&](const std::string& which) {
        fs::path folder = scratch.folder(which);
        std::string name = GetParam().stage + ".cpp";
        fs::copy_file(lesson / which / name, folder / name);
        Ended made = run({.argv = {"make", "-C", source(), "mine", "DIR=" + folder.string()}});
        EXPECT_EQ(made.status, 0) << made.out << made.err;
        return (folder / "gocontainer").string();
    };
    compare(built("skeleton"), built("solution"));
}

INSTANTIATE_TEST_SUITE_P(Lab, Check, testing::ValuesIn(kAll), [](const auto& of) {
    std::string name = of.param.folder;
    std::ranges::replace(name, '-', '_');
    return name;
});

TEST(Lab, HintsComeOneAfterTheOther) {
    Scratch scratch;
    Strings seen;
    for (int i = 0; i < 4; ++i)
        seen.push_back(run({.argv = {gocontainer(), "lab", "hint", "6"},
                            .env = {"XDG_STATE_HOME=" + scratch.path()}})
                           .out);
    EXPECT_NE(seen[0], seen[1]);
    EXPECT_NE(seen[1], seen[2]);
    EXPECT_EQ(seen[2], seen[3]); // the last one stays
}

TEST(Lab, WhatIsNoExerciseIsSaid) {
    Scratch scratch;
    for (const char* number : {"0", "99", "x", ""}) {
        Ended ended = run({.argv = {gocontainer(), "lab", "check", number},
                           .env = {"XDG_STATE_HOME=" + scratch.path()}});
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("name a lesson with a stage to write: 3, 4, 6"));
    }
    scratch.folder("gocontainer");
    scratch.file("gocontainer/progress.json", R"({"lessons": {"03": {"checks": "many"}}})");
    Ended ended = run(
        {.argv = {gocontainer(), "lab", "report"}, .env = {"XDG_STATE_HOME=" + scratch.path()}});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("is damaged"));
}

} // namespace
