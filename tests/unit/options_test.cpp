// The command line of `parent`: each option, right and wrong, and how they go together.
#include "cli/options.hpp"
#include "cli/parent.hpp"
#include "run/describe.hpp"
#include "spec/options.hpp"
#include "stages/stages.hpp"

#include <gmock/gmock.h>
#include <linux/mount.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

using spec::Spec;
using spec::Stage;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace {

using Args = std::vector<std::string>;
std::map<std::string, std::string> files;

auto parse(const Args& args) {
    return cli::parse_parent(
        args, [](const std::string& path) -> std::expected<std::string, std::string> {
            auto found = files.find(path);
            if (found == files.end())
                return std::unexpected("\"" + path + "\": no such file");
            return found->second;
        });
}

Spec good(const Args& args) {
    auto parsed = parse(args);
    EXPECT_TRUE(parsed) << parsed.error();
    return parsed ? parsed->spec : Spec{};
}

std::string bad(const Args& args) {
    auto parsed = parse(args);
    EXPECT_FALSE(parsed) << testing::PrintToString(args);
    std::string error = parsed ? "" : parsed.error();
    EXPECT_FALSE(error.ends_with('.')) << error;
    return error;
}

std::vector<std::string> names_of(const cli::Option& row) {
    std::vector<std::string> names;
    std::istringstream in(row.names);
    for (std::string name; std::getline(in, name, ',');)
        names.push_back(name);
    return names;
}

bool has(const Spec& spec, const char* stage) {
    return spec.stages.has(*spec::stage_named(stage));
}

// --- each option ---------------------------------------------------------------------------------

struct Row {
    const char* right;
    std::function<bool(const Spec&)> done;
    std::vector<const char*> wrong; ///< for an option with a value: what it refuses
};

/// For every option: a value that it takes and what that does, and values that it doesn't take.
const std::map<std::string, Row>& rows() {
    static const std::map<std::string, Row> all = {
        {"--only",
         {"uts,ipc",
          [](const Spec& s) { return has(s, "uts") && has(s, "ipc") && !has(s, "net"); },
          {"", "nothing", "uts,", ",uts", "UTS", "uts ipc"}}},
        {"--map",
         {"0:5:6",
          [](const Spec& s) {
              return s.user.mapping == spec::Mapping::listed &&
                     s.user.uids == std::vector{spec::IdMap{0, 5, 6}};
          },
          {"", "0", "0:0", "0:0:0", "0:0:1:2", "-1:0:1", "0:0:4294967296", "1:4294967295:1",
           "a:b:c", "0: 0:1", "none"}}},
        {"--gid-map", {nullptr, nullptr, {"", "auto", "single", "0:0", "0:0:0"}}},
        {"--memory",
         {"1.5k",
          [](const Spec& s) { return s.cgroup.resources.memory == 1536; },
          {"", "0", "k", "1x", "-2", "1e3", "0x10", " 1", "9999999999999999999", "8e", "8192p",
           "1..5", "nan", "inf"}}},
        {"--memory-swap", {nullptr, nullptr, {"", "0", "1x", "-2"}}},
        {"--cpus",
         {"0.1",
          [](const Spec& s) { return s.cgroup.resources.cpu_quota == 10000; },
          {"", "0", "0.001", "x", "-2", "1e9", "999999999999", "0,5"}}},
        {"--cpu-weight",
         {"10000",
          [](const Spec& s) { return s.cgroup.resources.cpu_weight == 10000; },
          {"", "0", "10001", "-1", "x", "1.5"}}},
        {"--cpuset",
         {"0-3,7",
          [](const Spec& s) { return s.cgroup.resources.cpuset == "0-3,7"; },
          {"", "3-0", "0,", ",", "a", "0-", "-1", "0--1", "65536", "0 1", "0\n1"}}},
        {"--pids",
         {"max",
          [](const Spec& s) { return s.cgroup.resources.pids == -1; },
          {"", "0", "-2", "4194305", "x", "1k"}}},
        {"--io-weight",
         {"1",
          [](const Spec& s) { return s.cgroup.resources.io_weight == 1; },
          {"", "0", "10001"}}},
        {"--io-max",
         {"8:0:rbps=1M,wiops=5",
          [](const Spec& s) {
              return s.cgroup.resources.io_max == std::vector{spec::IoMax{"8:0", 1 << 20, 0, 0, 5}};
          },
          {"", "rbps=1", "8:0", "8:0:", "8:0:rbps", "8:0:rbps=", "8:0:rbps=0", "8:0:x=1",
           "sda:rbps=1", "8:0:rbps=1,rbps=2", "8:0:rbps=1,", ":rbps=1"}}},
        {"--cgroup", {"a/b", [](const Spec& s) { return s.cgroup.path == "/a/b"; }, {}}},
        {"--net",
         {"none",
          [](const Spec& s) { return s.net.mode == spec::NetMode::none; },
          {"", "bridge", "auto", "SLIRP", "slirp4netns"}}},
        {"--publish",
         {"127.0.0.1:8000-8001:80-81/udp",
          [](const Spec& s) {
              return s.net.ports == std::vector{spec::Port{"127.0.0.1", 8000, 80, true},
                                                spec::Port{"127.0.0.1", 8001, 81, true}};
          },
          {"", "80", ":", "80:", ":80", "0:80", "80:65536", "80:80/sctp", "80:80/", "a:80:80",
           "256.0.0.1:80:80", "[::1:80:80", "::1:80:80", "1-2:1-3", "2-1:2-1", "80:80:80", "-1:80",
           "80 :80"}}},
        {"--dns",
         {"2620:fe::fe",
          [](const Spec& s) { return s.net.dns == Args{"2620:fe::fe"}; },
          {"", "dns.quad9.net", "1.2.3", "1.2.3.4:53", "[::1]"}}},
        {"--allow-host-loopback",
         {nullptr, [](const Spec& s) { return s.net.allow_host_loopback; }, {}}},
        {"--hostname",
         {"h-1.x_y",
          [](const Spec& s) { return s.uts.hostname == "h-1.x_y"; },
          {"", "-h", ".h", "h/", "h h", "ü",
           "12345678901234567890123456789012345678901234567890123456789012345"}}},
        {"--domainname",
         {"d", [](const Spec& s) { return s.uts.domainname == "d"; }, {"", "-", "(none)"}}},
        {"--boottime",
         {"-5",
          [](const Spec& s) { return s.time.boottime == -5 && has(s, "time"); },
          {"", "x", "1.5", "9223372036854775808", "1s", "+1"}}},
        {"--monotonic",
         {"86400",
          [](const Spec& s) { return s.time.monotonic == 86400 && has(s, "time"); },
          {"", "x", "0x10"}}},
        {"--rootfs", {"/r", [](const Spec& s) { return s.root.path == "/r"; }, {}}},
        {"--volume",
         {"rel:/d:ro,nosuid,bind,slave",
          [](const Spec& s) {
              return s.root.mounts.size() == 1 &&
                     s.root.mounts[0] ==
                         spec::Mount{.type = "bind",
                                     .source = "rel",
                                     .destination = "/d",
                                     .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID,
                                     .recursive = false,
                                     .propagation = "slave"};
          },
          {"", "a", "a:", ":/b", "a:b", "a:/b:", "a:/b:x", "a:/b:ro:rw", "a:/b:ro,", "a:/", "a://.",
           "a:/b:size=1m"}}},
        {"--tmpfs",
         {"/d:size=64m,noexec,exec,mode=0700",
          [](const Spec& s) {
              return s.root.mounts.size() == 1 &&
                     s.root.mounts[0] ==
                         spec::Mount{.type = "tmpfs",
                                     .source = "tmpfs",
                                     .destination = "/d",
                                     .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                                     .options = {"size=64m", "mode=0700"}};
          },
          {"", "d", "/d:", "/d:foo", "/d:size", "/d:bind", "/", "/d:size=", "/d:size=lots",
           "/d:size=1mm", "/d:size=%", "/d:mode=9", "/d:mode=10000", "/d:nr_inodes=-1", "/d:uid=-1",
           "/d:gid=4294967295", "/d:huge=yes"}}},
        {"--read-only", {nullptr, [](const Spec& s) { return s.root.read_only; }, {}}},
        {"--overlay", {nullptr, [](const Spec& s) { return s.root.overlay; }, {}}},
        {"--upper", {"u", [](const Spec& s) { return s.root.upper == "u"; }, {""}}},
        {"--proc",
         {"bind",
          [](const Spec& s) { return s.proc == spec::ProcMode::bind; },
          {"", "fresh", "host", "new "}}},
        {"--root",
         {"chdir",
          [](const Spec& s) { return s.root.mode == spec::RootMode::chdir; },
          {"", "pivot_root"}}},
        {"--cap-add",
         {"SYS_ADMIN",
          [](const Spec& s) {
              return std::ranges::count(s.capabilities.bounding, "cap_sys_admin") == 1 &&
                     s.capabilities.bounding.size() == 15;
          },
          {"", "cap_", "sys admin", "everything", "0", "cap_cap_chown"}}},
        {"--cap-drop",
         {"Cap_Chown",
          [](const Spec& s) {
              return std::ranges::count(s.capabilities.bounding, "cap_chown") == 0 &&
                     s.capabilities.bounding.size() == 13;
          },
          {"", "none"}}},
        {"--new-privs", {nullptr, [](const Spec& s) { return s.process.new_privileges; }, {}}},
        {"--seccomp",
         {"/f.json",
          [](const Spec& s) {
              return s.seccomp.mode == spec::SeccompMode::file && s.seccomp.file == "/f.json";
          },
          {}}},
        {"--init", {nullptr, [](const Spec& s) { return has(s, "init"); }, {}}},
        {"--env",
         {"A=b=c",
          [](const Spec& s) { return s.process.env.back() == "A=b=c"; },
          {"", "=", "=x", "NOT_SET_ANYWHERE_7261"}}},
        {"--env-file",
         {"/env",
          [](const Spec& s) { return s.process.env.back() == "FROM=file"; },
          {"", "/absent", "/broken"}}},
        {"--workdir",
         {"/w", [](const Spec& s) { return s.process.cwd == "/w"; }, {"", "rel", "./x"}}},
        {"--user", {"1:2", [](const Spec& s) { return s.process.user == "1:2"; }, {""}}},
        {"--ulimit",
         {"NoFile=1:unlimited",
          [](const Spec& s) {
              return s.process.rlimits ==
                     std::vector{spec::Rlimit{RLIMIT_NOFILE, "nofile", 1, RLIM_INFINITY}};
          },
          {"", "nofile", "nofile=", "nofile=1:", "nofile=2:1", "nofile=x", "x=1", "nofile=1:2:3",
           "=1", "nofile=-2", "nofile=99999999999999999999"}}},
        {"--name",
         {"n_1", [](const Spec& s) { return s.name == "n_1"; }, {"", "../x", "a/b", "-n", "."}}},
        {"--quiet", {nullptr, [](const Spec& s) { return s.quiet; }, {}}},
        // No part of a Spec: see Watching.
        {"--explain", {nullptr, nullptr, {}}},
        {"--pause", {nullptr, nullptr, {"", "nowhere", "uts,", "none"}}},
        {"--trace", {nullptr, nullptr, {""}}},
        {"--record", {nullptr, nullptr, {""}}},
        {"--plain", {nullptr, nullptr, {}}},
        {"--replace",
         {"uts=/x=y",
          [](const Spec& s) {
              return s.replacements == std::vector{spec::Replacement{Stage::uts, "/x=y"}};
          },
          {"", "uts", "uts=", "=x", "nowhere=x"}}},
        {"--break",
         {"7", [](const Spec& s) { return s.faults == std::vector<std::string>{"7"}; }, {}}},
    };
    return all;
}

class EachOption : public testing::Test {
protected:
    void SetUp() override {
        files = {{"/env", "# a remark\n\nFROM=file\n"}, {"/broken", "A=1\n=2\n"}};
    }
};

TEST_F(EachOption, StandsInThisTest) {
    for (const cli::Option& row : cli::parent_options()) {
        std::string name = names_of(row).back();
        if (!name.starts_with("--no-")) {
            EXPECT_TRUE(rows().contains(name)) << name;
        }
    }
}

TEST_F(EachOption, DoesWhatItSaysInEveryForm) {
    for (const cli::Option& option : cli::parent_options()) {
        auto found = rows().find(names_of(option).back());
        if (found == rows().end() || !found->second.done)
            continue;
        const Row& row = found->second;
        std::string value = row.right != nullptr ? row.right : "";
        for (const std::string& name : names_of(option)) {
            std::vector<Args> forms;
            if (option.value == nullptr)
                forms = {{name}};
            else if (name.starts_with("--"))
                forms = {{name, value}, {name + "=" + value}};
            else
                forms = {{name, value}, {name + value}};
            for (const Args& form : forms)
                EXPECT_TRUE(row.done(good(form))) << testing::PrintToString(form);
        }
    }
}

TEST_F(EachOption, RefusesWrongValuesByName) {
    for (const cli::Option& option : cli::parent_options()) {
        auto found = rows().find(names_of(option).back());
        if (found == rows().end())
            continue;
        for (const char* value : found->second.wrong) {
            std::string error = bad({names_of(option).back(), value});
            // An error of validate() names the option that a person would change, or the object.
            EXPECT_TRUE(error.starts_with(names_of(option).back()) || error.starts_with("-") ||
                        error.starts_with("\""))
                << error;
            EXPECT_GT(error.size(), names_of(option).back().size() + 8) << error;
        }
    }
}

TEST_F(EachOption, WantsItsValue) {
    for (const cli::Option& option : cli::parent_options()) {
        if (option.value == nullptr)
            continue;
        for (const std::string& name : names_of(option))
            EXPECT_EQ(bad({name}), name + " wants a value: see 'gocontainer parent --help'");
    }
}

TEST_F(EachOption, IsRefusedAValueIfItIsAFlag) {
    for (const cli::Option& option : cli::parent_options())
        if (option.value == nullptr) {
            EXPECT_THAT(bad({names_of(option).back() + "=x"}), HasSubstr("is no option"));
        }
}

TEST(Watching, IsAskedForBesideTheSpec) {
    auto watching = [](const Args& args) {
        auto parsed = parse(args);
        EXPECT_TRUE(parsed) << parsed.error();
        EXPECT_EQ(parsed->spec, good({}));
        return parsed->watching;
    };
    EXPECT_FALSE(watching({}).any());
    EXPECT_FALSE(watching({"--plain"}).any());
    EXPECT_TRUE(watching({"--plain", "--explain"}).plain);
    EXPECT_TRUE(watching({"--explain"}).explain);
    EXPECT_EQ(watching({"--trace", "/t"}).trace, "/t");
    EXPECT_EQ(watching({"--record", "/r"}).recording, "/r");
    EXPECT_TRUE(watching({"--pause", "uts,pid"}).pauses.has(Stage::uts));
    EXPECT_TRUE(watching({"--pause", "uts,pid"}).pauses.has(Stage::pid));
    EXPECT_FALSE(watching({"--pause", "uts,pid"}).pauses.has(Stage::mount));
    for (std::size_t stage = 0; stage < spec::kStageCount; ++stage)
        EXPECT_TRUE(watching({"--pause=all"}).pauses.has(static_cast<Stage>(stage)));
    for (const Args& args : {Args{"--explain"}, {"--trace=/t"}, {"--record=/r"}, {"--pause=root"}})
        EXPECT_TRUE(watching(args).any());
}

// --- how they go together ------------------------------------------------------------------------

TEST(CommandLine, DefaultsToAShell) {
    Spec spec = good({});
    EXPECT_THAT(spec.process.args, ElementsAre("/bin/sh"));
    EXPECT_EQ(spec.stages, spec::StageSet::defaults());
    EXPECT_EQ(spec.capabilities.bounding.size(), 14u);
    EXPECT_EQ(spec.root.masked, spec::default_masked_paths());
    EXPECT_EQ(spec.root.readonly, spec::default_readonly_paths());
    EXPECT_FALSE(spec.process.new_privileges);
}

TEST(CommandLine, EndsAtTheCommand) {
    EXPECT_THAT(good({"-q", "ls", "-q", "--nonsense", "--", "-h"}).process.args,
                ElementsAre("ls", "-q", "--nonsense", "--", "-h"));
    EXPECT_THAT(good({"--", "-q"}).process.args, ElementsAre("-q"));
    EXPECT_THAT(good({"-q", "--", "--help"}).process.args, ElementsAre("--help"));
    EXPECT_THAT(good({"-"}).process.args, ElementsAre("-"));
    EXPECT_THAT(good({"--"}).process.args, ElementsAre("/bin/sh"));
    EXPECT_THAT(bad({"--", ""}), HasSubstr("COMMAND"));
}

TEST(CommandLine, BundlesShortFlags) {
    Spec spec = good({"-qu1", "-eA=1", "-qe", "B=2", "x"});
    EXPECT_TRUE(spec.quiet);
    EXPECT_EQ(spec.process.user, "1");
    EXPECT_THAT(spec.process.args, ElementsAre("x"));
    EXPECT_THAT(bad({"-qz"}), AllOf(HasSubstr("\"-qz\""), HasSubstr("is no option")));
}

TEST(CommandLine, RefusesUnknownOptionsByName) {
    EXPECT_THAT(bad({"--nonsense"}), StartsWith("\"--nonsense\" is no option"));
    EXPECT_THAT(bad({"--nonsense=1"}), StartsWith("\"--nonsense=1\" is no option"));
    EXPECT_THAT(bad({"-z", "x"}), StartsWith("\"-z\" is no option"));
    EXPECT_THAT(bad({"--mem", "1"}), HasSubstr("\"--mem\"")); // --memory or --memory-swap?
}

TEST(CommandLine, TakesTheLastOfWhatIsSingleAndAllOfWhatIsAList) {
    Spec spec = good({"--name", "a", "--name", "b", "--dns", "1.1.1.1", "--dns", "9.9.9.9", "--map",
                      "0:1:1", "--map", "1:5:5", "--map", "single", "-w", "/a", "-w", "/b"});
    EXPECT_EQ(spec.name, "b");
    EXPECT_EQ(spec.process.cwd, "/b");
    EXPECT_EQ(spec.net.dns.size(), 2u);
    EXPECT_EQ(spec.user.mapping, spec::Mapping::single);
    EXPECT_EQ(good({"--map", "0:1:1", "--map", "1:5:5"}).user.uids.size(), 2u);
}

TEST(CommandLine, CanBeParsedTwice) {
    (void)bad({"-q", "--nonsense"}); // getopt keeps its place in globals
    EXPECT_THAT(good({"-q", "a"}).process.args, ElementsAre("a"));
    EXPECT_THAT(good({"-q", "b"}).process.args, ElementsAre("b"));
}

TEST(CommandLine, ReadsVariablesInOrder) {
    files = {{"/1", "A=1\nB=1\r\n"}, {"/2", "A=2"}};
    setenv("TERM", "xterm", 1);
    setenv("HANDED", "on", 1);
    Spec spec = good({"-e", "A=e", "--env-file", "/1", "--env-file", "/2", "-e", "HANDED"});
    EXPECT_THAT(spec.process.env,
                ElementsAre("TERM=xterm", "A=1", "B=1", "A=2", "A=e", "HANDED=on"));
    files = {{"/bad", "A=1\n\n#x\nNOT_SET_ANYWHERE_7261\n"}};
    EXPECT_THAT(bad({"--env-file", "/bad"}), StartsWith("--env-file \"/bad\" line 4: "));
}

// --- stages --------------------------------------------------------------------------------------

TEST(Stages, EachCanBeLeftOut) {
    for (std::string_view stage : spec::kStageNames) {
        Args args{"--no-" + std::string(stage)};
        if (stage == "mount")
            args.push_back("--no-root"); // pivot_root moves mounts
        EXPECT_FALSE(has(good(args), std::string(stage).c_str())) << stage;
    }
}

TEST(Stages, OnlyRunsJustThose) {
    EXPECT_EQ(good({"--only", "none"}).stages, spec::StageSet());
    Spec spec = good({"--only", "user,uts"});
    EXPECT_TRUE(has(spec, "user") && has(spec, "uts"));
    EXPECT_EQ(std::popcount(spec.stages.bits()), 2);
    EXPECT_EQ(std::popcount(good({"--only", "user,uts", "--no-uts"}).stages.bits()), 1);
    EXPECT_EQ(std::popcount(good({"--no-uts", "--only", "user,uts"}).stages.bits()), 1);
    EXPECT_EQ(good({"--only", "uts", "--only", "none"}).stages, spec::StageSet());
    EXPECT_TRUE(has(good({"--only", "none", "--init"}), "init"));
    EXPECT_TRUE(has(good({"--init", "--only", "none"}), "init"));
    EXPECT_TRUE(has(good({"--only", "user", "--boottime", "1"}), "time"));
    EXPECT_TRUE(has(good({"--only", "time"}), "time"));
    EXPECT_THAT(bad({"--init", "--no-init"}), HasSubstr("--init: needs the init stage"));
    EXPECT_THAT(bad({"--only", "root"}), HasSubstr("needs the mount stage"));
    EXPECT_THAT(bad({"--boottime", "1", "--no-time"}), HasSubstr("need the time stage"));
}

TEST(Stages, NothingThatWasAskedForIsIgnoredWithoutItsStage) {
    EXPECT_THAT(bad({"--no-caps", "--cap-add", "all"}), HasSubstr("need the caps stage"));
    EXPECT_THAT(bad({"--no-caps", "--cap-drop", "chown"}), HasSubstr("need the caps stage"));
    EXPECT_THAT(bad({"--no-user", "--map", "single"}), HasSubstr("needs the user stage"));
    EXPECT_THAT(bad({"--gid-map", "0:0:1"}), HasSubstr("--gid-map"));
    EXPECT_THAT(bad({"--no-root", "--read-only"}), HasSubstr("needs the root stage"));
    EXPECT_THAT(bad({"--no-net", "--net", "none"}), HasSubstr("needs the net stage"));
    EXPECT_THAT(bad({"--no-pid", "--proc", "none"}), HasSubstr("needs the pid stage"));
    EXPECT_THAT(bad({"--no-seccomp", "--seccomp", "/f"}), HasSubstr("needs the seccomp stage"));
    EXPECT_THAT(bad({"--no-cgroup", "--pids", "5"}), HasSubstr("needs the cgroup stage"));
    // The default's own name is asking for it, too.
    EXPECT_THAT(bad({"--no-seccomp", "--seccomp", "default"}),
                HasSubstr("needs the seccomp stage"));
    EXPECT_THAT(bad({"--only", "user", "--seccomp", "default"}),
                HasSubstr("needs the seccomp stage"));
    EXPECT_THAT(bad({"--no-root", "--root", "pivot"}), HasSubstr("needs the root stage"));
    EXPECT_FALSE(good({"--no-seccomp", "--seccomp", "none"}).stages.has(spec::Stage::seccomp));
    EXPECT_THAT(bad({"--no-user", "--map", "auto"}), StartsWith("--map: needs the user stage"));
    EXPECT_THAT(bad({"--no-user", "--gid-map", "0:0:1"}), StartsWith("--gid-map: needs the user"));
    EXPECT_THAT(bad({"--only", "none", "--rootfs", "/r"}), StartsWith("--rootfs: needs the mount"));
    EXPECT_EQ(good({"--only", "root", "--root", "chroot", "--rootfs", "/r"}).root.path, "/r");
    EXPECT_THAT(bad({"--only", "user", "--name", "n"}), StartsWith("--name: needs the uts stage"));
    EXPECT_EQ(good({"--only", "cgroup", "--name", "n"}).name, "n");
    EXPECT_THAT(bad({"--only", "pid", "--proc", "none"}), StartsWith("--proc: needs the mount"));
    EXPECT_THAT(bad({"--no-mount", "--no-root", "--tmpfs", "/m"}),
                StartsWith("--tmpfs \"/m\": needs the mount stage"));
    EXPECT_THAT(bad({"--pause", "uts,time"}), StartsWith("--pause time: the stage is left out"));
    EXPECT_EQ(good({"--pause", "all"}).stages, spec::StageSet::defaults());
    // By name, not as "a limit".
    const Args limits[] = {{"--memory", "1g"},    {"--memory-swap", "-1"},    {"--cpus", "1"},
                           {"--cpu-weight", "5"}, {"--cpuset", "0"},          {"--pids", "9"},
                           {"--io-weight", "5"},  {"--io-max", "8:0:rbps=1"}, {"--cgroup", "x"}};
    for (const Args& limit : limits)
        EXPECT_THAT(bad({"--no-cgroup", limit[0], limit[1]}),
                    StartsWith(limit[0] + ": needs the cgroup stage"));
}

// "" would stand for what was not asked for.
TEST(Stages, AnEmptyValueIsNoValue) {
    for (const char* option : {"--upper", "--workdir", "--user", "--trace", "--record"})
        EXPECT_THAT(bad({option, ""}), StartsWith(std::string(option) + " \"\": names no "));
}

TEST(Limits, TheLastOfOneNameCounts) {
    Spec spec = good({"--ulimit", "fsize=10", "--ulimit", "core=0", "--ulimit", "fsize=20"});
    EXPECT_THAT(spec.process.rlimits, ElementsAre(spec::Rlimit{RLIMIT_CORE, "core", 0, 0},
                                                  spec::Rlimit{RLIMIT_FSIZE, "fsize", 20, 20}));
}

// --- capabilities --------------------------------------------------------------------------------

Args caps(const Args& args) {
    return good(args).capabilities.bounding;
}

TEST(Capabilities, AddAndDropAsWithDocker) {
    Args usual = spec::default_capabilities();
    EXPECT_THAT(caps({}), testing::UnorderedElementsAreArray(usual));
    EXPECT_THAT(caps({"--cap-drop", "all"}), IsEmpty());
    EXPECT_THAT(caps({"--cap-drop", "ALL", "--cap-add", "net_raw"}), ElementsAre("cap_net_raw"));
    EXPECT_THAT(caps({"--cap-add", "CAP_NET_RAW", "--cap-drop", "all"}),
                ElementsAre("cap_net_raw"));
    EXPECT_EQ(caps({"--cap-add", "all"}).size(), spec::all_capabilities().size());
    EXPECT_EQ(caps({"--cap-add", "all", "--cap-drop", "chown"}).size(),
              spec::all_capabilities().size() - 1);
    EXPECT_THAT(caps({"--cap-add", "sys_time", "--cap-drop", "sys_time"}),
                Not(testing::Contains("cap_sys_time")));
    EXPECT_EQ(caps({"--cap-add", "chown", "--cap-add", "chown"}).size(), usual.size());
}

// --- help ----------------------------------------------------------------------------------------

std::string help() {
    auto parsed = parse({"--help"});
    return parsed && parsed->help ? *parsed->help : "";
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

std::size_t columns(const std::string& line) {
    return static_cast<std::size_t>(
        std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }));
}

