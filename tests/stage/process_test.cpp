// What the command is started with: environment, directory, user, limits, descriptors; and what it
// and its caller hear from us.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

using namespace support;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

namespace {

/// A container id as the host numbers it.
unsigned outside(pid_t pid, const std::string& map, unsigned inside) {
    for (const IdRange& range : id_map(pid, map))
        if (inside >= range.inside && inside - range.inside < range.count)
            return range.outside + (inside - range.inside);
    throw std::runtime_error(std::to_string(inside) + " is not mapped");
}

/// Real, effective, saved and file system ids of a process, as the kernel keeps them.
std::string ids(pid_t pid, const std::string& field) {
    std::string text = status(pid).at(field);
    std::ranges::replace(text, '\t', ' ');
    return text;
}
std::string four(unsigned id) {
    std::string one = std::to_string(id);
    return one + " " + one + " " + one + " " + one;
}

void expect_user(const Container& box, unsigned uid, unsigned gid) {
    EXPECT_EQ(ids(box.first(), "Uid"), four(outside(box.first(), "uid_map", uid)));
    EXPECT_EQ(ids(box.first(), "Gid"), four(outside(box.first(), "gid_map", gid)));
}

class UserOption : public testing::Test {
    void SetUp() override {
        if (!is_root() && subordinate("/etc/subuid").count < 65535)
            GTEST_SKIP() << "no range in /etc/subuid for this user";
    }
};

bool one_line_of_ours(const std::string& err) {
    return lines(err).size() == 1 && err.starts_with("gocontainer: ") && err.ends_with("\n");
}

} // namespace

// --- Environment
// ----------------------------------------------------------------------------------

TEST(Environment, IsItsOwn) {
    Container box({}, {.env = {"SECRET=" + token(), "LD_PRELOAD=", "TERM=vt52"}});
    auto variables = environment(box.first());
    Strings names;
    for (const auto& [name, value] : variables)
        names.push_back(name);
    EXPECT_THAT(names, ElementsAre("HOME", "HOSTNAME", "PATH", "TERM", "container"));
    EXPECT_EQ(variables["PATH"], "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    EXPECT_EQ(variables["HOME"], "/root");
    EXPECT_EQ(variables["TERM"], "vt52");
}

TEST(Environment, VariablesAreSetAndHandedOn) {
    std::string word = token();
    std::string secret = token();
    Container box({"-e", "PLAIN=" + word, "--env=EQUALS=a=b=c", "-e", "EMPTY=", "-e", "HANDED",
                   "-e", "TWICE=first", "-e", "TWICE=second", "-e", "HOME=/mnt", "-eSHORT=1"},
                  {.env = {"HANDED=" + secret}});
    auto variables = environment(box.first());
    EXPECT_EQ(variables["PLAIN"], word);
    EXPECT_EQ(variables["EQUALS"], "a=b=c");
    EXPECT_EQ(variables["EMPTY"], "");
    EXPECT_EQ(variables["HANDED"], secret);
    EXPECT_EQ(variables["TWICE"], "second");
    EXPECT_EQ(variables["HOME"], "/mnt");
    EXPECT_EQ(variables["SHORT"], "1");
}

TEST(Environment, AFileOfVariables) {
    Scratch scratch;
    std::string word = token();
    std::string file = scratch.file(
        "env", "# a comment\n\nONE=" + word + "\nTWO=with spaces # and no comment\nHANDED\nLAST=x");
    Container box({"--env-file", file, "-e", "LAST=line"}, {.env = {"HANDED=over"}});
    auto variables = environment(box.first());
    EXPECT_EQ(variables["ONE"], word);
    EXPECT_EQ(variables["TWO"], "with spaces # and no comment");
    EXPECT_EQ(variables["HANDED"], "over");
    EXPECT_EQ(variables["LAST"], "line");
    EXPECT_FALSE(variables.contains("# a comment"));
}

TEST(Environment, AFileOfAWindowsEditor) {
    Scratch scratch;
    std::string file = scratch.file("env", "\xef\xbb\xbfONE=1\r\n\r\n  # a comment\r\n\tTWO=2\r\n");
    Container box({"--env-file", file});
    auto variables = environment(box.first());
    EXPECT_EQ(variables["ONE"], "1");
    EXPECT_EQ(variables["TWO"], "2");
}

TEST(Environment, AFileThatIsForAShellIsAnError) {
    Scratch scratch;
    for (const std::string& text : {std::string("A=1\nexport B=2\n"), std::string("A=1\nB = 2\n"),
                                    std::string("A=1\nB=2\0C=3", 11)}) {
        Ended ended = launch({"--env-file", scratch.file(token(), text)}, {"true"});
        EXPECT_EQ(ended.status, 125) << text;
        EXPECT_THAT(ended.err, HasSubstr("line 2: "));
    }
}

TEST(Environment, ThePathInsideIsSearched) {
    Scratch scratch;
    std::string word = token();
    scratch.file("tools/tool", "#!/bin/sh\necho " + word + "\n", 0755);
    EXPECT_EQ(launch({"-v", scratch / "tools:/mnt", "-e", "PATH=/nowhere:/mnt"}, {"tool"}).out,
              word + "\n");
    EXPECT_EQ(launch({"-v", scratch / "tools:/mnt"}, {"tool"}, {.env = {"PATH=/mnt"}}).status, 127);
}

// --- Working directory
// ----------------------------------------------------------------------------

TEST(WorkingDirectory, IsTheOneAskedFor) {
    Container box({"-w", "/home"});
    EXPECT_EQ(box.ask("pwd").out, "/home\n");
    struct stat own{};
    struct stat wanted{};
    ASSERT_EQ(stat(("/proc/" + std::to_string(box.first()) + "/cwd").c_str(), &own), 0);
    ASSERT_EQ(stat((rootfs() + "/home").c_str(), &wanted), 0);
    EXPECT_EQ(own.st_ino, wanted.st_ino);
}

TEST(WorkingDirectory, IsMadeWhenMissing) {
    Container box({"--overlay", "-w", "/made/for/this"});
    EXPECT_EQ(box.ask("pwd").out, "/made/for/this\n");
}

TEST(WorkingDirectory, IsNotMadeWhereTheRootIsTheHosts) {
    Scratch scratch;
    Ended ended = launch({"--root", "chdir", "-w", scratch / "new"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("make it first"));
    EXPECT_FALSE(fs::exists(scratch / "new"));
}

TEST(WorkingDirectory, OfAHostileRootfsStaysInside) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    std::string victim = scratch.folder("victim");
    scratch.file("victim/secret", "secret");
    fs::create_symlink(victim, own + "/absolute");
    fs::create_symlink("../../../../../../.." + victim, own + "/relative");
    for (const char* name : {"/absolute", "/relative", "/absolute/sub", "/../../../../etc"}) {
        Ended ended = launch({"--rootfs", own, "-w", name}, {"sh", "-c", "ls; cat secret"});
        EXPECT_THAT(ended.out, Not(HasSubstr("secret"))) << name;
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(victim), fs::directory_iterator()), 1);
}

