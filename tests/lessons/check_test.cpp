// `gocontainer lab`: every unsolved skeleton fails, every solution passes, by the tests that guard
// our own stages, or by those of tests/exercise/.
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>

namespace {

using namespace support;
using testing::AnyOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

/// One way to write a lesson's exercise: a script, a program in C++, or a stage that is linked in.
struct Way {
    std::string folder, file;
    std::string number() const { return std::to_string(std::stoi(folder)); }
    bool script() const { return !file.ends_with(".cpp"); }
};
std::ostream& operator<<(std::ostream& out, const Way& way) {
    return out << way.folder << "/" << way.file;
}
fs::path lessons() {
    return fs::path(source()) / "lessons";
}
Strings files_in(const fs::path& folder) {
    Strings out;
    if (fs::exists(folder))
        for (const auto& entry : fs::directory_iterator(folder))
            out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
}
std::vector<Way> all_ways() {
    std::vector<Way> out;
    for (const std::string& folder : files_in(lessons()))
        for (const std::string& file : files_in(lessons() / folder / "skeleton"))
            out.push_back({folder, file});
    return out;
}

class Check : public testing::TestWithParam<Way> {
protected:
    Scratch scratch;
    fs::path lesson = lessons() / GetParam().folder;
    void SetUp() override {
        // An emulated machine is for what others can't: a cgroup of one's own.
        if (emulated() && GetParam().number() != "11")
            GTEST_SKIP() << "tried on the host";
        if (!emulated() && is_root())
            GTEST_SKIP() << "tried as an ordinary user, which learners are";
        if (GetParam().file.ends_with(".py") && !fs::exists("/usr/bin/python3"))
            GTEST_SKIP() << "no Python";
    }
    Ended lab(const Strings& words) {
        Strings argv{gocontainer(), "lab"};
        argv.insert(argv.end(), words.begin(), words.end());
        return run({.argv = argv,
                    .env = {"XDG_STATE_HOME=" + scratch.path(), "GOCONTAINER_ROOTFS=" + rootfs()}});
    }
    /// What is checked: the script itself, or what `make mine` makes of it.
    std::string ready(const std::string& which) {
        const std::string& file = GetParam().file;
        if (GetParam().script())
            return lesson / which / file;
        fs::path folder = scratch.folder(which);
        fs::copy_file(lesson / which / file, folder / file);
        Ended made = run({.argv = {"make", "-C", source(), "mine", "DIR=" + folder.string()}});
        EXPECT_EQ(made.status, 0) << made.out << made.err;
        return folder / (file == "mine.cpp" ? "mine" : "gocontainer");
    }
};

TEST_P(Check, TheSkeletonFailsAndTheSolutionPasses) {
    const std::string number = GetParam().number();
    Ended unsolved = lab({"check", number, ready("skeleton")});
    if (unsolved.out.contains("this machine can try none of it"))
        GTEST_SKIP() << unsolved.out;
    EXPECT_EQ(unsolved.status, 1) << unsolved.out << unsolved.err;
    EXPECT_THAT(unsolved.out, HasSubstr("FAILED"));
    EXPECT_THAT(unsolved.out, HasSubstr("lab hint " + number));
    EXPECT_NE(lab({"solution", number}).status, 0); // not before it has passed
    const std::string solution = ready("solution");
    Ended solved = lab({"check", number, solution});
    EXPECT_EQ(solved.status, 0) << solved.out << solved.err;
    EXPECT_THAT(solved.out, Not(HasSubstr("FAILED")));
    EXPECT_THAT(lab({"solution", number}).out,
                HasSubstr(slurp(lesson / "solution" / GetParam().file)));
    auto report = nlohmann::json::parse(lab({"report", "--json"}).out);
    ASSERT_EQ(report.size(), 16U);
    for (const auto& row : report)
        EXPECT_EQ(row["checks"],
                  std::stoi(row["lesson"].get<std::string>()) == std::stoi(number) ? 2 : 0);
    EXPECT_EQ(report[std::stoul(number)]["evidence"]["program"], solution);
}

INSTANTIATE_TEST_SUITE_P(Lab, Check, testing::ValuesIn(all_ways()), [](const auto& of) {
    std::string name = of.param.folder + "_" + of.param.file;
    std::ranges::replace_if(name, [](char c) { return c == '-' || c == '.'; }, '_');
    return name;
});

TEST(Lab, EachLessonsExerciseIsThereInCppAndInAScript) {
    for (const std::string& folder : files_in(lessons())) {
        if (!fs::is_directory(lessons() / folder))
            continue;
        Strings skeletons = files_in(lessons() / folder / "skeleton");
        EXPECT_EQ(skeletons, files_in(lessons() / folder / "solution")) << folder;
        EXPECT_THAT(skeletons, Contains(EndsWith(".cpp"))) << folder;
        EXPECT_THAT(skeletons, Contains(AnyOf("mine.sh", "mine.py"))) << folder;
    }
}

TEST(Lab, WhatCannotRunIsSaid) {
    Scratch scratch;
    scratch.folder("lessons/00-host");
    scratch.file("lessons/00-host/README.md", "# 0. Of\n\n## Question\n");
    std::string mine = scratch.file("lessons/00-host/mine.sh", "#!/bin/sh\r\n");
    auto check = [&] {
        return run({.argv = {gocontainer(), "lab", "check", "0"},
                    .env = {"GOCONTAINER_LESSONS=" + scratch / "lessons",
                            "XDG_STATE_HOME=" + scratch.folder("state")}});
    };
    Ended ended = check();
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("chmod +x " + mine));
    chmod(mine.c_str(), 0755);
    EXPECT_THAT(check().err, HasSubstr("as on Windows"));
}

