// from_config and from_process: process.
#include "tests/unit/oci_config.hpp"

#include <sys/resource.h>

using namespace oci_test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

namespace {

const Right kRight[] = {
    {"/process/args", R"(["a", "", "b"])",
     [](auto& s) { return s.process.args == std::vector<std::string>{"a", "", "b"}; }},
    {"/process/env", R"(["A=", "B=c=d"])",
     [](auto& s) { return s.process.env == std::vector<std::string>{"A=", "B=c=d"}; }},
    {"/process/cwd", R"("/a/b")", [](auto& s) { return s.process.cwd == "/a/b"; }},
    {"/process/user", R"({"uid": 1, "gid": 2, "additionalGids": [3, 4], "umask": 63,
                          "username": 5})",
     [](auto& s) {
         return s.process.ids == spec::Ids{1, 2, {3, 4}, false} && s.process.umask == 077u;
     }},
    {"/process/user/uid", "4294967294", [](auto& s) { return s.process.ids->uid == 4294967294; }},
    {"/process/terminal", "true",
     [](auto& s) { return s.process.terminal && !s.process.console_size; }},
    {"/process/consoleSize", R"({"height": 5})", // not looked at without a terminal
     [](auto& s) { return !s.process.console_size; }},
    {"/process/noNewPrivileges", "true", [](auto& s) { return !s.process.new_privileges; }},
    {"/process/oomScoreAdj", "-1000", [](auto& s) { return s.process.oom_score_adj == -1000; }},
    {"/process/oomScoreAdj", "0", [](auto& s) { return s.process.oom_score_adj == 0; }},
    {"/process/apparmorProfile", R"("a")", [](auto& s) { return s.process.apparmor == "a"; }},
    {"/process/selinuxLabel", R"("l")", [](auto& s) { return s.process.selinux == "l"; }},
    {"/process/rlimits", R"([{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 18446744073709551615},
                             {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}])",
     [](auto& s) {
         return s.process.rlimits ==
                std::vector<spec::Rlimit>{{RLIMIT_NOFILE, "nofile", 1, RLIM_INFINITY},
                                          {RLIMIT_CORE, "core", 0, 0}};
     }},
    {"/process/scheduler", R"({"policy": "SCHED_OTHER", "nice": -5, "flags":
                               ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_KEEP_POLICY"]})",
     [](auto& s) { return s.process.scheduler == spec::Scheduler{0, -5, 0, 9, 0, 0, 0}; }},
    {"/process/scheduler", R"({"policy": "SCHED_FIFO", "priority": 99})",
     [](auto& s) { return s.process.scheduler == spec::Scheduler{1, 0, 99, 0, 0, 0, 0}; }},
    {"/process/scheduler",
     R"({"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3})",
     [](auto& s) { return s.process.scheduler == spec::Scheduler{6, 0, 0, 0, 1, 2, 3}; }},
    {"/process/ioPriority", R"({"class": "IOPRIO_CLASS_IDLE", "priority": 7})",
     [](auto& s) { return s.process.io_priority == spec::IoPriority{3, 7}; }},
    {"/process/capabilities", R"({})",
     [](auto& s) {
         return s.stages.has(spec::Stage::caps) && s.capabilities == spec::Capabilities{};
     }},
    {"/process/commandLine", "5", [](auto&) { return true; }}, // Windows's
};

TEST(OciProcess, PutsEachPropertyWhereItBelongs) {
    for (const Right& right : kRight)
        expect_right(right);
}

TEST(OciProcess, ReadsTheSizeOfATerminal) {
    json config = with("/process/terminal", "true");
    config["process"]["consoleSize"] = {{"height", 24}, {"width", 80}};
    EXPECT_EQ(convert(config)->spec.process.console_size, (spec::WindowSize{24, 80}));
    config["process"]["consoleSize"] = {{"height", 24}};
    EXPECT_THAT(said(convert(config)), StartsWith("process.consoleSize.width: is missing"));
    config["process"]["consoleSize"] = {{"height", 65536}, {"width", 80}};
    EXPECT_THAT(said(convert(config)), StartsWith("process.consoleSize.height: 65536: must be"));
}