TEST(WorkingDirectory, ByAMagicLinkStaysInside) {
    // /proc/self/fd/N of a launcher is how CVE-2024-21626 got out.
    for (int number = 3; number < 12; ++number) {
        std::string link = "/proc/self/fd/" + std::to_string(number);
        Ended ended = launch({"-w", link}, {"sh", "-c", "ls ../../../../../.."},
                             {.fds = {{open("/", O_PATH | O_DIRECTORY), 9}}});
        if (ended.status == 0) {
            EXPECT_THAT(ended.out, Not(HasSubstr("lost+found"))) << link;
            Ended root = launch({"-w", link}, {"ls", fs::path(gocontainer()).parent_path()});
            EXPECT_NE(root.status, 0) << link;
        }
    }
}

// --- User -------------------------------------------------------------------------------------

TEST_F(UserOption, IsRootByDefault) {
    expect_user(Container(), 0, 0);
}

TEST_F(UserOption, ByNumbers) {
    expect_user(Container({"-u", "1000:1000"}), 1000, 1000);
    expect_user(Container({"-u", "1000:5"}), 1000, 5);
    expect_user(Container({"--user", "4321:4322"}), 4321, 4322);
}

TEST_F(UserOption, ByNumberAloneTakesTheGroupOfPasswd) {
    expect_user(Container({"-u", "1000"}), 1000, 1000);
    expect_user(Container({"-u", "4321"}), 4321, 0);
}

