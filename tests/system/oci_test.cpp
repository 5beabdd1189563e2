// The runtime's whole lifecycle through the binary, as engines call it.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/receiver.hpp"

#include <gmock/gmock.h>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Strings;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

namespace {

TEST(Run, GivesOutputAndStatusAndLeavesNothing) {
    support::Host before = support::Host::look();
    {
        Bundle bundle;
        std::string token = support::token();
        bundle.args({"sh", "-c", "echo " + token + "; hostname; exit 7"});
        bundle.config["hostname"] = "h-" + token;
        bundle.save();
        Ended ended = bundle.runtime({"run", bundle.id()});
        EXPECT_EQ(ended.status, 7) << ended.err;
        EXPECT_EQ(ended.out, token + "\nh-" + token + "\n");
        EXPECT_EQ(ended.err, "");
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
    }
    EXPECT_EQ(support::differs_from(before), "");
    EXPECT_EQ(support::strays(), "");
}

TEST(Version, NamesTheCommitOfACheckout) {
    auto built = support::try_slurp(support::source() + "/build/gen/commit.inc");
    if (!built)
        GTEST_SKIP() << "host lacks what the program was built from";
    ASSERT_EQ(built->front(), '"');
    std::string commit = built->substr(1, built->find('"', 1) - 1);
    Strings said =
        support::lines(support::run({.argv = {support::gocontainer(), "--version"}}).out);
    ASSERT_GE(said.size(), 2U);
    EXPECT_THAT(said[0], StartsWith("gocontainer version "));
    EXPECT_THAT(said[1], commit.empty() ? StartsWith("spec: ") : StartsWith("commit: " + commit));
}

TEST(Run, GivesTheSignalThatEndedIt) {
    Bundle bundle;
    bundle.args({"sh", "-c", "kill -KILL $$; sh -c 'kill -TERM $$'; exit $?"});
    bundle.save();
    EXPECT_EQ(bundle.runtime({"run", bundle.id()}).status, 143); // PID 1 shields itself
}

TEST(Lifecycle, GoesThroughItsStates) {
    Bundle bundle;
    bundle.config["annotations"]["org.example.token"] = bundle.id();
    bundle.args({"sleep", "1000"});
    bundle.create({"--pid-file", bundle.path() + "/pid"});
    json state = bundle.state();
    EXPECT_EQ(state["status"], "created");
    EXPECT_EQ(state["id"], bundle.id());
    EXPECT_EQ(state["bundle"], bundle.path());
    EXPECT_EQ(state["annotations"]["org.example.token"], bundle.id());
    pid_t pid = state["pid"];
    EXPECT_EQ(support::slurp(bundle.path() + "/pid"), std::to_string(pid)); // and no newline
    // In its namespaces, and not yet the command.
    EXPECT_FALSE(support::shares(pid, "mnt"));
    EXPECT_FALSE(support::shares(pid, "pid"));
    EXPECT_NE(support::command_line(pid), (Strings{"sleep", "1000"}));
    EXPECT_EQ(support::Root(pid).look("/create.err"), std::nullopt); // the host's tree is gone

    ASSERT_EQ(bundle.runtime({"start", bundle.id()}).status, 0);
    EXPECT_EQ(bundle.status(), "running");
    EXPECT_EQ(support::command_line(pid), (Strings{"sleep", "1000"}));
    EXPECT_THAT(bundle.runtime({"start", bundle.id()}).err,
                HasSubstr("cannot start an already running container"));
    EXPECT_THAT(bundle.runtime({"delete", bundle.id()}).err, HasSubstr("that is not stopped"));
    EXPECT_EQ(json::parse(bundle.runtime({"ps", "--format", "json", bundle.id()}).out),
              json::array({pid}));

    ASSERT_EQ(bundle.runtime({"kill", bundle.id(), "KILL"}).status, 0);
    EXPECT_TRUE(support::eventually([&] { return bundle.status() == "stopped"; }));
    EXPECT_EQ(bundle.state()["pid"], 0);
    EXPECT_THAT(bundle.runtime({"kill", bundle.id()}).err, HasSubstr("container not running"));
    EXPECT_EQ(bundle.runtime({"kill", "--all", bundle.id(), "9"}).status, 0);
    EXPECT_EQ(bundle.runtime({"delete", bundle.id()}).status, 0);
    Ended gone = bundle.runtime({"state", bundle.id()});
    EXPECT_EQ(gone.status, 1);
    EXPECT_THAT(gone.err, HasSubstr("does not exist"));
    EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
}

TEST(Ps, KnowsAllProcessesAlsoWithoutACgroup) {
    Bundle bundle;
    bundle.args({"sh", "-c", "sleep 1000 & sleep 2000 & wait"});
    bundle.save();
    for (const char* manager : {"cgroupfs", "disabled"}) {
        Strings run{"--cgroup-manager", manager, "run", "--detach", bundle.id()};
        ASSERT_EQ(support::run(bundle.detached(run)).status, 0)
            << support::slurp(bundle.path() + "/detached.err");
        pid_t pid = bundle.pid();
        ASSERT_TRUE(support::eventually([&] { return support::children_of(pid).size() == 2; }));
        std::vector<pid_t> all = support::children_of(pid);
        all.push_back(pid);
        std::ranges::sort(all);
        EXPECT_EQ(json::parse(bundle.runtime({"ps", "--format", "json", bundle.id()}).out), all)
            << manager;
        EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
    }
}

TEST(Lifecycle, DeletesWhatWasOnlyCreated) {
    Bundle bundle;
    bundle.create();
    pid_t pid = bundle.pid();
    EXPECT_EQ(bundle.runtime({"delete", bundle.id()}).status, 0);
    EXPECT_FALSE(support::try_slurp("/proc/" + std::to_string(pid) + "/status") &&
                 support::status(pid)["State"].starts_with("S"));
}

TEST(Lifecycle, ForcesTheEndOfWhatRuns) {
    Bundle bundle;
    bundle.args({"sleep", "1000"});
    bundle.start();
    EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
    EXPECT_THAT(bundle.runtime({"state", bundle.id()}).err, HasSubstr("does not exist"));
}

TEST(Lifecycle, GivesAnIdOnce) {
    Bundle bundle;
    bundle.args({"sleep", "1000"});
    bundle.start();
    Ended again = bundle.runtime({"create", bundle.id()});
    EXPECT_EQ(again.status, 1);
    EXPECT_THAT(again.err, HasSubstr("container with given ID already exists"));
    EXPECT_EQ(bundle.status(), "running");
}

TEST(Lifecycle, RefusesIdsThatAreNone) {
    Bundle bundle;
    bundle.save();
    for (const char* id : {"..", ".", "a/b", "../x", "a b", ""}) {
        Ended refused = bundle.runtime({"create", "--", id});
        EXPECT_EQ(refused.status, 1) << id;
        EXPECT_THAT(refused.err, HasSubstr("invalid container ID format")) << id;
    }
}

TEST(Lifecycle, LeavesNothingOfACreateThatFails) {
    support::Host before = support::Host::look();
    {
        Bundle bundle;
        bundle.args({"no-such-" + support::token()});
        bundle.save();
        std::string log = bundle.path() + "/log.json";
        Ended failed = bundle.runtime(
            {"--log", log, "--log-format", "json", "create", "--pid-file", "pid", bundle.id()});
        EXPECT_EQ(failed.status, 1);
        EXPECT_THAT(failed.err, HasSubstr("executable file not found in $PATH"));
        EXPECT_FALSE(failed.held_open);
        json logged = json::parse(support::slurp(log)); // one object and no more
        EXPECT_EQ(logged["level"], "error");
        EXPECT_THAT(logged["msg"], HasSubstr("executable file not found in $PATH"));
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
        EXPECT_FALSE(support::try_slurp(bundle.path() + "/pid"));
    }
    EXPECT_EQ(support::differs_from(before), "");
    EXPECT_EQ(support::strays(), "");
}

// As root with /dev/null, the machine would have none any more.
// As /run of a small machine, which is a tmpfs.
TEST(Lifecycle, LeavesNothingWhereItsStateHasNoRoom) {
    if (!support::is_root())
        GTEST_SKIP() << "needs root to mount a file system that is full";
    Bundle bundle;
    bundle.args({"true"});
    bundle.config["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"}};
    bundle.save();
    std::filesystem::create_directories(bundle.root());
    support::Command command = bundle.command({"run", bundle.id()});
    command.argv.insert(command.argv.begin(),
                        {"sh", "-c", "\"$@\"; echo \"status $?\"; ls -A \"$0\"", bundle.root()});
    bool refused = false;
    for (int pages = 1; pages < 20; ++pages) {
        command.before_exec = [&] {
            support::enter_own_mounts();
            support::mount_in("none", bundle.root(), "tmpfs", 0,
                              "size=" + std::to_string(pages * 4) + "k");
        };
        Ended ended = support::run(command);
        if (refused = ended.err != ""; refused)
            EXPECT_THAT(ended.err, HasSubstr("ENOSPC (no space left on device)"));
        EXPECT_THAT(ended.out,
                    MatchesRegex(refused ? "status 1\n(filters@\n)?" : "status 0\n(filters@\n)?"))
            << pages << ended.err;
    }
    EXPECT_FALSE(refused) << "with 19 pages";
}