TEST(Lab, TheSolutionsTogetherAreAContainer) {
    if (emulated() || is_root())
        GTEST_SKIP() << "tried on the host, as an ordinary user";
    Scratch scratch;
    const std::string name = token();
    Strings options{"-q", "--hostname", name};
    for (const auto& [stage, file] : std::initializer_list<std::pair<std::string, std::string>>{
             {"uts", "03-uts/solution/mine.sh"},
             {"mount", "04-mount/solution/mine.sh"},
             {"root", "06-pivot-root/solution/mine.sh"},
             {"pid", "07-pid/solution/mine.sh"},
             {"net", "09-net/solution/mine.sh"},
             {"caps", "12-capabilities/solution/mine.cpp"},
             {"seccomp", "13-seccomp/solution/mine.cpp"}}) {
        fs::path program = lessons() / file;
        if (file.ends_with(".cpp")) { // static: the container's root is in place
            fs::path folder = scratch.folder(stage);
            fs::copy_file(program, folder / "mine.cpp");
            Ended made = run({.argv = {"make", "-C", source(), "mine", "DIR=" + folder.string()}});
            ASSERT_EQ(made.status, 0) << made.err;
            program = folder / "mine";
        }
        options.insert(options.end(), {"--replace", stage + "=" + program.string()});
    }
    Container box(options);
    EXPECT_EQ(box.ask("hostname; echo $$").out, name + "\n1\n");
    const pid_t pid = box.first();
    for (const char* one : {"user", "uts", "mnt", "pid", "net"})
        EXPECT_FALSE(shares(pid, one)) << one;
    auto of = status(pid);
    EXPECT_EQ(of.at("CapBnd"), "00000000a80425fb");
    EXPECT_EQ(of.at("Seccomp"), "2");
    EXPECT_EQ(of.at("NoNewPrivs"), "1");
    EXPECT_NE(box.ask("unshare -U true").status, 0);
    EXPECT_EQ(descriptors(pid).size(), 3U);
    auto mounts = mountinfo(pid);
    EXPECT_NE(mounted_at(mounts, "/proc"), nullptr);
    for (const MountLine& mount : mounts)
        EXPECT_TRUE(mount.optional.empty()) << mount.point << " is shared with somebody";
}

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
    for (const char* number : {"16", "99", "x", ""}) {
        Ended ended = run({.argv = {gocontainer(), "lab", "check", number},
                           .env = {"XDG_STATE_HOME=" + scratch.path()}});
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("name a lesson: 0 to 15"));
    }
    scratch.folder("gocontainer");
    scratch.file("gocontainer/progress.json", R"({"lessons": {"03": {"checks": "many"}}})");
    Ended ended = run(
        {.argv = {gocontainer(), "lab", "report"}, .env = {"XDG_STATE_HOME=" + scratch.path()}});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("is damaged"));
}

TEST(Lab, ReportsWhoTheKernelSaysTheLearnerIs) {
    const passwd* whoever = getpwuid(getuid());
    ASSERT_NE(whoever, nullptr);
    Scratch scratch;
    Ended ended = run({.argv = {gocontainer(), "lab", "report", "--json"},
                       .env = {"XDG_STATE_HOME=" + scratch.path(), "USER=" + token(), "LOGNAME"}});
    EXPECT_EQ(nlohmann::json::parse(ended.out)[7]["learner"], whoever->pw_name) << ended.err;
}

} // namespace