TEST(Help, IsTheSameForEachWayToAskForIt) {
    EXPECT_EQ(parse({"-h"})->help, help());
    EXPECT_EQ(parse({"-qh"})->help, help());
    EXPECT_EQ(parse({"-q", "--help", "--nonsense"})->help, help());
}

TEST(Help, CoversEveryOption) {
    std::string text = help();
    for (const cli::Option& row : cli::parent_options()) {
        if (std::string_view(row.names).starts_with("--no-") && row.help[0] == '\0')
            continue; // one line stands for all of them
        if (row.names == std::string_view("--break"))
            continue; // the teacher's alone
        std::string left = row.names;
        if (row.value != nullptr)
            left += std::string(" ") + row.value;
        EXPECT_THAT(text, HasSubstr(left));
        ASSERT_NE(row.help[0], '\0') << row.names;
        EXPECT_FALSE(std::string_view(row.help).ends_with('.')) << row.help;
    }
    EXPECT_THAT(text, AllOf(HasSubstr("--no-STAGE"), HasSubstr("-h,--help")));
}

TEST(Help, FitsATerminal) {
    for (const std::string& line : lines_of(help())) {
        EXPECT_LE(columns(line), 80u) << line;
        EXPECT_THAT(line, Not(EndsWith(" ")));
    }
    for (const std::string& line : lines_of(run::describe_stages()))
        EXPECT_LE(columns(line), 80u) << line;
}