/// A profile under which the container's mkdir fails with `code`.
json refusing_mkdir(int code, const std::string& op) {
    json profile = json::parse(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0}]}
    ]})");
    profile["syscalls"][0]["errnoRet"] = code;
    profile["syscalls"][1]["args"][0]["op"] = op;
    return profile;
}

// The second container with a profile gets the filter that was kept of the first one's, by its
// text.
TEST(KeptFilter, IsThatOfTheProfileToTheLetter) {
    Bundle bundle;
    bundle.args({"sh", "-c", "mkdir /tmp/a"});
    auto kept = [&] {
        std::set<std::string> names;
        for (const auto& file : std::filesystem::directory_iterator(bundle.root() + "/filters@"))
            names.insert(file.path().filename());
        return names.size();
    };
    auto says = [&](const json& profile) {
        bundle.config["linux"]["seccomp"] = profile;
        bundle.save();
        return bundle.runtime({"run", bundle.id()}).err;
    };
    for (int round = 0; round < 2; ++round) {
        EXPECT_THAT(says(refusing_mkdir(EXDEV, "SCMP_CMP_EQ")), HasSubstr(strerror(EXDEV)));
        EXPECT_EQ(kept(), 1U);
    }
    for (int round = 0; round < 2; ++round) {
        EXPECT_THAT(says(refusing_mkdir(EMLINK, "SCMP_CMP_EQ")), HasSubstr(strerror(EMLINK)));
        EXPECT_EQ(kept(), 2U);
    }
    EXPECT_THAT(says(refusing_mkdir(EXDEV, "SCMP_CMP_EQ")), HasSubstr(strerror(EXDEV)));
    // Nothing is kept of what is refused, however often it is asked for.
    for (int round = 0; round < 2; ++round)
        EXPECT_THAT(says(refusing_mkdir(EXDEV, "SCMP_CMP_SAME")),
                    HasSubstr("linux.seccomp.syscalls[1].args[0].op"));
    EXPECT_EQ(kept(), 2U);
    // What a profile lets through can depend on the capabilities.
    bundle.config["process"]["capabilities"] = {{"bounding", json::array({"CAP_KILL"})}};
    EXPECT_THAT(says(refusing_mkdir(EXDEV, "SCMP_CMP_EQ")), HasSubstr(strerror(EXDEV)));
    EXPECT_EQ(kept(), 3U);
}

