// linux.intelRdt on a machine that has it: the recorder, since hardly any test machine does.
#include "stages/resctrl.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>

using testing::AllOf;
using testing::HasSubstr;
using unit::Recorder;

namespace {

constexpr long kResctrl = 0x7655821; // RDTGROUP_SUPER_MAGIC
const std::string kRoot = "/sys/fs/resctrl";

struct Trial {
    spec::Spec spec;
    stages::Ledger ledger;
    stages::Launch launch{.spec = spec, .ledger = &ledger};
    explicit Trial(spec::IntelRdt wanted) {
        spec.name = "box";
        spec.rdt = std::move(wanted);
        launch.child = 4711;
        launch.keep = [] { return sys::Result<void>{}; };
    }
    std::string prepare() {
        auto done = stages::resctrl::prepare(launch);
        return done ? "" : sys::to_line(done.error());
    }
    std::string enter() {
        auto done = stages::resctrl::enter(launch);
        return done ? "" : sys::to_line(done.error());
    }
};

/// With resctrl, and in it `there` alone.
struct Machine : Recorder {
    explicit Machine(const std::string& there = "") {
        type(kRoot, kResctrl);
        answer("faccessat(AT_FDCWD, \"" + kRoot, -ENOENT);
        if (!there.empty())
            answer("faccessat(AT_FDCWD, \"" + kRoot + "/" + there + "\"", 0);
    }
    /// Was `text` written to `file`?
    bool wrote(const std::string& file, const std::string& text) {
        for (std::size_t i = 0; i + 1 < calls.size(); ++i)
            if (calls[i].contains("openat(AT_FDCWD, \"" + kRoot + "/" + file + "\", O_WRONLY") &&
                calls[i + 1].contains("\"" + text))
                return true;
        return false;
    }
};

TEST(Resctrl, WithoutItIsAnError) {
    Recorder kernel;
    EXPECT_THAT(Trial({}).prepare(), HasSubstr("linux.intelRdt: no resctrl is mounted"));
    EXPECT_FALSE(kernel.called("mkdirat"));
}

TEST(Resctrl, AClassOfTheContainersOwnIsMadeFilledAndRemoved) {
    Machine kernel;
    Trial trial({.schemata = {"L3:0=f", "MB:0=50"}, .monitoring = true});
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_TRUE(kernel.called("mkdirat(AT_FDCWD, \"" + kRoot + "/box\""));
    EXPECT_TRUE(kernel.wrote("box/schemata", "L3:0=f"));
    EXPECT_TRUE(kernel.wrote("box/schemata", "MB:0=50"));
    EXPECT_TRUE(kernel.called("mkdirat(AT_FDCWD, \"" + kRoot + "/box/mon_groups/box\""));
    EXPECT_EQ(trial.enter(), "");
    EXPECT_TRUE(kernel.wrote("box/tasks", "4711"));
    EXPECT_TRUE(kernel.wrote("box/mon_groups/box/tasks", "4711"));
    stages::resctrl::undo(trial.ledger);
    EXPECT_LT(kernel.at("unlinkat(AT_FDCWD, \"" + kRoot + "/box/mon_groups/box\""),
              kernel.at("unlinkat(AT_FDCWD, \"" + kRoot + "/box\""));
    kernel.calls.clear();
    stages::resctrl::undo(trial.ledger); // once is enough
    EXPECT_FALSE(kernel.called("unlinkat"));
}

TEST(Resctrl, AClassThatWasThereIsJoinedAndStays) {
    Machine kernel("gold");
    kernel.file(kRoot + "/gold/schemata", "    MB:0=100;1=100\n    L3:0=00ff;1=0f\n");
    Trial trial({.group = "gold", .joins_group = true, .schemata = {"L3:1=F", "MB:0=100"}});
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_FALSE(kernel.called("mkdirat"));
    EXPECT_EQ(trial.enter(), "");
    EXPECT_TRUE(kernel.wrote("gold/tasks", "4711"));
    stages::resctrl::undo(trial.ledger);
    EXPECT_FALSE(kernel.called("unlinkat"));
}

TEST(Resctrl, AClassThatGivesSomethingElseIsRefused) {
    Machine kernel("gold");
    kernel.file(kRoot + "/gold/schemata", "    L3:0=00ff;1=0f\n");
    for (const char* line : {"L3:0=f", "L3:2=f", "MB:0=10"})
        EXPECT_THAT(Trial({.group = "gold", .joins_group = true, .schemata = {line}}).prepare(),
                    AllOf(HasSubstr("gold"), HasSubstr(std::string("does not give \"") + line)));
}

TEST(Resctrl, AClassThatIsNotThereIsMadeWhenItIsSaidWhatItGives) {
    Machine kernel;
    EXPECT_THAT(Trial({.group = "gold", .joins_group = true}).prepare(),
                HasSubstr("linux.intelRdt.closID: there is no class"));
    EXPECT_EQ(Trial({.group = "gold", .joins_group = true, .schemata = {"MB:0=50"}}).prepare(), "");
    EXPECT_TRUE(kernel.called("mkdirat(AT_FDCWD, \"" + kRoot + "/gold\""));
}

TEST(Resctrl, TheRootClassIsNobodysToMake) {
    Machine kernel;
    kernel.answer("faccessat(AT_FDCWD, \"" + kRoot + "\"", 0);
    Trial trial({.group = "/", .joins_group = true});
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(trial.enter(), "");
    EXPECT_TRUE(kernel.wrote("tasks", "4711"));
    EXPECT_FALSE(kernel.called("mkdirat"));
}

TEST(Resctrl, SomebodyElsesOfOurNameIsNotTaken) {
    Machine kernel("box");
    EXPECT_THAT(Trial({}).prepare(), HasSubstr("is there already"));
}

TEST(Resctrl, AClassIsChangedOrLeftAsItIs) {
    Machine kernel("box");
    kernel.file(kRoot + "/box/schemata", "    MB:0=100\n    L3:0=0ff\n");
    Trial trial({.schemata = {"L3:0=ff"}});
    auto before = stages::resctrl::update(trial.spec, {"L3:0=f", "MB:0=50"});
    ASSERT_TRUE(before);
    EXPECT_THAT(*before, testing::ElementsAre("MB:0=100", "L3:0=0ff"));
    EXPECT_TRUE(kernel.wrote("box/schemata", "L3:0=f"));
    EXPECT_TRUE(kernel.wrote("box/schemata", "MB:0=50"));
    EXPECT_FALSE(kernel.wrote("box/schemata", "MB:0=100"));
    kernel.answer("\"MB:0=5", -EINVAL);
    EXPECT_FALSE(stages::resctrl::update(trial.spec, {"L3:0=f", "MB:0=5"}));
    EXPECT_TRUE(kernel.wrote("box/schemata", "L3:0=0ff"));
    Trial none({});
    none.spec.rdt.reset();
    EXPECT_FALSE(stages::resctrl::update(none.spec, {"L3:0=f"}));
}

TEST(Resctrl, TheKernelsWordOnALineIsTold) {
    Machine kernel;
    kernel.file(kRoot + "/info/last_cmd_status", "Non-consecutive 1-bits in the mask 5\n");
    kernel.answer("\"L3:0=5", -EINVAL);
    EXPECT_THAT(Trial({.schemata = {"L3:0=5"}}).prepare(),
                AllOf(HasSubstr("EINVAL"), HasSubstr("Non-consecutive 1-bits")));
}

} // namespace