TEST_F(UserOption, ByNamesOfTheRootfs) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    spill(own + "/etc/passwd",
          "root:x:0:0::/root:/bin/sh\nzoe:x:1234:2345:Zoe:/home/zoe:/bin/sh\n");
    spill(own + "/etc/group", "root:x:0:\nband:x:2345:\nchoir:x:3456:bob,zoe\nducks:x:77:zoe,bob\n"
                              "others:x:99:zoey\n");
    Container box({"--rootfs", own, "-u", "zoe"});
    expect_user(box, 1234, 2345);
    std::istringstream in(status(box.first()).at("Groups"));
    std::set<unsigned> groups{std::istream_iterator<unsigned>(in), {}};
    groups.erase(outside(box.first(), "gid_map", 2345));
    EXPECT_THAT(groups, testing::UnorderedElementsAre(outside(box.first(), "gid_map", 3456),
                                                      outside(box.first(), "gid_map", 77)));
    EXPECT_EQ(box.ask("echo $HOME").out, "/home/zoe\n");
    expect_user(Container({"--rootfs", own, "-u", "zoe:choir"}), 1234, 3456);
    expect_user(Container({"--rootfs", own, "-u", "77:choir"}), 77, 3456);
    expect_user(Container({"--rootfs", own, "-u", "zoe:7"}), 1234, 7);
}

TEST_F(UserOption, ANumberIsANumberWhateverPasswdSays) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    spill(own + "/etc/passwd", "1000:x:0:0::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n");
    spill(own + "/etc/group", "1000:x:0:\n");
    expect_user(Container({"--rootfs", own, "-u", "1000:1000"}), 1000, 1000);
    expect_user(Container({"--rootfs", own, "-u", "1000"}), 1000, 0);
}

TEST_F(UserOption, WhatNamesNobodyIsRefused) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    spill(own + "/etc/passwd", "plus:x:+0:0::/:/bin/sh\nminus:x:-1:0::/:/bin/sh\n"
                               "most:x:4294967295:0::/:/bin/sh\nhex:x:0x0:0::/:/bin/sh\n"
                               "empty:x:::/:/bin/sh\nspace:x: 0:0::/:/bin/sh\nshort:x:0\n"
                               "wrap:x:4294967296:0::/:/bin/sh\ngroup:x:5:-1::/:/bin/sh\n");
    for (const char* user : {"-1",
                             "+0",
                             "0x0",
                             " 0",
                             "4294967295",
                             "4294967296",
                             "99999999999999999999",
                             "nobody-here",
                             "plus",
                             "minus",
                             "most",
                             "hex",
                             "empty",
                             "space",
                             "short",
                             "wrap",
                             "group",
                             "0:",
                             "0:-1",
                             "0:4294967295",
                             "0:nobody-here",
                             ":",
                             ":0"}) {
        Ended ended = launch({"--rootfs", own, "-q", "-u", user}, {"id"});
        EXPECT_EQ(ended.status, 125) << user << ": " << ended.out;
        EXPECT_TRUE(one_line_of_ours(ended.err)) << user << ": " << ended.err;
        EXPECT_EQ(ended.out, "") << user;
    }
}

TEST_F(UserOption, APasswdThatIsNoFileHoldsNothingUp) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    fs::remove(own + "/etc/passwd");
    ASSERT_EQ(mkfifo((own + "/etc/passwd").c_str(), 0644), 0);
    expect_user(Container({"--rootfs", own, "-u", "1000:1000"}), 1000, 1000);
    fs::remove(own + "/etc/passwd");
    fs::create_symlink("/etc/passwd", own + "/etc/passwd");
    expect_user(Container({"--rootfs", own, "-u", "0"}), 0, 0);
    fs::remove(own + "/etc/passwd");
    fs::create_symlink("/dev/zero", own + "/etc/passwd");
    expect_user(Container({"--rootfs", own, "-u", "1000:1000"}), 1000, 1000);
}