// Somebody pulled the plug while it was written.
TEST(KeptFilter, IsMadeAgainWhereAPartOfItIsMissing) {
    Bundle bundle;
    bundle.args({"sh", "-c", "mkdir /tmp/a"});
    bundle.config["linux"]["seccomp"] = refusing_mkdir(EXDEV, "SCMP_CMP_EQ");
    bundle.save();
    Ended whole = bundle.runtime({"run", bundle.id()});
    EXPECT_THAT(whole.err, HasSubstr(strerror(EXDEV)));
    auto file =
        std::filesystem::directory_iterator(bundle.root() + "/filters@")->path(); // the only one
    const auto size = std::filesystem::file_size(file);
    for (std::uintmax_t missing : {1U, 8U, 16U}) {
        std::filesystem::resize_file(file, size - missing);
        EXPECT_EQ(bundle.runtime({"run", bundle.id()}).err, whole.err);
        EXPECT_EQ(std::filesystem::file_size(file), size);
    }
}

// A listener is no part of a filter, so that who wants one has its profile read each time.
TEST(KeptFilter, IsNotForWhoListensHoweverThatIsSpelled) {
    Bundle bundle;
    bundle.args({"true"});
    bundle.config["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"listenerPath", "/nowhere"},
        {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_NOTIFY"}}}}};
    std::string text = bundle.config.dump();
    text.replace(text.find("listenerPath"), strlen("l"), "\\u006c");
    std::ofstream(bundle.path() + "/config.json") << text;
    for (int round = 0; round < 2; ++round)
        EXPECT_THAT(bundle.runtime({"run", bundle.id()}).err, HasSubstr("\"/nowhere\""));
}

// What else is wrong is said of the document as it was written, and at the same place.
TEST(KeptFilter, HidesNoMistakeBesideIt) {
    Bundle bundle;
    bundle.args({"true"});
    bundle.config["linux"]["seccomp"] = refusing_mkdir(EXDEV, "SCMP_CMP_EQ");
    bundle.save();
    ASSERT_EQ(bundle.runtime({"run", bundle.id()}).status, 0);
    bundle.config["linux"]["zz"] = 0; // behind the profile
    std::string text = bundle.config.dump();
    text.insert(text.find("\"zz\""), "!");
    std::ofstream(bundle.path() + "/config.json") << text;
    std::string expected = "column " + std::to_string(text.find('!') + 1);
    EXPECT_THAT(bundle.runtime({"run", bundle.id()}).err, HasSubstr(expected));
    bundle.config["linux"].erase("zz");
    bundle.config["hostname"] = 5;
    bundle.save();
    EXPECT_THAT(bundle.runtime({"run", bundle.id()}).err, HasSubstr("hostname: a number"));
}

TEST(Lifecycle, ReplacesNothingButAFileByThePidFile) {
    Bundle bundle;
    bundle.args({"sleep", "1000"});
    bundle.save();
    std::string fifo = bundle.path() + "/fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0666), 0);
    for (const std::string& path : {fifo, bundle.path(), bundle.path() + "/"}) {
        Ended failed = bundle.runtime({"create", "--pid-file", path, bundle.id()});
        EXPECT_EQ(failed.status, 1);
        EXPECT_THAT(failed.err, HasSubstr("--pid-file \"" + path + "\": there is something else"));
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
    }
    EXPECT_TRUE(std::filesystem::is_fifo(fifo));
    std::string file = bundle.folder().file(std::string(NAME_MAX, 'n'), "old", 0666);
    Ended made = support::run(bundle.detached({"create", "--pid-file", file, bundle.id()}));
    EXPECT_EQ(made.status, 0);
    EXPECT_EQ(support::slurp(file), std::to_string(bundle.pid()));
}

TEST(Lifecycle, RefusesToChangeTheHostThroughAJoinedNamespace) {
    char before[65];
    ASSERT_EQ(gethostname(before, sizeof before), 0);
    Bundle bundle;
    for (json& space : bundle.config["linux"]["namespaces"])
        if (space["type"] == "uts")
            space["path"] = "/proc/self/ns/uts";
    bundle.config["hostname"] = support::token();
    bundle.save();
    Ended failed = bundle.runtime({"create", bundle.id()});
    EXPECT_EQ(failed.status, 1);
    EXPECT_THAT(failed.err, HasSubstr("would change the host"));
    char after[65];
    ASSERT_EQ(gethostname(after, sizeof after), 0);
    EXPECT_STREQ(after, before);
}

// By the name of a kernel parameter it is the same change.
TEST(Lifecycle, RefusesToChangeTheHostsDomainNameByASysctl) {
    auto domain = [] { return support::slurp("/proc/sys/kernel/domainname"); };
    std::string before = domain();
    for (const char* type : {"uts", "ipc"}) {
        if (type == std::string("ipc") && !support::is_root())
            continue; // whose kernel keeps /proc/sys/kernel to itself
        Bundle bundle;
        for (json& space : bundle.config["linux"]["namespaces"])
            if (space["type"] == type)
                space["path"] = std::string("/proc/self/ns/") + type;
        bundle.config.erase("hostname");
        bundle.config["linux"]["sysctl"] = {{"kernel.domainname", support::token()}};
        bundle.args({"true"});
        bundle.save();
        Ended ended = bundle.runtime({"run", bundle.id()});
        if (type == std::string("uts"))
            EXPECT_THAT(ended.err, HasSubstr("would change the host"));
        else // it is the UTS namespace's, which is the container's own
            EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_EQ(domain(), before);
    }
}

TEST(Lifecycle, NamesTheWrongProperty) {
    Bundle bundle;
    bundle.config["linux"]["resources"]["pids"]["limit"] = "many";
    bundle.save();
    Ended failed = bundle.runtime({"create", bundle.id()});
    EXPECT_EQ(failed.status, 1);
    EXPECT_THAT(failed.err, HasSubstr("linux.resources.pids.limit"));
    EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
}

TEST(Hooks, RunInTheirOrderWithTheStateOnStdin) {
    Bundle bundle;
    std::string log = bundle.path() + "/hooks";
    support::spill(log, "");
    if (!support::is_root())
        chmod(log.c_str(), 0666);
    std::string script = bundle.folder().file(
        "hook", "#!/bin/sh\necho \"$NAME $(cat | tr -d ' \\n') $# $(env | wc -l)\" >>" + log + "\n",
        0755);
    for (const char* name :
         {"prestart", "createRuntime", "createContainer", "poststart", "poststop"})
        bundle.config["hooks"][name] = {
            {{"path", script}, {"args", {"hook", "one"}}, {"env", {std::string("NAME=") + name}}}};
    bundle.config["process"]["env"] = {"PATH=/bin", "LEAK=1", "MORE=2", "AND=3"};
    bundle.args({"sleep", "1000"});
    bundle.create();
    Strings lines = support::lines(support::slurp(log));
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_THAT(lines[0], StartsWith("prestart {"));
    EXPECT_THAT(lines[1], StartsWith("createRuntime {"));
    EXPECT_THAT(lines[2], StartsWith("createContainer {"));
    for (const std::string& line : lines) {
        EXPECT_THAT(line, HasSubstr("\"id\":\"" + bundle.id() + "\""));
        EXPECT_THAT(line, HasSubstr("\"status\":\"creating\""));
        EXPECT_THAT(line, HasSubstr("\"bundle\":\"" + bundle.path() + "\""));
    }
    EXPECT_THAT(lines[0], HasSubstr("\"pid\":" + std::to_string(bundle.pid())));
    ASSERT_EQ(bundle.runtime({"start", bundle.id()}).status, 0);
    ASSERT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
    lines = support::lines(support::slurp(log));
    ASSERT_EQ(lines.size(), 5u);
    EXPECT_THAT(lines[3], StartsWith("poststart {"));
    EXPECT_THAT(lines[3], HasSubstr("\"status\":\"running\""));
    EXPECT_THAT(lines[4], StartsWith("poststop {"));
    EXPECT_THAT(lines[4], HasSubstr("\"status\":\"stopped\""));
    // Its own variable, and what sh adds of its own (PWD, SHLVL, _): nothing of the container's.
    for (const std::string& line : lines)
        EXPECT_LE(std::stoi(line.substr(line.rfind(' ') + 1)), 4) << line;
}

TEST(Hooks, ThatFailUndoTheCreate) {
    Bundle bundle;
    std::string token = support::token();
    for (const char* name : {"prestart", "createRuntime", "createContainer"}) {
        bundle.config["hooks"] = {
            {name,
             {{{"path", "/bin/sh"}, {"args", {"sh", "-c", "echo " + token + ">&2; exit 3"}}}}}};
        bundle.save();
        Ended failed = bundle.runtime({"create", bundle.id()});
        EXPECT_EQ(failed.status, 1) << name;
        EXPECT_THAT(failed.err, testing::AllOf(HasSubstr(std::string(name) + " hook"),
                                               HasSubstr("exit status 3"), HasSubstr(token)));
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
    }
}

TEST(Hooks, SayWhatWasWrong) {
    Bundle bundle;
    std::string closed = bundle.folder().file("closed", "#!/bin/sh\n");
    std::string foreign = bundle.folder().file("foreign", "#!/no/such/sh -e\n", 0755);
    auto shell = [](const char* script) {
        return json{{"path", "/bin/sh"}, {"args", {"sh", "-c", script}}, {"timeout", 1}};
    };
    for (const auto& [hook, why] :
         {std::pair(json{{"path", "/no/such"}},
                    "ENOENT (no such file or directory): startContainer"),
          {{{"path", closed}}, "EACCES (permission denied): 'chmod +x' it"},
          {{{"path", foreign}}, "it is there, but its loader \"/no/such/sh\" is not"},
          {shell("echo one; echo; echo two; exit 3"), "exit status 3: one; ; two"},
          {shell("echo begun; sleep 1000"), "after its timeout of 1 s: killed: begun"}}) {
        bundle.config["hooks"]["createRuntime"] = json::array({hook});
        bundle.save();
        Ended failed = bundle.runtime({"create", bundle.id()});
        EXPECT_EQ(failed.status, 1);
        EXPECT_THAT(failed.err, HasSubstr(why));
    }
}

// `sh -x`, for one. What counts is what it has said last.
TEST(Hooks, MaySayMuch) {
    Bundle bundle;
    bundle.args({"true"});
    std::string token = support::token();
    for (int status : {0, 3}) {
        bundle.config["hooks"]["createRuntime"] =
            json::array({{{"path", "/bin/sh"},
                          {"args",
                           {"sh", "-c",
                            "head -c 1000000 /dev/zero | tr '\\0' x >&2 && echo " + token +
                                " >&2 && exit " + std::to_string(status)}}}});
        bundle.save();
        Ended ended = bundle.runtime({"run", bundle.id()});
        EXPECT_EQ(ended.status, status == 0 ? 0 : 1) << ended.err;
        EXPECT_EQ(ended.err.find(token) != std::string::npos, status != 0) << ended.err;
        EXPECT_LT(ended.err.size(), 2000U);
    }
}

TEST(Hooks, ThatTakeTooLongAreKilled) {
    Bundle bundle;
    bundle.config["hooks"]["createRuntime"] = {
        {{"path", "/bin/sleep"}, {"args", {"sleep", "1000"}}, {"timeout", 1}}};
    bundle.save();
    Ended failed = bundle.runtime({"create", bundle.id()});
    EXPECT_EQ(failed.status, 1);
    EXPECT_THAT(failed.err, HasSubstr("timeout of 1 s"));
    EXPECT_EQ(support::strays(), "");
}

/// Is there a process with this command line?
bool somewhere(const Strings& words) {
    std::string line;
    for (const std::string& word : words)
        line += word + '\0';
    std::filesystem::directory_iterator all("/proc");
    return std::any_of(begin(all), end(all), [&](const auto& entry) {
        return support::try_slurp(entry.path() / "cmdline") == line;
    });
}

TEST(Hooks, AreWaitedForByNobodyElse) {
    for (std::string kind :
         {"prestart", "createRuntime", "createContainer", "startContainer", "poststart"}) {
        Bundle bundle;
        bool at_start = kind == "startContainer" || kind == "poststart";
        Strings words{"sleep", std::to_string(1000000 + getpid())};
        bundle.config["hooks"][kind] = json::array({{{"path", "/bin/sleep"}, {"args", words}}});
        bundle.args({"sleep", "1000"});
        bundle.save();
        if (at_start)
            bundle.create();
        support::Process held(bundle.command({at_start ? "start" : "create", bundle.id()}));
        ASSERT_TRUE(support::eventually([&] { return somewhere(words); })) << kind;
        if (kind != "poststart") {
            for (const char* command : {"start", "pause", "resume", "delete"})
                EXPECT_THAT(bundle.runtime({command, bundle.id()}).err,
                            HasSubstr("hooks of the container are running"))
                    << kind;
        } else {
            EXPECT_THAT(bundle.runtime({"start", bundle.id()}).err, HasSubstr("already running"));
        }
        Ended removed = bundle.runtime({"delete", "--force", bundle.id()});
        EXPECT_EQ(removed.status, 0) << kind << removed.err;
        if (kind == "poststart") {
            EXPECT_TRUE(somewhere(words)) << "it is for a container that has been started";
            held.kill(SIGKILL);
        }
        Ended ended = held.wait();
        EXPECT_TRUE(support::eventually([&] { return !somewhere(words); })) << kind;
        if (!at_start) {
            EXPECT_EQ(ended.status, 1) << kind;
            EXPECT_THAT(ended.err, HasSubstr("first process ")) << kind;
        }
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "") << kind;
    }
    EXPECT_EQ(support::strays(), "");
}

// Whoever was told that hooks run finds them at their end when he looks again.
TEST(Hooks, ThatEndJustThenKeepNobodyFromForce) {
    Bundle bundle;
    std::string begun = bundle.path() + "/begun", log = bundle.path() + "/strace";
    bundle.config["hooks"]["createRuntime"] = json::array(
        {{{"path", "/bin/sh"}, {"args", {"sh", "-c", "echo >" + begun + "; exec sleep 0.5"}}}});
    bundle.args({"sleep", "1000"});
    bundle.save();
    for (int look : {1, 2, 3}) {
        support::Process create(bundle.detached({"create", bundle.id()}));
        ASSERT_TRUE(support::eventually([&] { return access(begun.c_str(), F_OK) == 0; }));
        Strings words{"strace", "-o", log, "-e",
                      "inject=flock:delay_exit=1000000:when=" + std::to_string(look)};
        std::ranges::copy(bundle.command({"delete", "--force", bundle.id()}).argv,
                          std::back_inserter(words));
        Ended removed = support::run({.argv = words, .cwd = bundle.path()});
        EXPECT_EQ(removed.status, 0) << look << ": " << removed.err;
        (void)create.wait();
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "") << look;
        ASSERT_EQ(unlink(begun.c_str()), 0);
    }
}

