// The keeper outlives the launcher, and undoes in a process of its own.
#include "run/keeper.hpp"

#include "tests/unit/temporary.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <thread>

namespace {

TEST(Keeper, HasAnEmptyLedgerToStart) {
    auto keeper = run::Keeper::make();
    ASSERT_TRUE(keeper);
    static const stages::Ledger empty; // static: its padding is zero too
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

TEST(Keeper, RemovesWhatADyingChildMakesAgain) {
    unit::Temporary dir;
    std::string work = dir / ".up.work";
    stages::Ledger ledger;
    for (int i = 0; i < 50; ++i) {
        std::filesystem::create_directory(work);
        std::jthread child([&work](const std::stop_token& stop) {
            while (!stop.stop_requested())
                (void)mkdir((work + "/work").c_str(), 0);
        });
        std::jthread kill([&child] {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            child.request_stop();
        });
        strcpy(ledger.work, work.c_str());
        run::undo(ledger);
        ASSERT_FALSE(std::filesystem::exists(work)) << i;
    }
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
    {
        auto keeper = run::Keeper::make();
        ASSERT_TRUE(keeper);
        ASSERT_TRUE(keeper->start());
        ASSERT_TRUE(keeper->start());
        keeper->dismiss();
        keeper->dismiss();
    }
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1); // no child is left
    EXPECT_EQ(errno, ECHILD);
}

TEST(Keeper, CannotBeCalledByHand) {
    EXPECT_NE(run::keeper_main({}).find("not for calling by hand"), std::string::npos);
}

} // namespace
