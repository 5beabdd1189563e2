// The init stage: a PID 1 that reaps and forwards; and that PID 1 is no way to the host's binary.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

using namespace support;
using testing::HasSubstr;
using testing::Not;

namespace {

int zombies_below(pid_t pid) {
    auto all = descendants_of(pid);
    return static_cast<int>(std::ranges::count_if(all, [](pid_t one) {
        auto text = try_slurp("/proc/" + std::to_string(one) + "/status");
        return text && text->find("State:\tZ") != std::string::npos;
    }));
}

} // namespace

TEST(Init, IsOffByDefault) {
    Container box;
    EXPECT_EQ(box.first(), box.command());
    Container off({"--no-init"});
    EXPECT_EQ(off.first(), off.command());
}

TEST(Init, StandsBetween) {
    Container box({"--init"});
    EXPECT_NE(box.first(), box.command());
    EXPECT_EQ(status(box.command()).at("PPid"), std::to_string(box.first()));
    EXPECT_THAT(status(box.first()).at("NSpid"), testing::EndsWith("\t1"));
    EXPECT_EQ(own_namespaces(box.first()), own_namespaces(box.command()));
    EXPECT_EQ(command_line(box.first()).front(), "gocontainer init"); // for who looks from outside
    EXPECT_EQ(command_line(box.command()).front(), "/bin/sh");
    EXPECT_NE(box.ask("echo $$").out, "1\n");
}

TEST(Init, ReapsOrphans) {
    Container box({"--init"});
    for (int i = 0; i < 20; ++i)
        box.ask("sh -c '(sleep 0 &) ; true'");
    EXPECT_TRUE(eventually([&] { return zombies_below(box.first()) == 0; }));
}

TEST(Init, PassesSignalsOn) {
    for (int number : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) {
        std::string word = token();
        Process launcher(
            {.argv = parent_words({"--init"},
                                  {"sh", "-c",
                                   "trap 'echo " + word + "; exit 7' " + std::to_string(number) +
                                       "; echo ready; while :; do sleep 1000 & wait; done"})});
        launcher.until("ready");
        launcher.kill(number);
        Ended ended = launcher.wait();
        EXPECT_EQ(ended.status, 7) << number;
        EXPECT_THAT(ended.out, HasSubstr(word)) << number;
    }
}

TEST(Init, ASignalThatTheCommandDoesNotCatchEndsIt) {
    for (int number : {SIGTERM, SIGINT, SIGUSR1}) {
        Process launcher({.argv = parent_words({"--init"}, {"cat"})});
        launcher.type("ready\n");
        launcher.until("ready");
        launcher.kill(number);
        EXPECT_EQ(launcher.wait().status, 128 + number);
    }
}

TEST(Init, TheStatusIsTheCommands) {
    EXPECT_EQ(launch({"--init"}, {"true"}).status, 0);
    EXPECT_EQ(launch({"--init"}, {"sh", "-c", "exit 42"}).status, 42);
    EXPECT_EQ(launch({"--init"}, {"sh", "-c", "kill -9 $$"}).status, 137);
    EXPECT_EQ(launch({"--init"}, {"no-such-program"}).status, 127);
    EXPECT_EQ(launch({"--init"}, {"/etc/passwd"}).status, 126);
}

TEST(Init, EndsWithTheCommandWhateverElseRuns) {
    Ended ended = launch({"--init"}, {"sh", "-c", "sleep 1000 >/dev/null 2>&1 & exit 3"});
    EXPECT_EQ(ended.status, 3);
    EXPECT_FALSE(ended.held_open);
}

TEST(Init, AloneHasNoNamespace) {
    Container box({"--only", "init"});
    EXPECT_TRUE(own_namespaces(box.first()).empty());
    EXPECT_NE(box.first(), box.command());
}

TEST(Init, HoldsNothingOpen) {
    Container box({"--init"});
    for (auto [number, target] : descriptors(box.first()))
        EXPECT_TRUE(number <= 2 || target.starts_with("anon_inode:")) << target;
}