TEST(Hooks, MayDeleteTheirOwnContainer) {
    for (const char* kind : {"prestart", "createRuntime", "createContainer", "poststart"}) {
        Bundle bundle;
        Strings words{"sh", "-c", "exec \"$@\" >&2", "sh"};
        std::ranges::copy(bundle.command({"delete", "--force", bundle.id()}).argv,
                          std::back_inserter(words));
        bundle.config["hooks"][kind] = json::array({{{"path", "/bin/sh"}, {"args", words}}});
        bundle.args({"sleep", "1000"});
        bundle.save();
        support::Process held(bundle.command({"run", "--detach", bundle.id()}));
        EXPECT_EQ(held.wait().status, kind == std::string("poststart") ? 0 : 1) << kind;
        EXPECT_TRUE(support::eventually([&] { return bundle.runtime({"list", "-q"}).out.empty(); }))
            << kind;
    }
    EXPECT_EQ(support::strays(), "");
}

// A network of the test's own: what is moved is no device of this machine's.
TEST(NetDevices, GoInsideUnderTheirNewNameWithTheirAddresses) {
    if (!support::is_root())
        GTEST_SKIP() << "moving a device takes CAP_NET_ADMIN over it";
    Bundle bundle;
    bundle.config["linux"]["netDevices"] = {{"gctest0", {{"name", "inner0"}}}};
    bundle.args({"sh", "-c", "ip -4 addr show inner0; ip link show gctest0"});
    bundle.save();
    Strings words{"unshare",
                  "--net",
                  "sh",
                  "-c",
                  "ip link add gctest0 type veth peer name gctest1 || { echo no veth; "
                  "exit; }; "
                  "ip addr add 10.98.7.6/24 dev gctest0 && \"$@\"; echo status $?; "
                  "ip link show gctest0",
                  "sh"};
    Strings command = bundle.command({"run", bundle.id()}).argv;
    words.insert(words.end(), command.begin(), command.end());
    Ended ended = support::run({.argv = words, .cwd = bundle.path()});
    if (ended.out == "no veth\n")
        GTEST_SKIP() << "this kernel has no veth devices: " << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("inner0"));
    EXPECT_THAT(ended.out, HasSubstr("UP"));
    EXPECT_THAT(ended.out, HasSubstr("inet 10.98.7.6/24"));
    EXPECT_THAT(ended.err, HasSubstr("gctest0")); // neither inside nor left outside
}

