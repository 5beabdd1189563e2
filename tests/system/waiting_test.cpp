// Programs that a launch waits for and that hang: a signal ends the wait, and them.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>

using support::Command;
using support::Ended;
using support::eventually;
using support::Process;
using support::Strings;
using testing::HasSubstr;

namespace {

TEST(Waiting, ForNewuidmapEndsWithASignal) {
    if (support::is_root())
        GTEST_SKIP() << "root writes its maps itself";
    if (support::subordinate("/etc/subuid").count == 0)
        GTEST_SKIP() << "no subordinate ids, or no newuidmap";
    for (const char* program : {"newuidmap", "newgidmap"})
        for (int signal : {SIGINT, SIGTERM}) {
            support::Scratch scratch;
            scratch.folder("bin");
            std::string begun = scratch / "begun";
            scratch.file(std::string("bin/") + program,
                         "#!/bin/sh\necho $$ >" + begun + "\nexec sleep 1000\n", 0755);
            Command launch{.argv = support::parent_words({}, {"true"})};
            launch.env = {"PATH=" + scratch / "bin:" + getenv("PATH")};
            Process run(std::move(launch));
            ASSERT_TRUE(eventually([&] {
                auto text = support::try_slurp(begun);
                return text && text->ends_with('\n');
            }));
            run.kill(signal);
            Ended ended = run.wait();
            EXPECT_EQ(ended.status, 128 + signal);
            EXPECT_THAT(ended.err, HasSubstr("came while we waited for"));
            EXPECT_EQ(support::strays(), "");
        }
}

} // namespace