TEST_F(UserOption, AnIdThatIsNotMappedIsAnError) {
    Ended ended = launch({"--map", "single", "-q", "-u", "1000:1000"}, {"id"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_TRUE(one_line_of_ours(ended.err)) << ended.err;
}

// --- Limits -----------------------------------------------------------------------------------

TEST(Limits, AreThoseAskedFor) {
    Container box({"--ulimit", "nofile=64:128", "--ulimit", "core=0", "--ulimit", "NPROC=300:400",
                   "--ulimit", "stack=1048576", "--ulimit", "cpu=100:200"});
    using Pair = std::pair<std::string, std::string>;
    EXPECT_EQ(limit(box.first(), "Max open files"), (Pair{"64", "128"}));
    EXPECT_EQ(limit(box.first(), "Max core file size"), (Pair{"0", "0"}));
    EXPECT_EQ(limit(box.first(), "Max processes"), (Pair{"300", "400"}));
    EXPECT_EQ(limit(box.first(), "Max stack size"), (Pair{"1048576", "1048576"}));
    EXPECT_EQ(limit(box.first(), "Max cpu time"), (Pair{"100", "200"}));
}

TEST(Limits, AreTheCallersOtherwise) {
    Container box;
    for (const char* name : {"Max open files", "Max core file size", "Max stack size"})
        EXPECT_EQ(limit(box.first(), name), limit(getpid(), name)) << name;
}

TEST(Limits, OfFewFilesDoNotStopTheLaunch) {
    EXPECT_EQ(launch({"--ulimit", "nofile=3"}, {"true"}).status, 0);
}

// --- Name, arguments, streams -------------------------------------------------------------------

TEST(Arguments, AfterTheCommandAreItsOwn) {
    std::string word = token();
    Strings command{
        "sh", "-c", "printf '<%s>' \"$@\"; echo; read wait", "sh", "--hostname", word, "--", "-x",
        "",   "é"};
    Process launcher({.argv = parent_words({}, command)});
    launcher.until("<--hostname><" + word + "><--><-x><><é>");
    EXPECT_GT(find_container(launcher.pid(), command).first, 0);
}

TEST(Arguments, TheCommandEndsTheOptionsWithoutDashesToo) {
    Ended ended = run({.argv = {gocontainer(), "parent", "-q", "--net", "none", "--rootfs",
                                rootfs(), "echo", "--rootfs", "-q", "--"}});
    EXPECT_EQ(ended.out, "--rootfs -q --\n") << ended.err;
}

TEST(Arguments, AShellIsTheDefaultCommand) {
    std::string word = token();
    Process launcher(
        {.argv = {gocontainer(), "parent", "-q", "--net", "none", "--rootfs", rootfs()}});
    launcher.type("echo " + word + "; exit 9\n");
    launcher.until(word);
    EXPECT_EQ(launcher.wait().status, 9);
}

TEST(Arguments, OfAnyBytesArrive) {
    std::string odd = "\x01\xff\xfe\n\t\"'\\ \x7f";
    Ended ended = launch({"-q", "-e", "ODD=" + odd},
                         {"sh", "-c", "printf '%s|%s' \"$1\" \"$ODD\"", "sh", odd});
    EXPECT_EQ(ended.out, odd + "|" + odd) << ended.err;
}

TEST(Arguments, ManyAndLongOnesArrive) {
    Strings command{"sh", "-c", "echo $# ${#1}", "sh"};
    for (int i = 0; i < 100; ++i)
        command.emplace_back(10000, 'x');
    EXPECT_EQ(launch({}, command).out, "100 10000\n");
}

TEST(Status, IsTheCommandsOwn) {
    for (int number : {0, 1, 2, 42, 124, 125, 126, 127, 128, 255})
        EXPECT_EQ(launch({}, {"sh", "-c", "exit " + std::to_string(number)}).status, number);
}

TEST(Status, OfASignalIs128AndItsNumber) {
    for (int number : {SIGTERM, SIGKILL, SIGSEGV, SIGUSR1})
        EXPECT_EQ(
            launch({"--no-pid"}, {"sh", "-c", "kill -" + std::to_string(number) + " $$"}).status,
            128 + number);
    Container box;
    kill(box.first(), SIGKILL);
    EXPECT_EQ(box.launcher().wait().status, 128 + SIGKILL);
}

TEST(Status, NotFoundAndNotExecutable) {
    struct Case {
        const char* command;
        int status;
    };
    for (Case one :
         {Case{"no-such-program", 127}, Case{"/no/such/program", 127}, Case{"/etc/passwd", 126},
          Case{"/etc", 126}, Case{"./etc/passwd", 126}, Case{"/etc/passwd/x", 127}}) {
        Ended ended = launch({"-q"}, {one.command});
        EXPECT_EQ(ended.status, one.status) << one.command << ended.err;
        EXPECT_TRUE(one_line_of_ours(ended.err)) << ended.err;
        EXPECT_THAT(ended.err, HasSubstr(one.command));
        EXPECT_EQ(ended.out, "");
    }
}

TEST(Streams, CarryTheCommandsOutputAlone) {
    std::string word = token();
    Ended ended = launch({"-q"}, {"sh", "-c", "echo " + word + "; echo err-" + word + " >&2"});
    EXPECT_EQ(ended.out, word + "\n");
    EXPECT_EQ(ended.err, "err-" + word + "\n");
    EXPECT_FALSE(ended.held_open);
}

TEST(Streams, WeSayNothingWhenAllIsWell) {
    EXPECT_EQ(launch({"--map", "single", "--no-cgroup"}, {"true"}).err, "");
    // With every default a machine may be told of what it can't give, once each.
    Strings said = lines(launch({}, {"true"}).err);
    for (const std::string& line : said)
        EXPECT_TRUE(line.starts_with("gocontainer: user: ") ||
                    line.starts_with("gocontainer: cgroup: "))
            << line;
    EXPECT_LE(said.size(), 2U);
    EXPECT_EQ(launch({"-q"}, {"true"}).err, "");
    EXPECT_EQ(launch({"--quiet"}, {"true"}).err, "");
}

TEST(Streams, InputReachesTheCommandAndEnds) {
    Process launcher({.argv = parent_words({}, {"cat"})});
    launcher.type("one\n");
    launcher.until("one\n");
    launcher.type("two\n");
    launcher.close_input();
    EXPECT_EQ(launcher.wait().out, "one\ntwo\n");
}

TEST(Streams, ThatTheCallerHasClosedDoNoHarm) {
    // Then what we open ourselves gets their numbers.
    Scratch scratch;
    std::string shared = scratch.folder("shared");
    for (const Strings& options : {Strings{}, Strings{"--init"}}) {
        Strings all = options;
        all.insert(all.end(), {"-q", "-v", shared + ":/mnt"});
        Ended ended = launch(
            all,
            {"sh", "-c", "for f in /proc/self/fd/[0-9]; do readlink $f; done >/mnt/list; true"},
            {.before_exec = [] {
                for (int stream : {0, 1, 2})
                    close(stream);
            }});
        EXPECT_EQ(ended.status, 0);
        for (const std::string& target : lines(slurp(shared + "/list")))
            EXPECT_TRUE(target == "/mnt/list" || target == "/dev/null" || target.empty() ||
                        target.starts_with("/proc/"))
                << target;
    }
}

// --- Descriptors
// ----------------------------------------------------------------------------------

TEST(Descriptors, OfTheCallerDoNotComeAlong) {
    int directory = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int path = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const Strings& options :
         {Strings{}, Strings{"--init"}, Strings{"--only", "none"}, Strings{"--no-root"}}) {
        Container box(options, {.fds = {{directory, 7}, {path, 200}, {directory, 3}, {path, 4}}});
        for (pid_t pid : {box.first(), box.command()})
            for (const auto& [number, target] : descriptors(pid))
                EXPECT_TRUE(number <= 2 || target.starts_with("anon_inode:"))
                    << target << " " << testing::PrintToString(options);
    }
    close(directory);
    close(path);
}

TEST(Descriptors, StreamsAreTheCallers) {
    Container box;
    auto own = descriptors(box.first());
    auto launchers = descriptors(box.launcher().pid());
    for (int stream : {0, 1, 2})
        EXPECT_EQ(own[stream], launchers[stream]);
}

TEST(Process, LeadsASessionWithoutATerminal) {
    // Whoever shared the caller's session could push input into its terminal (CVE-2017-5226).
    Container box;
    EXPECT_NE(getsid(box.first()), getsid(box.launcher().pid()));
    EXPECT_EQ(getsid(box.first()), box.first());
}

TEST(Process, StartsWithSignalsAsTheCallerHasThem) {
    Container box;
    EXPECT_EQ(status_bits(box.first(), "SigBlk"), 0U);
    // But for INT and QUIT, which the shell inside sets for itself.
    std::string other = run({.argv = {"grep", "SigIgn", "/proc/self/status"}}).out;
    EXPECT_EQ(status_bits(box.first(), "SigIgn") & ~0x6ULL,
              std::stoull(other.substr(other.find('\t') + 1), nullptr, 16) & ~0x6ULL);
    Container init({"--init"});
    EXPECT_EQ(status_bits(init.command(), "SigBlk"), 0U);
}

// --- What is not for calling by hand, and what describes us
// ---------------------------------------

TEST(ByHand, ChildAndKeeperSayWhatTheyAre) {
    Host before = Host::look();
    for (const Strings& words :
         {Strings{"child"}, Strings{"child", "3", "4"}, Strings{"child", "x", "y"},
          Strings{"child", "0", "1"}, Strings{"keeper"}, Strings{"keeper", "0"}}) {
        Strings argv{gocontainer()};
        argv.insert(argv.end(), words.begin(), words.end());
        Ended ended = run({.argv = argv});
        EXPECT_EQ(ended.status, 125) << testing::PrintToString(words);
        EXPECT_TRUE(one_line_of_ours(ended.err)) << ended.err;
        EXPECT_EQ(ended.out, "");
    }
    EXPECT_EQ(differs_from(before), "");
}

TEST(ByHand, StagesAreDescribed) {
    Ended json = run({.argv = {gocontainer(), "stages", "--json"}});
    ASSERT_EQ(json.status, 0);
    Ended text = run({.argv = {gocontainer(), "stages"}});
    auto table = nlohmann::json::parse(json.out);
    ASSERT_TRUE(table.is_array());
    Strings names;
    Ended help = run({.argv = {gocontainer(), "parent", "--help"}});
    ASSERT_EQ(help.status, 0);
    EXPECT_EQ(help.err, "");
    for (const auto& stage : table) {
        std::string name = stage.at("name");
        names.push_back(name);
        EXPECT_EQ(stage.at("default").get<bool>(), name != "time" && name != "init");
        EXPECT_FALSE(stage.at("summary").get<std::string>().empty());
        EXPECT_TRUE(stage.at("lesson").get<std::string>().starts_with("lessons/"));
        EXPECT_THAT("\n" + text.out, HasSubstr("\n" + name + " "));
        if (name != "ipc") { // the one stage without options of its own
            EXPECT_THAT(help.out, HasSubstr("\n" + name + ":")) << "no group in --help";
        }
        EXPECT_NE(launch({"--only", name, "--no-" + name}, {"true"}).status, 125) << name;
    }
    EXPECT_THAT(names, ElementsAre("user", "cgroup", "net", "uts", "ipc", "time", "mount", "pid",
                                   "root", "caps", "seccomp", "init"));
}

TEST(ByHand, BashCompletesWhatHelpLists) {
    auto complete = [](const std::string& words) {
        Ended ended = run({.argv = {"bash", "-euo", "pipefail", "-c",
                                    "source <(\"$0\" completion); COMP_WORDS=(" + words +
                                        "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _gocontainer; "
                                        "printf '%s\\n' \"${COMPREPLY[@]}\"",
                                    gocontainer()}});
        EXPECT_EQ(ended.err, "");
        return lines(ended.out);
    };
    EXPECT_THAT(complete("gocontainer par"), ElementsAre("parent"));
    EXPECT_THAT(complete("gocontainer sta"),
                testing::UnorderedElementsAre("stages", "state", "start"));
    EXPECT_THAT(complete("gocontainer parent --net s"), ElementsAre("slirp"));
    EXPECT_THAT(complete("gocontainer parent --only se"), ElementsAre("seccomp"));
    EXPECT_THAT(complete("gocontainer parent --rootfs /et"), ElementsAre("/etc"));
    EXPECT_THAT(complete("gocontainer parent true x"), ElementsAre("")); // bash takes files then
    Strings offered = complete("gocontainer parent -");
    Strings listed = lines(run({.argv = {gocontainer(), "parent", "--help"}}).out);
    for (const std::string& line : listed) {
        std::size_t at = line.find("--");
        if (at < 7) {
            EXPECT_THAT(offered, Contains(line.substr(at, line.find(' ', at) - at)));
        }
    }
    EXPECT_THAT(offered, Contains("--no-uts"));
    EXPECT_THAT(offered, Not(Contains("--break")));
}

TEST(ByHand, WhatCannotBePrintedIsAnError) {
    for (const Strings& words : {Strings{"stages"}, Strings{"parent", "--help"},
                                 Strings{"inspect", "self"}, Strings{"features"}}) {
        Strings argv{"sh", "-c", "exec \"$@\" >/dev/full", "sh", gocontainer()};
        argv.insert(argv.end(), words.begin(), words.end());
        Ended ended = run({.argv = argv});
        EXPECT_EQ(ended.status, words.front() == "features" ? 1 : 125) << words.front();
        EXPECT_EQ(lines(ended.err).size(), 1U) << ended.err;
        EXPECT_THAT(ended.err, HasSubstr("ENOSPC"));
    }
}

TEST(ByHand, NoSubcommandIsOneLineOrHelp) {
    Ended unknown = run({.argv = {gocontainer(), "no-such-thing"}});
    EXPECT_EQ(unknown.status, 125);
    EXPECT_TRUE(one_line_of_ours(unknown.err));
    Ended help = run({.argv = {gocontainer(), "help"}});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr("gocontainer parent"));
    EXPECT_NE(run({.argv = {gocontainer()}}).status, 0);
}