TEST(NetDevices, ComeBackFromACreateThatFails) {
    if (!support::is_root())
        GTEST_SKIP() << "moving a device takes CAP_NET_ADMIN over it";
    support::Process other({.argv = {"unshare", "--net", "sleep", "1000"}});
    std::string joined = "/proc/" + std::to_string(other.pid()) + "/ns/net";
    ASSERT_TRUE(support::eventually([&] {
        return std::filesystem::read_symlink(joined) !=
               std::filesystem::read_symlink("/proc/self/ns/net");
    }));
    for (const std::string& path : {std::string(), joined}) {
        Bundle bundle;
        bundle.config["linux"]["netDevices"] = {{"gctest0", {{"name", "inner0"}}}};
        for (json& space : bundle.config["linux"]["namespaces"])
            if (space["type"] == "network" && !path.empty())
                space["path"] = path;
        bundle.args({"no-such-" + support::token()});
        bundle.save();
        Strings words{"unshare",
                      "--net",
                      "sh",
                      "-c",
                      "ip link add gctest0 type veth peer name gctest1 || { echo no veth; exit; }; "
                      "ip addr add 10.98.7.6/24 dev gctest0; ip link set gctest0 up; \"$@\"; "
                      "echo status $?; ip addr show gctest0",
                      "sh"};
        Strings command = bundle.command({"create", bundle.id()}).argv;
        words.insert(words.end(), command.begin(), command.end());
        Ended ended = support::run({.argv = words, .cwd = bundle.path()});
        if (ended.out == "no veth\n")
            GTEST_SKIP() << "this kernel has no veth devices: " << ended.err;
        EXPECT_THAT(ended.out, testing::StartsWith("status 1\n")) << ended.err;
        EXPECT_THAT(ended.out, HasSubstr(",UP")) << ended.err;
        EXPECT_THAT(ended.out, HasSubstr("inet 10.98.7.6/24")) << path;
    }
    Ended left = support::run(
        {.argv = {"nsenter", "--net=" + joined, "ip", "-o", "link", "show", "inner0"}});
    EXPECT_NE(left.status, 0) << left.out;
}

