// What the specification says of a bundle, and the kernel's view of what came of it: where other
// runtimes' own tests have found us to differ.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Strings;
using testing::AllOf;
using testing::HasSubstr;

namespace {

json shell(const std::string& script) {
    return {{"path", "/bin/sh"}, {"args", {"sh", "-c", script}}};
}

// runtime.md, "Lifecycle", 13: what one says is a warning, and the next runs.
TEST(Conformance, EveryPoststopHookRuns) {
    Bundle bundle;
    std::string token = support::token();
    std::string log = bundle.folder().file("log", "", 0666);
    bundle.config["hooks"]["poststop"] = {shell("echo " + token + " >&2; exit 3"),
                                          shell("echo second >>" + log)};
    bundle.create();
    Ended deleted = bundle.runtime({"delete", bundle.id()});
    EXPECT_EQ(deleted.status, 0);
    EXPECT_THAT(deleted.err, AllOf(HasSubstr("warning: poststop hook"), HasSubstr(token)));
    EXPECT_EQ(support::slurp(log), "second\n");

    bundle.args({"true"});
    bundle.save();
    Ended ran = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ran.status, 0);
    EXPECT_THAT(ran.err, HasSubstr("warning: poststop hook"));
    EXPECT_EQ(support::slurp(log), "second\nsecond\n");
}

// runtime.md, "Lifecycle", 7 and 10: the container is stopped and destroyed, its poststop hooks
// run.
TEST(Conformance, AHookOfStartThatFailsIsTheContainersEnd) {
    for (const char* name : {"startContainer", "poststart"}) {
        Bundle bundle;
        std::string log = bundle.folder().file("log", "", 0666);
        bundle.args({"sleep", "1000"});
        bundle.config["hooks"] = {{name, {shell("exit 5")}},
                                  {"poststop", {shell("echo gone >>" + log)}}};
        bundle.create();
        pid_t pid = bundle.pid();
        Ended failed = bundle.runtime({"start", bundle.id()});
        EXPECT_EQ(failed.status, 1);
        EXPECT_THAT(failed.err,
                    AllOf(HasSubstr(std::string(name) + " hook"), HasSubstr("exit status 5")));
        EXPECT_THAT(bundle.runtime({"state", bundle.id()}).err, HasSubstr("does not exist"))
            << name;
        EXPECT_EQ(support::slurp(log), "gone\n") << name;
        auto left = support::try_slurp("/proc/" + std::to_string(pid) + "/cmdline");
        EXPECT_EQ(left.value_or(""), "") << name; // a zombie of somebody's, at most
    }
}

// As runc and crun have it: config.md leaves open who makes it.
TEST(Conformance, TheWorkingDirectoryIsMadeOnAReadOnlyRootToo) {
    Bundle bundle;
    std::string there = "/made/" + support::token();
    bundle.config["root"]["readonly"] = true;
    bundle.config["process"]["cwd"] = there;
    bundle.args({"sh", "-c", "pwd; touch here 2>&1"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_THAT(ended.out, AllOf(HasSubstr(there + "\n"), HasSubstr("Read-only file system")))
        << ended.err;
}

// capabilities(7): of a change of user, the inheritable set stays as it is.
TEST(Conformance, InheritableCapabilitiesAreThoseOfAnyUser) {
    Bundle bundle;
    json& process = bundle.config["process"];
    if (support::is_root())
        process["user"] = {{"uid", 1000}, {"gid", 1000}};
    process["capabilities"] = {};
    for (const char* set : {"bounding", "permitted", "inheritable"})
        process["capabilities"][set] = {"CAP_KILL", "CAP_SETPCAP"};
    bundle.args({"sleep", "1000"});
    bundle.start();
    EXPECT_EQ(support::status_bits(bundle.pid(), "CapInh"), (1U << 5) | (1U << 8));
    EXPECT_EQ(support::status_bits(bundle.pid(), "CapAmb"), 0u);
}

/// With a user namespace of its own, whose ids are not root's.
void mapped(Bundle& bundle) {
    if (!support::is_root())
        return; // it is so anyway
    json& linux = bundle.config["linux"];
    linux["namespaces"].push_back({{"type", "user"}});
    for (const char* maps : {"uidMappings", "gidMappings"})
        linux[maps] = json::array({{{"containerID", 0}, {"hostID", 200000}, {"size", 65536}}});
}

// Only the machine's root may make a process less likely to be killed.
TEST(Conformance, TheOomScoreIsLessThanOursInAUserNamespaceToo) {
    std::string own = support::slurp("/proc/self/oom_score_adj");
    int score = std::stoi(own) - 7;
    std::string lower = "echo " + std::to_string(score) + " >/proc/self/oom_score_adj";
    if (support::run({.argv = {"sh", "-c", lower}}).status != 0)
        GTEST_SKIP() << "host lacks CAP_SYS_RESOURCE for this user";
    Bundle bundle;
    mapped(bundle);
    bundle.config["process"]["oomScoreAdj"] = score;
    bundle.args({"sh", "-c", "echo $$; cat /proc/self/oom_score_adj; exec sleep 1000"});
    bundle.save();
    support::Process run(bundle.command({"run", bundle.id()}));
    run.until("\n" + std::to_string(score) + "\n");
    EXPECT_EQ(support::slurp("/proc/" + std::to_string(run.pid()) + "/oom_score_adj"), own);
    EXPECT_EQ(bundle.runtime({"exec", bundle.id(), "cat", "/proc/self/oom_score_adj"}).out,
              std::to_string(score) + "\n");
    EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
}

TEST(Conformance, AnUnknownFormOfLogIsRefused) {
    Bundle bundle;
    Ended refused = bundle.runtime({"--log-format", "yaml", "list"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("--log-format \"yaml\""));
}

} // namespace