const Wrong kWrong[] = {
    {"/process/args", "null", "process.args: is missing"},
    {"/process/args", "[]", "process.args: is empty"},
    {"/process/args", R"([""])", "process.args: exec: \"\": executable file not found in $PATH"},
    {"/process/args", R"("sh")", "process.args: a string where a list belongs"},
    {"/process/args", R"(["a\u0000b"])", "process.args[0]: has a null byte"},
    {"/process/env", R"(["A=1", "B"])", "process.env[1]: \"B\" is not NAME=VALUE"},
    {"/process/env", R"(["=B"])", "process.env[0]: \"=B\" is not NAME=VALUE"},
    {"/process/env", R"([5])", "process.env[0]: a number where"},
    {"/process/env", R"({})", "process.env: an object where"},
    {"/process/cwd", "null", "process.cwd: is missing"},
    {"/process/cwd", R"("")", "process.cwd: \"\": must be absolute"},
    {"/process/cwd", R"("a")", "process.cwd: \"a\": must be absolute"},
    {"/process/user", "5", "process.user: a number where"},
    {"/process/user/uid", "4294967295", "process.user.uid: 4294967295: must be from 0"},
    {"/process/user/uid", "-1", "process.user.uid: -1: must be from 0"},
    {"/process/user/gid", R"("0")", "process.user.gid: a string where a whole number"},
    {"/process/user/additionalGids", "[4294967295]", "process.user.additionalGids[0]: 4294967295"},
    {"/process/user/umask", "512", "process.user.umask: 512: must be from 0 to 511"},
    {"/process/terminal", "0", "process.terminal: a number where true or false"},
    {"/process/noNewPrivileges", R"("yes")", "process.noNewPrivileges: a string where"},
    {"/process/oomScoreAdj", "1001", "process.oomScoreAdj: 1001: must be from -1000"},
    {"/process/oomScoreAdj", "18446744073709551615", "process.oomScoreAdj: 184467"},
    {"/process/apparmorProfile", "5", "process.apparmorProfile: a number"},
    {"/process/selinuxLabel", "5", "process.selinuxLabel: a number"},
    {"/process/rlimits", "{}", "process.rlimits: an object where a list"},
    {"/process/rlimits", R"([{"type": "RLIMIT_X", "soft": 1, "hard": 1}])",
     "process.rlimits[0].type: \"RLIMIT_X\" is not a limit"},
    {"/process/rlimits", R"([{"type": "RLIMIT_nofile", "soft": 1, "hard": 1}])",
     "process.rlimits[0].type: \"RLIMIT_nofile\" is not a limit"},
    {"/process/rlimits", R"([{"type": "NOFILE", "soft": 1, "hard": 1}])",
     "process.rlimits[0].type: \"NOFILE\" is not a limit"},
    {"/process/rlimits", R"([{"type": "RLIMIT_NOFILE", "hard": 1}])",
     "process.rlimits[0].soft: is missing"},
    {"/process/rlimits", R"([{"soft": 1, "hard": 1}])", "process.rlimits[0].type: is missing"},
    {"/process/rlimits", R"([{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}])",
     "process.rlimits[0].soft: is above the hard limit"},
    {"/process/rlimits", R"([{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1},
                             {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}])",
     "process.rlimits[1].type: \"RLIMIT_NOFILE\" is there twice"},
    {"/process/scheduler", R"({})", "process.scheduler.policy: is missing"},
    {"/process/scheduler", R"({"policy": "FIFO"})", "process.scheduler.policy: \"FIFO\" is not"},
    {"/process/scheduler", R"({"policy": "SCHED_OTHER", "nice": 20})",
     "process.scheduler.nice: 20: must be from -20 to 19"},
    {"/process/scheduler", R"({"policy": "SCHED_OTHER", "priority": 1})",
     "process.scheduler.priority: is for SCHED_FIFO"},
    {"/process/scheduler", R"({"policy": "SCHED_FIFO", "runtime": 1})",
     "process.scheduler.runtime: is for SCHED_DEADLINE"},
    {"/process/scheduler", R"({"policy": "SCHED_OTHER", "flags": ["x"]})",
     "process.scheduler.flags[0]: \"x\" is not a flag"},
    {"/process/ioPriority", R"({"priority": 1})", "process.ioPriority.class: is missing"},
    {"/process/ioPriority", R"({"class": "IOPRIO_CLASS_BE", "priority": 8})",
     "process.ioPriority.priority: 8: must be"},
    {"/process/ioPriority", R"({"class": "BE"})", "process.ioPriority.class: \"BE\" is not"},
    {"/process/capabilities", "[]", "process.capabilities: a list where"},
    {"/process/capabilities", R"({"bounding": [5]})", "process.capabilities.bounding[0]: a number"},
    {"/process/execCPUAffinity", R"({"initial": "x"})", "process.execCPUAffinity.initial: \"x\""},
    {"/process/execCPUAffinity", R"({"final": 5})", "process.execCPUAffinity.final: a number"},
    {"/process/execCPUAffinity", R"({"final": "1,"})", "process.execCPUAffinity.final: \"1,\""},
};