class Exec : public testing::Test {
protected:
    Exec() {
        bundle_.args({"sleep", "1000"});
        bundle_.start();
    }
    Ended exec(const Strings& options, const Strings& command) {
        Strings words{"exec"};
        words.insert(words.end(), options.begin(), options.end());
        words.push_back(bundle_.id());
        words.insert(words.end(), command.begin(), command.end());
        return bundle_.runtime(words);
    }
    Bundle bundle_;
};

TEST_F(Exec, JoinsEveryNamespace) {
    std::string token = support::token();
    Ended ended = exec({"--env", "TOKEN=" + token, "--cwd", "/tmp"},
                       {"sh", "-c",
                        "for n in mnt pid net uts ipc; do readlink /proc/self/ns/$n; "
                        "done; echo $TOKEN; pwd; exit 9"});
    EXPECT_EQ(ended.status, 9) << ended.err;
    std::string expected;
    for (const char* name : {"mnt", "pid", "net", "uts", "ipc"})
        expected += support::namespace_of(bundle_.pid(), name) + "\n";
    EXPECT_EQ(ended.out, expected + token + "\n/tmp\n");
    EXPECT_EQ(ended.err, "");
}

TEST_F(Exec, HasTheContainersPowers) {
    Ended ended = exec({}, {"grep", "-E", "^Cap(Inh|Prm|Eff|Bnd|Amb)|^NoNew", "/proc/self/status"});
    std::string init = support::slurp("/proc/" + std::to_string(bundle_.pid()) + "/status");
    for (const std::string& line : support::lines(ended.out))
        EXPECT_THAT(init, HasSubstr(line));
    EXPECT_EQ(support::lines(ended.out).size(), 6u) << ended.err;
}

