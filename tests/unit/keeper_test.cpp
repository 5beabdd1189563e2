// The keeper outlives the launcher, and undoes in a process of its own.
#include "run/keeper.hpp"

#include "tests/unit/temporary.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace {

TEST(Keeper, HasAnEmptyLedgerToStart) {
    auto keeper = run::Keeper::make();
    ASSERT_TRUE(keeper);
    const stages::Ledger empty;
    EXPECT_EQ(memcmp(&keeper->ledger(), &empty, sizeof empty), 0);
}

TEST(Keeper, UndoesTwiceAsOnce) {
    unit::Temporary dir;
    std::string work = dir / ".up.work";
    std::filesystem::create_directories(work + "/work");
    stages::Ledger ledger;
    strcpy(ledger.work, work.c_str());
    run::undo(ledger);
    EXPECT_FALSE(std::filesystem::exists(work));
    EXPECT_EQ(ledger.work[0], '\0');
    std::filesystem::create_directory(work); // the next launch's
    run::undo(ledger);
    EXPECT_TRUE(std::filesystem::exists(work));
}

TEST(Keeper, LeavesWhatIsNotEmpty) {
    unit::Temporary dir;
    std::string work = dir / ".up.work";
    std::filesystem::create_directories(work);
    dir.file(".up.work/a file of somebody's", "x");
    stages::Ledger ledger;
    strcpy(ledger.work, work.c_str());
    run::undo(ledger);
    EXPECT_TRUE(std::filesystem::exists(work + "/a file of somebody's"));
}

TEST(Keeper, CanBeStartedOnceAndDismissedTwice) {
    auto keeper = run::Keeper::make();
    ASSERT_TRUE(keeper);
    ASSERT_TRUE(keeper->start());
    ASSERT_TRUE(keeper->start());
    keeper->dismiss();
    keeper->dismiss();
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1); // no child is left
    EXPECT_EQ(errno, ECHILD);
}

TEST(Keeper, CannotBeCalledByHand) {
    EXPECT_NE(run::keeper_main({}).find("not for calling by hand"), std::string::npos);
}

} // namespace
