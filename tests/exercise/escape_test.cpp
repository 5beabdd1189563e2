// Lesson 5: `mine COMMAND…`, started in a chroot as root, runs the command outside of it.
#include "tests/exercise/mine.hpp"

#include <gmock/gmock.h>

#include <filesystem>

using namespace exercise;
using testing::HasSubstr;
using testing::Not;

namespace {

class Escape : public testing::Test {
protected:
    Scratch scratch;
    std::string word = token();
    std::string secret = scratch.file(token(), word);
    std::string tree = lent()[1];
    void SetUp() override {
        std::filesystem::copy_file(mine(), tree + "/mine",
                                   std::filesystem::copy_options::overwrite_existing);
    }
};

} // namespace

TEST_F(Escape, ThereIsAWayOutOfAChroot) {
    // With this machine's programs in the tree, for who writes it in a language of those.
    const std::string line =
        "for f in /usr /lib /lib64; do [ ! -e $f ] || "
        "mount --rbind $f \"$0$f\" || exit 99; done; exec chroot \"$0\" \"$@\"";
    auto in_chroot = [&](const Strings& command) {
        return run({.argv = joined({"unshare", "-Urm", "sh", "-c", line, tree}, command),
                    .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}});
    };
    if (Ended ended = in_chroot({"/bin/sh", "-c", "true"}); ended.status != 0)
        GTEST_SKIP() << "no chroot in a user namespace here: " << ended.err;
    ASSERT_NE(in_chroot({"/bin/cat", secret}).out, word); // as it should be
    Ended ended = in_chroot({"/mine", "cat", secret});
    EXPECT_EQ(ended.out, word) << ended.err;
    EXPECT_EQ(ended.status, 0);
}

TEST_F(Escape, ThereIsNoneOutOfAContainer) {
    Ended ended = launch(lent(), {"/mine", "cat", secret});
    EXPECT_THAT(ended.out, Not(HasSubstr(word)));
}