TEST_F(Exec, FailsWith255) {
    Ended ended = exec({"--pid-file", bundle_.path() + "/exec.pid"}, {"no-such-command"});
    EXPECT_EQ(ended.status, 255);
    EXPECT_THAT(ended.err, HasSubstr("executable file not found in $PATH"));
    EXPECT_FALSE(support::try_slurp(bundle_.path() + "/exec.pid")); // it never started
}

TEST_F(Exec, TakesAProcessFile) {
    json process = bundle_.config["process"];
    std::string token = support::token();
    process["args"] = {"sh", "-c", "echo $T; umask"};
    process["env"] = {"T=" + token, "PATH=/bin"};
    std::string file = bundle_.folder().file("process.json", process.dump());
    Ended ended = exec({"--process", file}, {});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out, StartsWith(token + "\n"));
}

TEST_F(Exec, LeavesNothingUnheardBesideAProcessFile) {
    std::string file = bundle_.folder().file("process.json", bundle_.config["process"].dump());
    for (const Strings& option :
         {Strings{"--env", "A=1"}, {"--user", "1"}, {"--no-new-privs"}, {"--cap", "CAP_CHOWN"}}) {
        Strings options{"--process", file};
        options.insert(options.end(), option.begin(), option.end());
        Ended ended = exec(options, {});
        EXPECT_EQ(ended.status, 255) << option.front();
        EXPECT_THAT(ended.err, HasSubstr("leave out " + option.front()));
    }
    EXPECT_THAT(exec({"--process", file}, {"true"}).err, HasSubstr("leave out the command"));
}

TEST_F(Exec, HasMoreGroupsThanTheContainer) {
    if (!support::is_root())
        GTEST_SKIP() << "other groups than one's own take root";
    Bundle bundle;
    bundle.config["process"]["user"]["additionalGids"] = {7};
    bundle.args({"sleep", "1000"});
    bundle.start();
    Ended ended = bundle.runtime(
        {"exec", "--additional-gids", "8", bundle.id(), "grep", "^Groups", "/proc/self/status"});
    EXPECT_EQ(ended.out, "Groups:\t7 8 \n") << ended.err;
}

TEST_F(Exec, DetachesAndSaysItsPid) {
    Strings words{"sh", "-c", "exec \"$@\" >/dev/null 2>&1", "sh"};
    Strings command = bundle_
                          .command({"exec", "--detach", "--pid-file", bundle_.path() + "/exec.pid",
                                    bundle_.id(), "sleep", "999"})
                          .argv;
    words.insert(words.end(), command.begin(), command.end());
    ASSERT_EQ(support::run({.argv = words}).status, 0);
    pid_t pid = std::stoi(support::slurp(bundle_.path() + "/exec.pid"));
    EXPECT_EQ(support::command_line(pid), (Strings{"sleep", "999"}));
    EXPECT_EQ(support::namespace_of(pid, "pid"), support::namespace_of(bundle_.pid(), "pid"));
    EXPECT_EQ(support::cgroup_of(pid), support::cgroup_of(bundle_.pid()));
}

TEST_F(Exec, LeaksNoDescriptor) {
    Ended ended = exec({}, {"ls", "/proc/self/fd"});
    // ls itself opens the directory, as the lowest number that is free.
    EXPECT_EQ(ended.out, "0\n1\n2\n3\n") << ended.err;
}

TEST_F(Exec, IsRefusedInAStoppedContainer) {
    ASSERT_EQ(bundle_.runtime({"kill", bundle_.id(), "KILL"}).status, 0);
    ASSERT_TRUE(support::eventually([&] { return bundle_.status() == "stopped"; }));
    Ended ended = exec({}, {"true"});
    EXPECT_EQ(ended.status, 255);
    EXPECT_THAT(ended.err, HasSubstr("cannot exec in a stopped container"));
}

// The runtime is held up after the start of the command, by who does not take what it has to send.
TEST(State, IsRunningAsSoonAsTheCommandRuns) {
    Bundle bundle;
    bundle.args({"sh", "-c", "touch /dev/started; exec sleep 1000"});
    bundle.save();
    support::Receiver pidfds(bundle.path() + "/pidfds");
    pidfds.busy();
    support::Process run(bundle.command({"run", "--pidfd-socket", pidfds.path(), bundle.id()}));
    auto started = [&] {
        pid_t pid = support::find_container(run.pid(), {"sleep", "1000"}).first;
        return pid > 0 && support::Root(pid).look("/dev/started").has_value();
    };
    ASSERT_TRUE(support::eventually(started));
    EXPECT_EQ(bundle.status(), "running");
    EXPECT_TRUE(run.running());
    EXPECT_EQ(pidfds.receive().pid(), bundle.pid());
    EXPECT_EQ(bundle.status(), "running");
    run.kill(SIGKILL);
}

