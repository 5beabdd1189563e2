// However a container ends, nothing of it stays: processes, mounts, cgroups, files.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

using namespace support;
using testing::HasSubstr;

namespace fs = std::filesystem;

namespace {

/// The machine before and after each test. What the first launch makes in a rootfs, as missing
/// mount points, belongs to the rootfs.
class Leftovers : public testing::Test {
protected:
    void SetUp() override {
        EXPECT_EQ(launch({}, {"true"}).status, 0);
        rootfs_ = listing(rootfs());
        host_ = Host::look();
    }
    void TearDown() override { expect_nothing("the test"); }

    void expect_nothing(const std::string& after) {
        EXPECT_EQ(strays(), "") << "after " << after;
        EXPECT_EQ(differs_from(host_), "") << "after " << after;
        EXPECT_EQ(listing(rootfs()), rootfs_) << "after " << after;
        Strings names;
        for (const auto& entry : fs::directory_iterator(scratch_.path()))
            names.push_back(entry.path().filename());
        EXPECT_THAT(names, testing::ElementsAre("upper")) << "after " << after;
    }
    std::string upper() const { return scratch_ / "upper"; }

private:
    Scratch scratch_;
    std::string upper_ = scratch_.folder("upper");
    std::set<std::string> rootfs_;
    Host host_;
};

} // namespace

TEST_F(Leftovers, TwoHundredInARow) {
    for (int i = 0; i < (emulated() ? 40 : 200); ++i)
        ASSERT_EQ(launch({"-q"}, {"true"}).status, 0) << i;
}

TEST_F(Leftovers, FiftyAtOnce) {
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 50; ++i)
        all.push_back(std::make_unique<Process>(Command{
            .argv =
                parent_words({"-q"}, {"sh", "-c", "echo up; read x; exit " + std::to_string(i)})}));
    for (auto& one : all)
        one->until("up");
    for (auto& one : all)
        one->type("go\n");
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(all[static_cast<std::size_t>(i)]->wait().status, i);
}

/// 30 moments from the first instruction to some time after the command runs.
TEST_F(Leftovers, OfALauncherKilledAtAnyMoment) {
    struct Variant {
        const char* name;
        Strings options;
    };
    std::vector<Variant> variants{{"default", {"-q"}},
                                  {"--init", {"-q", "--init"}},
                                  {"--upper", {"-q", "--upper", upper()}},
                                  {"--overlay", {"-q", "--overlay"}}};
    if (launch({"-q", "--net", "slirp"}, {"true"}).status == 0)
        variants.push_back({"slirp", {"-q", "--net", "slirp"}});
    for (const Variant& variant : variants) {
        Strings words = parent_words(variant.options, {"cat"});
        auto whole = time_of([&] { (void)run({.argv = parent_words(variant.options, {"true"})}); });
        for (int moment = 0; moment < 30; moment += emulated() ? 3 : 1) {
            auto when = whole * moment / 24; // the last ones while the command runs
            {
                Process launcher({.argv = words});
                pass(when);
                launcher.kill(SIGKILL);
                Ended ended = launcher.wait();
                EXPECT_EQ(ended.signal, SIGKILL);
                EXPECT_FALSE(ended.held_open);
            }
            expect_nothing(std::string(variant.name) + " killed after " +
                           std::to_string(when.count()) + " µs of " +
                           std::to_string(whole.count()));
            if (HasFailure())
                return;
        }
    }
}

TEST_F(Leftovers, OfALauncherKilledWithItsGroup) {
    for (int i = 0; i < 5; ++i) {
        Process launcher(
            {.argv = parent_words({"-q", "--upper", upper()},
                                  {"sh", "-c", "rm -f /etc/hosts; echo up; exec cat"})});
        launcher.until("up");
        kill(-launcher.pid(), SIGKILL);
        EXPECT_EQ(launcher.wait().signal, SIGKILL);
        expect_nothing("kill -9 of the group");
        fs::remove_all(upper() + "/etc");
    }
}

