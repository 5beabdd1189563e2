// What an engine ignores and blocks stays the engine's: conmon ignores SIGPIPE, and a container of
// its would never end a pipeline.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace {

using namespace support;

void spoil_signals() {
    for (int number : {SIGPIPE, SIGHUP, SIGINT, SIGUSR1, SIGRTMIN})
        signal(number, SIG_IGN);
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    sigaddset(&some, SIGTERM);
    sigprocmask(SIG_BLOCK, &some, nullptr);
}

TEST(OciSignals, AreTheContainersOwn) {
    Bundle bundle;
    bundle.args({"sleep", "1000"});
    bundle.save();
    Command command = bundle.detached({"run", "--detach", bundle.id()});
    command.before_exec = spoil_signals;
    ASSERT_EQ(run(std::move(command)).status, 0) << slurp(bundle.folder() / "detached.err");
    for (const char* field : {"SigIgn", "SigBlk"})
        EXPECT_EQ(status_bits(bundle.pid(), field), 0U) << field;

    Ended ended =
        bundle.runtime({"exec", bundle.id(), "grep", "-E", "SigIgn|SigBlk", "/proc/self/status"},
                       {.before_exec = spoil_signals});
    EXPECT_EQ(ended.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n") << ended.err;
}

} // namespace