TEST(Help, IsGroupedByStage) {
    std::set<std::string> known{"stages", "process", "watching"};
    for (std::string_view stage : spec::kStageNames)
        known.emplace(stage);
    std::vector<std::string> groups;
    for (const cli::Option& row : cli::parent_options()) {
        if (row.group[0] == '\0')
            continue;
        EXPECT_TRUE(known.contains(row.group)) << row.group;
        if (groups.empty() || groups.back() != row.group)
            groups.emplace_back(row.group);
    }
    EXPECT_EQ(std::set(groups.begin(), groups.end()).size(), groups.size()); // each once
}

TEST(Help, HasANoOptionForEveryStage) {
    std::set<std::string> names;
    for (const cli::Option& row : cli::parent_options())
        for (const std::string& name : names_of(row))
            EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
    for (std::string_view stage : spec::kStageNames)
        EXPECT_TRUE(names.contains("--no-" + std::string(stage))) << stage;
}

// --- `gocontainer stages` ------------------------------------------------------------------------

TEST(StageTable, HasEveryStageOnce) {
    std::set<Stage> seen;
    for (const stages::Stage& stage : stages::table()) {
        EXPECT_TRUE(seen.insert(stage.id).second) << name_of(stage.id);
        EXPECT_EQ(stage.on_by_default, spec::StageSet::defaults().has(stage.id));
        EXPECT_EQ(stage.clone_flag != 0, stage.ns != nullptr) << name_of(stage.id);
        EXPECT_FALSE(std::string_view(stage.summary).ends_with('.'));
    }
    EXPECT_EQ(seen.size(), spec::kStageCount);
}

TEST(StageTable, IsPrintedWhole) {
    auto json = nlohmann::json::parse(run::describe_stages_json());
    auto lines = lines_of(run::describe_stages());
    ASSERT_EQ(json.size(), stages::table().size());
    ASSERT_EQ(lines.size(), 2 * json.size());
    for (std::size_t i = 0; i < json.size(); ++i) {
        const stages::Stage& stage = stages::table()[i];
        EXPECT_EQ(json[i]["name"], name_of(stage.id));
        EXPECT_EQ(json[i]["default"], stage.on_by_default);
        EXPECT_EQ(json[i]["summary"], stage.summary);
        EXPECT_EQ(json[i]["lesson"], std::string("lessons/") + stage.lesson);
        EXPECT_THAT(lines[2 * i], AllOf(StartsWith(std::string(name_of(stage.id)) + " "),
                                        HasSubstr(stage.on_by_default ? " on " : " off "),
                                        EndsWith(stage.summary)));
        EXPECT_THAT(lines[2 * i + 1], EndsWith(std::string("lessons/") + stage.lesson));
    }
}

} // namespace