TEST(OciProcess, NamesThePathOfWhatIsWrong) {
    for (const Wrong& wrong : kWrong)
        expect_wrong(wrong);
}

// --- capabilities --------------------------------------------------------------------------------

TEST(OciProcess, GivesTheCapabilitiesThatAreListed) {
    json config = with("/process/capabilities",
                       R"({"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_CHOWN"],
                           "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"],
                           "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]})");
    auto read = convert(config);
    ASSERT_TRUE(read) << read.error();
    EXPECT_TRUE(read->spec.stages.has(spec::Stage::caps));
    EXPECT_EQ(
        read->spec.capabilities,
        (spec::Capabilities{
            {"cap_chown", "cap_kill"}, {"cap_kill"}, {"cap_kill"}, {"cap_kill"}, {"cap_kill"}}));
    EXPECT_THAT(read->warnings, IsEmpty());
}

TEST(OciProcess, LeavesOutTheCapabilitiesThatCannotBeGiven) {
    json config = with("/process/capabilities",
                       R"({"bounding": ["CAP_FUTURE", "KILL", "CAP_CHOWN", "CAP_KILL"],
                           "permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN", "CAP_KILL"],
                           "inheritable": ["CAP_FOWNER"], "ambient": ["CAP_CHOWN"]})");
    auto read = convert(config);
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(
        read->spec.capabilities,
        (spec::Capabilities{{"cap_chown", "cap_kill"}, {"cap_chown"}, {"cap_chown"}, {}, {}}));
    EXPECT_THAT(
        read->warnings,
        ElementsAre(StartsWith("process.capabilities.bounding: \"CAP_FUTURE\" is no capability"),
                    StartsWith("process.capabilities.bounding: \"KILL\" is no capability"),
                    StartsWith("process.capabilities.effective: \"cap_kill\" is not permitted"),
                    StartsWith("process.capabilities.inheritable: \"cap_fowner\" is not in the"),
                    StartsWith("process.capabilities.ambient: \"cap_chown\" is not inheritable")));
}

TEST(OciProcess, GivesNoCapabilityThatTheCallerDoesNotHave) {
    constexpr std::uint64_t kChown = 1, kKill = 1U << 5;
    const char* both = R"({"bounding": ["CAP_CHOWN", "CAP_KILL"]})";
    oci::Caller caller{.capabilities = kChown, .known_capabilities = kChown | kKill};
    // In a user namespace of its own root has them all.
    EXPECT_THAT(convert(with("/process/capabilities", both), caller)->spec.capabilities.bounding,
                ElementsAre("cap_chown", "cap_kill"));
    json config = without_namespace("user");
    config["linux"].erase("uidMappings");
    config["linux"].erase("gidMappings");
    config["process"]["capabilities"] = json::parse(both);
    EXPECT_THAT(convert(config, caller)->spec.capabilities.bounding, ElementsAre("cap_chown"));
    caller.known_capabilities = kKill; // an old kernel
    EXPECT_THAT(convert(with("/process/capabilities", both), caller)->spec.capabilities.bounding,
                ElementsAre("cap_kill"));
}

// --- exec ----------------------------------------------------------------------------------------

spec::Spec container() {
    json config = minimal();
    config["process"].update(json::parse(R"({"user": {"uid": 5, "additionalGids": [6]},
        "env": ["A=1"], "terminal": true, "consoleSize": {"height": 1, "width": 2},
        "capabilities": {"bounding": ["CAP_CHOWN"]}, "noNewPrivileges": true,
        "apparmorProfile": "a", "selinuxLabel": "l", "oomScoreAdj": 7,
        "rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 1}})"));
    return convert(config)->spec;
}

