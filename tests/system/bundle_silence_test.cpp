// A filter of config.json's that lets nothing be said: what went wrong is said all the same.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

using support::Bundle;
using support::Ended;
using testing::HasSubstr;

namespace {

class Silence : public testing::TestWithParam<const char*> {
protected:
    static void deny(Bundle& bundle, const std::vector<std::string>& calls) {
        bundle.config["linux"]["seccomp"] = {
            {"defaultAction", "SCMP_ACT_ALLOW"},
            {"syscalls", {{{"names", calls}, {"action", GetParam()}}}}};
    }
    /// Neither a program nor a script: the kernel says so at the exec, and nobody before.
    static void spoil(const Bundle& bundle) {
        support::spill(bundle.path() + "/rootfs/bad", "nonsense\n");
        ASSERT_EQ(chmod((bundle.path() + "/rootfs/bad").c_str(), 0755), 0);
    }
};
INSTANTIATE_TEST_SUITE_P(, Silence, testing::Values("SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"),
                         [](const auto& each) { return std::string(each.param); });

constexpr const char* kWrong = "execve(\"/bad\"): ENOEXEC";

TEST_P(Silence, LosesNoErrorOfRun) {
    Bundle bundle;
    spoil(bundle);
    deny(bundle, {"write", "writev", "sendto", "sendmsg", "sendmmsg"});
    bundle.args({"/bad"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr(kWrong));
    EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
}

TEST_P(Silence, LosesNoErrorOfStart) {
    Bundle bundle;
    spoil(bundle);
    deny(bundle, {"write", "writev", "sendto", "sendmsg", "sendmmsg"});
    bundle.args({"/bad"});
    bundle.create();
    Ended ended = bundle.runtime({"start", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr(kWrong));
    EXPECT_TRUE(support::eventually([&] { return bundle.status() == "stopped"; }));
    EXPECT_EQ(bundle.runtime({"delete", bundle.id()}).status, 0);
}

TEST_P(Silence, LosesNoErrorOfExec) {
    Bundle bundle;
    spoil(bundle);
    deny(bundle, {"write", "writev", "sendto", "sendmsg", "sendmmsg"});
    bundle.args({"sleep", "1000"});
    bundle.start();
    Ended ended = bundle.runtime({"exec", bundle.id(), "/bad"});
    EXPECT_EQ(ended.status, 255);
    EXPECT_THAT(ended.err, HasSubstr(kWrong));
    EXPECT_EQ(bundle.runtime({"exec", bundle.id(), "sleep", "0"}).status, 0);
}

TEST_P(Silence, NamesTheFilterThatEndsALaunch) {
    if (std::string(GetParam()) != "SCMP_ACT_KILL_PROCESS")
        return; // setsid may fail
    Bundle bundle;
    deny(bundle, {"setsid"});
    bundle.args({"true"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("under the filter of linux.seccomp"));
    bundle.create();
    ended = bundle.runtime({"start", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("under the filter of linux.seccomp"));
}

} // namespace
