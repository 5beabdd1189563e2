// `gocontainer lab watch`: each change is checked, however it was written and however it is
// noticed.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>

namespace {

using namespace support;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

/// The source, as links, but with a lesson that can be written in.
class LabWatch : public testing::Test {
protected:
    Scratch scratch;
    fs::path top = scratch.folder("top"), lesson = top / "lessons/00-host",
             mine = lesson / "mine.sh";
    std::string solution;
    void SetUp() override {
        if (emulated())
            GTEST_SKIP() << "tried on the host";
        for (const auto& entry : fs::directory_iterator(source()))
            if (entry.path().filename() != "lessons")
                fs::create_symlink(entry.path(), top / entry.path().filename());
        fs::create_directories(lesson);
        fs::copy(source() + "/lessons/00-host", lesson, fs::copy_options::recursive);
        fs::copy_file(lesson / "skeleton/mine.sh", mine);
        solution = slurp(lesson / "solution/mine.sh");
    }
    Command watch(const Strings& options = {}) {
        Strings argv{gocontainer(), "lab", "watch", "0"};
        argv.insert(argv.end(), options.begin(), options.end());
        return {.argv = argv,
                .env = {"XDG_STATE_HOME=" + scratch.path(), "GOCONTAINER_ROOTFS=" + rootfs(),
                        "GOCONTAINER_LESSONS=" + (top / "lessons").string(),
                        "TMPDIR=" + scratch.folder("tmp")}};
    }
    /// As an editor does.
    void save_by_rename(const std::string& text) {
        spill(lesson / ".mine.sh.new", text, 0755);
        fs::rename(lesson / ".mine.sh.new", mine);
    }
    /// How many checks were noted, once it says that it has passed so often.
    void changes_are_checked(const Strings& options, const std::string& how) {
        Process lab(watch(options));
        lab.until(how);
        (void)lab.take("'gocontainer lab hint 0' has a hint\n"); // the skeleton
        // In place, and by one write, so that nobody finds it empty, as long as we may be kept from
        // going on. What it was is shorter.
        ASSERT_LE(fs::file_size(mine), solution.size());
        write_to(mine, solution);
        (void)lab.take("mine.sh has changed\n");
        EXPECT_THAT(lab.take("'gocontainer lab solution 0'"), Not(HasSubstr("FAILED")));
        save_by_rename("#!/bin/sh\necho user\n");
        (void)lab.take("mine.sh has changed\n");
        EXPECT_THAT(lab.take("'gocontainer lab hint 0'"), HasSubstr("expected"));
        save_by_rename(solution);
        EXPECT_THAT(lab.take("'gocontainer lab solution 0'"), Not(HasSubstr("FAILED")));
        lab.kill(SIGTERM);
        Ended ended = lab.wait();
        EXPECT_EQ(ended.status, 128 + SIGTERM);
        EXPECT_THAT(slurp(scratch / "gocontainer/progress.json"), HasSubstr("\"checks\": 4"));
    }
};

TEST_F(LabWatch, ByInotify) {
    changes_are_checked({}, "by inotify");
}

TEST_F(LabWatch, ByLooking) {
    changes_are_checked({"--poll"}, "by looking twice a second");
}

// Who writes in many steps is not looked at in the midst of them, though it takes him longer than
// from one look to the next. (Unless he pauses: a busy machine may make him, but not each time.)
TEST_F(LabWatch, ByLookingWaitsUntilAFileIsWhole) {
    Process lab(watch({"--poll"}));
    (void)lab.take("'gocontainer lab hint 0' has a hint\n"); // the skeleton
    bool whole = false;
    for (int tries = 0; tries < 5 && !whole; ++tries) {
        spill(mine, "", 0755);
        std::ofstream file(mine, std::ios::app);
        for (char one : solution) {
            file << one << std::flush;
            pass(std::chrono::microseconds(2'000'000 / solution.size()));
        }
        file.close(); // nobody can execute it before
        whole = !lab.take("'gocontainer lab solution 0'").contains("FAILED");
    }
    EXPECT_TRUE(whole);
}

TEST_F(LabWatch, EndsByControlCEvenInTheMidstOfACheck) {
    spill(mine, "#!/bin/sh\nexec sleep 1000\n", 0755);
    Terminal lab(watch());
    lab.until("mine.sh"); // is being checked: it does not answer
    lab.type("\003");
    EXPECT_EQ(lab.wait().status, 0);
    EXPECT_EQ(lab.modes().c_lflag, lab.first_modes().c_lflag);
    EXPECT_TRUE(eventually([&] { return fs::is_empty(scratch.folder("tmp")); }));
}

TEST_F(LabWatch, WhatIsBuiltOfCppIsCheckedOnce) {
    fs::remove(mine);
    fs::copy_file(lesson / "skeleton/mine.cpp", lesson / "mine.cpp");
    Process lab(watch());
    lab.until("there is nothing of yours");
    spill(lesson / "mine.cpp", slurp(lesson / "solution/mine.cpp"));
    lab.until("'gocontainer lab solution 0'");
    spill(lesson / "mine.cpp", "int main() { return x; }\n");
    lab.until("can't be built");
    EXPECT_THAT(lab.out(), Not(HasSubstr("\nmine has changed")));
    lab.kill(SIGINT);
    Ended ended = lab.wait();
    EXPECT_EQ(ended.status, 0);
    EXPECT_THAT(slurp(scratch / "gocontainer/progress.json"), HasSubstr("\"checks\": 1"));
}

TEST(LabFolders, OfALabThatWasKilledGoAndNobodyElses) {
    Scratch scratch;
    fs::path left = scratch.folder("gocontainer-lab-left"),
             held = scratch.folder("gocontainer-lab-held"),
             other = scratch.folder("gocontainer-other");
    scratch.file("gocontainer-lab-left/secret", "");
    scratch.folder("kept");
    fs::create_directory_symlink(scratch / "kept", scratch / "gocontainer-lab-link");
    int lock = open(held.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(flock(lock, LOCK_EX), 0);
    (void)run({.argv = {gocontainer(), "lab", "escape", "chroot-fd"},
               .env = {"TMPDIR=" + scratch.path()}});
    close(lock);
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(fs::exists(held));
    EXPECT_TRUE(fs::exists(other));
    EXPECT_TRUE(fs::exists(scratch / "kept"));
    EXPECT_TRUE(fs::is_symlink(scratch / "gocontainer-lab-link"));
    Strings rest;
    for (const auto& entry : fs::directory_iterator(scratch.path()))
        rest.push_back(entry.path().filename());
    EXPECT_EQ(rest.size(), 4U) << testing::PrintToString(rest); // and its own has gone
}

} // namespace