std::expected<oci::Exec, std::string> convert_process(spec::Spec& spec, const char* process) {
    return oci::from_process(json::parse(process), spec, {});
}

TEST(OciExec, WhatTheProcessDoesNotSayIsTheContainers) {
    spec::Spec spec = container();
    auto exec = convert_process(spec, R"({"cwd": "/x", "args": ["ls"]})");
    ASSERT_TRUE(exec) << exec.error();
    EXPECT_THAT(spec.process.args, ElementsAre("ls"));
    EXPECT_EQ(spec.process.cwd, "/x");
    // These are its own, said or not.
    EXPECT_THAT(spec.process.env, IsEmpty());
    EXPECT_EQ(spec.process.ids, spec::Ids{});
    EXPECT_FALSE(spec.process.terminal);
    EXPECT_FALSE(spec.process.console_size);
    EXPECT_TRUE(spec.process.new_privileges);
    // These are not.
    EXPECT_THAT(spec.capabilities.bounding, ElementsAre("cap_chown"));
    EXPECT_EQ(spec.process.apparmor, "a");
    EXPECT_EQ(spec.process.selinux, "l");
    EXPECT_EQ(spec.process.oom_score_adj, 7);
    EXPECT_EQ(spec.process.rlimits.size(), 1u);
    EXPECT_EQ(spec.process.io_priority, (spec::IoPriority{2, 1}));
    EXPECT_EQ(spec.process.umask, 022u);
}

TEST(OciExec, WhatTheProcessSaysWins) {
    spec::Spec spec = container();
    auto exec = convert_process(spec, R"({"cwd": "/", "args": ["ls"], "terminal": true,
        "consoleSize": {"height": 3, "width": 4}, "env": ["B=2"],
        "user": {"uid": 8, "gid": 9, "umask": 0}, "capabilities": {"bounding": ["CAP_KILL"]},
        "apparmorProfile": "b", "selinuxLabel": "m", "oomScoreAdj": 0, "noNewPrivileges": true,
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}],
        "scheduler": {"policy": "SCHED_BATCH"},
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE"},
        "execCPUAffinity": {"initial": "0", "final": "1-2"}})");
    ASSERT_TRUE(exec) << exec.error();
    EXPECT_THAT(spec.process.env, ElementsAre("B=2"));
    EXPECT_EQ(spec.process.ids, (spec::Ids{8, 9, {}, false}));
    EXPECT_EQ(spec.process.umask, 0u);
    EXPECT_EQ(spec.process.console_size, (spec::WindowSize{3, 4}));
    EXPECT_THAT(spec.capabilities.bounding, ElementsAre("cap_kill"));
    EXPECT_EQ(spec.process.apparmor, "b");
    EXPECT_EQ(spec.process.selinux, "m");
    EXPECT_EQ(spec.process.oom_score_adj, 0);
    EXPECT_FALSE(spec.process.new_privileges);
    EXPECT_EQ(spec.process.rlimits.size(), 1u);
    EXPECT_EQ(spec.process.rlimits.at(0).name, "nofile");
    EXPECT_EQ(spec.process.scheduler->policy, 3u);
    EXPECT_EQ(spec.process.io_priority, (spec::IoPriority{3, 0}));
    EXPECT_EQ(exec->affinity, (oci::Affinity{"0", "1-2"}));
    EXPECT_EQ(spec.process.affinity, "1-2");
}

TEST(OciExec, NamesThePathOfWhatIsWrong) {
    spec::Spec spec = container();
    EXPECT_EQ(convert_process(spec, "5").error(), "the document: a number where an object belongs");
    EXPECT_THAT(convert_process(spec, R"({"cwd": "/", "args": []})").error(),
                StartsWith("args: is empty"));
    EXPECT_THAT(
        convert_process(spec, R"({"cwd": "/", "args": ["a"], "user": {"uid": -1}})").error(),
        StartsWith("user.uid: -1"));
}

TEST(OciExec, TheContainersAffinityIsForExecAlone) {
    auto config =
        convert(with("/process/execCPUAffinity", R"({"initial": "0-1, 3", "final": ""})"));
    ASSERT_TRUE(config) << config.error();
    EXPECT_EQ(config->exec_affinity, (oci::Affinity{"0-1,3", ""}));
    EXPECT_EQ(config->spec.process.affinity, "");
}

} // namespace