TEST(Create, FailsForALabelThatTheHostDoesNotKnow) {
    Bundle bundle;
    for (const char* label : {"apparmorProfile", "selinuxLabel"}) {
        bundle.config["process"].erase("apparmorProfile");
        bundle.config["process"][label] = "no:such:label:" + support::token();
        bundle.save();
        Ended ended = bundle.runtime({"create", bundle.id()});
        EXPECT_NE(ended.status, 0) << label;
        EXPECT_THAT(ended.err, HasSubstr("attr")) << label;
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
    }
}

TEST(Create, NamesTheFullFileSystemOfItsState) {
    Bundle bundle;
    bundle.args({"true"});
    bundle.save();
    std::filesystem::create_directory(bundle.root());
    auto full = [&] {
        support::enter_own_mounts();
        support::mount_in("tmpfs", bundle.root(), "tmpfs", 0, "size=4k");
        std::ofstream(bundle.root() + "/all") << 'x';
    };
    Ended ended = bundle.runtime({"create", bundle.id()}, {.before_exec = full});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err,
                MatchesRegex("gocontainer: write\\(\"" + bundle.root() + "/" + bundle.id() +
                             "/[^\"]+\", [0-9]+ bytes\\): ENOSPC .*: the file system of \"" +
                             bundle.root() + "\" is full: make room there, .* --root\n"));
}

TEST(Spec, IsWholeOrNotThere) {
    support::Scratch files;
    Ended ended = support::run(
        {.argv = {support::gocontainer(), "spec", "--bundle", files.path()}, .before_exec = [] {
             const rlimit little{100, 100};
             setrlimit(RLIMIT_FSIZE, &little);
             signal(SIGXFSZ, SIG_IGN);
         }});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("write(\"" + files.path() + "/config.json\", "));
    EXPECT_TRUE(std::filesystem::is_empty(files.path()));
}

// Wherever it is hit, `delete --force` finds what there is.
TEST(Kill, AtAnyMomentOfCreateLeavesWhatDeleteCleans) {
    support::Host before = support::Host::look();
    {
        Bundle bundle;
        bundle.args({"sleep", "1000"});
        bundle.save();
        for (int i = 0; i < 30; ++i) {
            support::Process create(bundle.detached({"create", bundle.id()}));
            usleep(static_cast<useconds_t>(i) * 400);
            create.kill(SIGKILL);
            (void)create.wait(); // for the runtime; the container is delete's
            Ended cleaned = bundle.runtime({"delete", "--force", bundle.id()});
            ASSERT_EQ(cleaned.status, 0) << i << ": " << cleaned.err;
            ASSERT_EQ(bundle.runtime({"list", "-q"}).out, "") << i;
        }
    }
    EXPECT_EQ(support::strays(), ""); // first: a zombie, which is ours to reap, keeps its keyring
    EXPECT_EQ(support::differs_from(before), "");
}

// As for a user whom nobody has delegated a cgroup.
TEST(Kill, AllAreAllAlsoWithoutACgroup) {
    Bundle bundle;
    bundle.args(
        {"sh", "-c", "trap : TERM; sleep 1000 & sleep 2000 & wait; wait; wait; exec sleep 3000"});
    bundle.save();
    ASSERT_EQ(support::run(
                  bundle.detached({"--cgroup-manager", "disabled", "run", "--detach", bundle.id()}))
                  .status,
              0);
    pid_t pid = bundle.pid();
    // Just forked, each still has the shell's handler, and a signal would be lost on it.
    ASSERT_TRUE(support::eventually([&] {
        auto children = support::children_of(pid);
        return children.size() == 2 && std::ranges::all_of(children, [](pid_t child) {
                   return support::status(child)["Name"] == "sleep";
               });
    }));
    EXPECT_EQ(bundle.runtime({"kill", bundle.id(), "TERM"}).status, 0);
    EXPECT_EQ(support::children_of(pid).size(), 2U);
    EXPECT_EQ(bundle.runtime({"kill", "--all", bundle.id(), "TERM"}).status, 0);
    EXPECT_TRUE(support::eventually([&] { return support::children_of(pid).empty(); }));
    EXPECT_EQ(bundle.status(), "running"); // which had a trap
}

TEST(Kill, NamesSignalsAsPeopleDo) {
    Bundle bundle;
    bundle.args({"sh", "-c", "trap 'exit 0' USR1; while :; do sleep 0.05; done"});
    bundle.start();
    for (const char* wrong : {"NOSUCH", "99", "-1"})
        EXPECT_EQ(bundle.runtime({"kill", bundle.id(), wrong}).status, 1) << wrong;
    EXPECT_EQ(bundle.status(), "running");
    // The shell must have set its trap before.
    EXPECT_TRUE(support::eventually(
        [&] { return (support::status_bits(bundle.pid(), "SigCgt") >> (SIGUSR1 - 1) & 1) != 0; }));
    for (const char* second_name : {"SIGIO", "cld"})
        EXPECT_EQ(bundle.runtime({"kill", bundle.id(), second_name}).err, "") << second_name;
    EXPECT_EQ(bundle.status(), "running");
    EXPECT_EQ(bundle.runtime({"kill", bundle.id(), "sigusr1"}).status, 0);
    EXPECT_TRUE(support::eventually([&] { return bundle.status() == "stopped"; }));
}

} // namespace