TEST(Init, HoldsNothingOpenFromTheCommandsFirstInstructionOn) {
    // As on a busy machine: PID 1 comes late to what it does after it has started the command. Only
    // it makes a third dup2: two are those of the re-exec.
    Strings words{"strace", "-f",
                  "-o",     "/dev/null",
                  "-e",     "trace=?dup2,dup3",
                  "-e",     "inject=?dup2,dup3:delay_enter=200000:when=3"};
    Strings launch = parent_words({"-q", "--init", "--map", "single"}, {"ls", "-l", "/proc/1/fd"});
    words.insert(words.end(), launch.begin(), launch.end());
    Ended ended = run({.argv = words});
    ASSERT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("signalfd"));
    EXPECT_THAT(ended.out, Not(HasSubstr("socket:")));
}

// --- CVE-2019-5736: the program that started the container, reached from inside
// -------------------

namespace {

class OwnBinary : public testing::Test {
    void SetUp() override { before_ = look(); }
    void TearDown() override {
        EXPECT_EQ(look(), before_) << "the program on the host was changed";
    }

    static std::string look() {
        struct stat info{};
        stat(gocontainer().c_str(), &info);
        return std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " +
               std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) +
               " " + std::to_string(std::hash<std::string>()(slurp(gocontainer())));
    }
    std::string before_;
};

/// What a container would do: keep the program open by way of /proc, wait until nobody runs it any
/// more, write. "Text file busy" alone would be no refusal: it ends with the last process.
void expect_unwritable(Container& box, const std::string& link) {
    for (const std::string& attack :
         {"exec 9>" + link, "exec 9>>" + link, "exec 9<>" + link,
          "exec 8<" + link + "; exec 9>/proc/self/fd/8", "chmod 777 " + link, "chown 5 " + link,
          "truncate -s 0 " + link, "mount -o remount,rw,bind " + link}) {
        Container::Answer answer = box.ask("(" + attack + ") 2>&1");
        EXPECT_NE(answer.status, 0) << attack;
        EXPECT_THAT(answer.out, Not(HasSubstr("busy"))) << attack;
    }
}

} // namespace

TEST_F(OwnBinary, OfInitCannotBeWritten) {
    Container box({"--init", "--cap-add", "all", "--seccomp", "none"});
    expect_unwritable(box, "/proc/1/exe");
}

TEST_F(OwnBinary, WithoutTheMountStageItIsTheUsersOwnAffair) {
    // Without file tree of its own there is nothing to protect; but it still runs.
    EXPECT_EQ(launch({"--only", "user,init"}, {"true"}).status, 0);
}

TEST_F(OwnBinary, AsTheCommandCannotBeWritten) {
    // The command that a hostile image's entry point would be.
    Strings inner{"/proc/self/exe", "parent", "--only", "none", "--", "/bin/sh", "-s", token()};
    Process launcher({.argv = parent_words({"--cap-add", "all", "--seccomp", "none"}, inner)});
    launcher.type("(exec 9>/proc/1/exe) 2>&1; (exec 8</proc/1/exe; exec 9>/proc/self/fd/8) 2>&1; "
                  "echo don''e\n");
    std::string said = launcher.take("done");
    EXPECT_EQ(lines(said).size(), 2U) << said;
    EXPECT_THAT(said, Not(HasSubstr("busy")));
}

TEST_F(OwnBinary, AsAnInterpreterCannotBeWritten) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    spill(own + "/evil", "#!/proc/self/exe parent\n", 0755);
    Ended ended = launch({"--rootfs", own, "--cap-add", "all"}, {"/evil"});
    EXPECT_NE(ended.status, 0);
}

TEST_F(OwnBinary, IsNotInTheTableOfMounts) {
    Container box({"--init"});
    for (const MountLine& mount : mountinfo(box.first()))
        EXPECT_THAT(mount.root, Not(testing::EndsWith("/gocontainer"))) << mount.point;
}