TEST_F(Leftovers, OfAContainerKilledFromOutside) {
    Container box({"-q", "--upper", upper()});
    box.ask("sleep 1000 >/dev/null 2>&1 &");
    kill(box.first(), SIGKILL);
    EXPECT_EQ(box.launcher().wait().status, 137);
}

TEST_F(Leftovers, OfProcessesThatDoNotWantToEnd) {
    Container box;
    box.ask(
        "for i in 1 2 3 4 5; do setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' "
        ">/dev/null 2>&1 & done");
    EXPECT_EQ(box.end().status, 0);
}

TEST_F(Leftovers, OfACommandWithoutAPidNamespace) {
    for (const Strings& options : {Strings{"-q", "--no-pid", "--no-cgroup"},
                                   Strings{"-q", "--no-pid", "--no-cgroup", "--init"},
                                   Strings{"-q", "--no-pid"}, Strings{"--only", "none"}}) {
        Container box(options);
        std::size_t before = children_of(box.launcher().pid()).size();
        box.ask(
            "setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & exec sleep 1000' >/dev/null 2>&1 &");
        // Whose own parents have ended.
        box.ask("for i in 1 2 3; do sh -c 'setsid sleep 1000 >/dev/null 2>&1 &'; done");
        // What has ended by itself leaves no zombie either.
        box.ask("for i in 1 2 3; do sh -c 'sleep 0 & exec sleep 0'; done");
        ASSERT_TRUE(eventually([&] {
            std::size_t zombies = 0;
            for (pid_t pid : descendants_of(box.launcher().pid()))
                zombies += try_slurp("/proc/" + std::to_string(pid) + "/status")
                               .value_or("")
                               .contains("State:\tZ");
            return zombies == 0;
        })) << testing::PrintToString(options);
        EXPECT_TRUE(eventually( // the shells have yet to start some of them
            [&] { return descendants_of(box.launcher().pid()).size() >= before + 5; }));
        EXPECT_EQ(box.end(3).status, 3);
        expect_nothing(testing::PrintToString(options));
    }
}

TEST_F(Leftovers, OfLaunchesThatFail) {
    const std::pair<Strings, Strings> failing[] = {
        {{"-q"}, {"no-such-program"}},
        {{"-q"}, {"/etc/passwd"}},
        {{"-q", "--rootfs", "/no/such/folder"}, {"true"}},
        {{"-q", "-v", "/no/such/source:/mnt"}, {"true"}},
        {{"-q", "-v", "/etc/passwd:/mnt"}, {"true"}},
        {{"-q", "--upper", upper(), "-u", "nobody-here"}, {"true"}},
        {{"-q", "--upper", upper(), "-v", "/no/such/source:/mnt"}, {"true"}},
        {{"-q", "--upper", upper(), "--tmpfs", "/mnt:size=nonsense"}, {"true"}},
        {{"-q", "--init"}, {"no-such-program"}},
        {{"-q", "--overlay"}, {"no-such-program"}},
    };
    for (const auto& [options, command] : failing) {
        Ended ended = launch(options, command);
        EXPECT_GE(ended.status, 125) << testing::PrintToString(options);
        EXPECT_LE(ended.status, 127) << testing::PrintToString(options);
        expect_nothing(testing::PrintToString(options));
        if (HasFailure())
            return;
    }
}

TEST_F(Leftovers, NothingHoldsTheOutputOpen) {
    // Or $(gocontainer parent …) would wait for it.
    Ended ended = run({.argv = {"sh", "-c", "x=$(\"$@\"); echo \"[$x]\"", "sh", gocontainer(),
                                "parent", "-q", "--net", "none", "--upper", upper(), "--rootfs",
                                rootfs(), "sh", "-c", "sleep 1000 & echo word"}});
    EXPECT_EQ(ended.out, "[word]\n");
}
