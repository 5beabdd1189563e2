// --explain, --trace and --record, held against strace and /proc.
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <regex>
#include <set>
#include <sstream>

namespace {

using namespace support;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::vector<json> json_lines(const std::string& path) {
    std::vector<json> out;
    for (const std::string& line : lines(slurp(path)))
        out.push_back(json::parse(line));
    return out;
}

// --- against strace ------------------------------------------------------------------------------

/// A line of `strace -f -o`: "PID NAME(ARGUMENTS) = RESULT".
struct Traced {
    std::string pid, name, arguments, result;
};

std::vector<Traced> read_strace(const std::string& path) {
    std::vector<Traced> out;
    std::map<std::string, std::string> unfinished;
    static const std::regex resumed(R"(^<\.\.\. \S+ resumed>(.*)$)");
    for (std::string line : lines(slurp(path))) {
        std::size_t blank = line.find(' ');
        std::string pid = line.substr(0, blank);
        line = line.substr(line.find_first_not_of(' ', blank));
        std::smatch match;
        if (line.ends_with("<unfinished ...>")) {
            unfinished[pid] = line.substr(0, line.find("<unfinished ...>"));
            continue;
        }
        if (std::regex_match(line, match, resumed))
            line = unfinished[pid] + match[1].str();
        std::size_t open = line.find('(');
        std::size_t result = line.rfind(" = ");
        if (open == std::string::npos || result == std::string::npos || line.starts_with("---"))
            continue;
        out.push_back(
            {pid, line.substr(0, open), line.substr(open, result - open), line.substr(result + 3)});
    }
    return out;
}

/// Where libc's, or strace's, name of a call is another than the man page's.
std::string name_of(const Traced& call) {
    const std::string& name = call.name;
    if (name == "newfstatat" && call.arguments.contains("AT_EMPTY_PATH"))
        return "fstat";
    static const std::map<std::string, std::string> other = {
        {"newfstatat", "fstatat"},   {"rt_sigprocmask", "sigprocmask"},
        {"signalfd4", "signalfd"},   {"wait4", "waitpid"},
        {"faccessat2", "faccessat"}, {"prlimit64", "prlimit"},
        {"recvfrom", "recv"},        {"dup3", "dup2"},
    };
    auto found = other.find(name);
    return found == other.end() ? name : found->second;
}

/// We tell "signals 1..64": the first, and 63 that are no other.
bool is_one_more_signal(Traced& call, const std::vector<Traced>& before) {
    static const std::regex signals(R"(^\(([A-Z0-9_]+), )");
    std::string rest = std::regex_replace(call.arguments, signals, "");
    if (call.name == "rt_sigaction" && call.arguments.starts_with("(SIGHUP, ")) {
        call.arguments = "(1..64, " + rest;
        return false;
    }
    return call.name == "rt_sigaction" && !before.empty() && before.back().name == "rt_sigaction" &&
           before.back().arguments == "(1..64, " + rest;
}

/// Memory, threads and clocks of libc, closed descriptors, and the narration's own way out.
bool is_background(Traced call, const std::string& who) {
    call.arguments.resize(call.arguments.find_last_not_of(' ') + 1);
    static const std::set<std::string> names = {
        "brk",    "mmap",    "munmap",        "mprotect",   "madvise",    "close",
        "getpid", "getuid",  "geteuid",       "getgid",     "getsid",     "getppid",
        "futex",  "umask",   "mremap",        "arch_prctl", "exit_group", "set_robust_list",
        "gettid", "getegid", "clock_gettime",
    };
    bool wire = who == "child" && call.arguments.starts_with("(3,") &&
                (call.name == "sendmsg" || call.name == "recvmsg" || call.name == "recvfrom");
    // libcap asks which version of the structure the kernel has.
    bool version = call.name == "capget" && call.arguments.ends_with("NULL)");
    bool said = (call.name == "write" || call.name == "ioctl") && // is it a terminal?
                call.arguments.starts_with("(2,");
    // Memory that is shared is the story's, not libc's.
    bool shared = call.name == "mmap" && call.arguments.contains("MAP_SHARED");
    return (names.contains(call.name) && !shared) || wire || version || said;
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

/// The pieces of a text of ours that strace must show as well: names of flags, paths, numbers.
Strings pieces(const std::string& text) {
    Strings out;
    std::string inside = text.substr(text.find('(') + 1);
    std::string piece;
    bool quoted = false;
    for (char c : inside) {
        quoted ^= c == '"';
        if (!quoted && std::string_view(" ,|(){}[]<>:=").contains(c)) {
            if (!piece.empty())
                out.push_back(std::exchange(piece, ""));
            continue;
        }
        piece += c;
    }
    // Spelled by us alone: what a number of instructions stands for, what is set and cleared.
    std::erase_if(out, [](const std::string& one) {
        static const std::set<std::string> ours = {"instructions", "set", "clear", "O_RDONLY",
                                                   "F_OK"};
        bool number = one.find_first_not_of("0123456789") ==
                      std::string::npos; // it has hex ones, and names for 0
        return ours.contains(one) || one == "..." || one == "NULL" || one == "0" ||
               (number && one.size() > 1) || one.starts_with("0x1ff"); // all capabilities
    });
    for (std::string& one : out) {
        if (one.ends_with("\"...")) // strace has been told not to cut
            one.resize(one.size() - 4);
        if (one == "EXT4_SUPER_MAGIC") // the same number
            one = "EXT2_SUPER_MAGIC";
    }
    return out;
}

/// The names of constants in a call of strace's, outside of strings.
Strings constants(const Traced& call) {
    // What a file system is beyond what is looked at; no flag at all; libc's own two signals.
    static const std::set<std::string> beyond = {"O_RDONLY", "O_LARGEFILE", "RT_1"};
    static const std::regex strings(R"("(\\.|[^"\\])*")");
    static const std::regex name("\\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\\b");
    std::string text = std::regex_replace(call.arguments, strings, "");
    Strings out;
    for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at)
        if (!beyond.contains(at->str()) && !at->str().starts_with("ST_") &&
            !at->str().ends_with("_MAGIC"))
            out.push_back(at->str());
    return out;
}

std::string hexadecimal(long number) {
    std::ostringstream out;
    out << "0x" << std::hex << number;
    return out.str();
}

/// The calls of one process, told and made: the same, in the same order, with the same results.
void expect_same(const std::vector<json>& ours, const std::vector<Traced>& theirs) {
    for (std::size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
        ASSERT_LT(i, theirs.size()) << "told, and not made: " << ours[i];
        const Traced& their = theirs[i];
        std::string whole = their.name + their.arguments + " = " + their.result;
        ASSERT_LT(i, ours.size()) << "made, and not told: " << whole;
        const json& our = ours[i];
        const std::string text = our["text"];
        ASSERT_EQ(our["call"], name_of(their)) << our << "\n" << whole;
        bool bytes = our["call"] == "getrandom" || text.contains("ssi_signo"); // to strace
        for (const std::string& piece : bytes ? Strings() : pieces(text))
            EXPECT_THAT(lower(whole), HasSubstr(lower(piece))) << text;
        bool many = text.contains("effective"); // capabilities, which are a number then
        for (const std::string& constant : constants(their))
            if (!many && !(our["call"] == "fstat" && constant == "AT_EMPTY_PATH")) {
                EXPECT_THAT(lower(text), HasSubstr(lower(constant))) << whole;
            }
        if (!our.contains("result")) { // it has become another program
            EXPECT_TRUE(their.name.starts_with("execve"));
            EXPECT_EQ(their.result, "0");
            continue;
        }
        std::string result = std::to_string(our["result"].get<long>());
        if (our["call"] == "mmap")
            result = hexadecimal(our["result"]);
        if (our.contains("errno"))
            result += " " + our["errno"].get<std::string>();
        EXPECT_TRUE(their.result == result || their.result.starts_with(result + " "))
            << our << whole;
    }
}

/// Whose calls: the parent's, the child's before it executes us again and after, and by number
/// those of a process that becomes another program.
using Calls = std::map<std::string, std::vector<Traced>>;

/// The calls that belong to the story, by what each process has written into the trace: of the
/// parent all, but for what the narrator looks at between two lines and while it waits for a half
/// of the child's; of the child before its re-exec those from the line that opens a step to the one
/// that closes it. All of that is the story's, told or not.
class Sorter {
public:
    Calls sort(const std::vector<Traced>& all, const std::set<std::string>& programs);

private:
    void line(const Traced& call);
    std::string maker(const Traced& call, const std::set<std::string>& programs);

    std::string parent_, child_; ///< by number
    std::set<std::string> open_; ///< processes that tell
    bool executed_ = false, speaks_ = false, gone_ = false;
};

void Sorter::line(const Traced& call) {
    auto is = [&](const std::string& key, const std::string& value) {
        return call.arguments.contains("\\\"" + key + "\\\":\\\"" + value + "\\\"");
    };
    bool childs = is("half", "child") || is("half", "settle") || is("half", "command");
    bool between = call.pid == parent_ &&
                   (is("event", "begin") || is("event", "changed") || is("event", "gone"));
    if (between || (is("event", "before") && !childs))
        open_.insert(call.pid);
    else if (!is("event", "call"))
        open_.erase(call.pid);
}

std::string Sorter::maker(const Traced& call, const std::set<std::string>& programs) {
    if (programs.contains(call.pid))
        return call.pid;
    if (call.pid != child_ || !executed_)
        return !open_.contains(call.pid) ? "" : call.pid == parent_ ? "parent" : "born";
    // Its steps begin with the first word that it says of one.
    speaks_ |= call.name == "sendmsg" && call.arguments.contains("b{\\\"");
    return speaks_ && !gone_ ? "child" : "";
}

Calls Sorter::sort(const std::vector<Traced>& all, const std::set<std::string>& programs) {
    Calls out;
    std::set<std::string> others = programs; // that are not yet what they become
    parent_ = all.front().pid;
    // The child is who executes us.
    child_ = std::ranges::find(all, "execveat", &Traced::name)->pid;
    for (Traced call : all) {
        if (call.name == "write" && call.arguments.starts_with("(100,")) {
            line(call);
            continue;
        }
        std::string who = maker(call, others);
        if (!who.empty() && !is_background(call, who) && !is_one_more_signal(call, out[who]))
            out[who].push_back(call);
        executed_ |= call.pid == child_ && call.name == "execveat" && call.result == "0";
        gone_ |= who == "child" && call.name == "execve" && call.result == "0";
        if (call.name == "execve")
            others.erase(call.pid);
    }
    return out;
}

class AgainstStrace : public testing::TestWithParam<Strings> {
protected:
    Scratch scratch;
    void compare(const Strings& options);
};

void AgainstStrace::compare(const Strings& options) {
    Strings watched = options;
    watched.insert(watched.end(), {"--trace", scratch / "trace"});
    Strings words{"strace", "-f", "-s", "4096", "-o", scratch / "strace"};
    Strings command = parent_words(watched, {"/bin/busybox", "true"});
    words.insert(words.end(), command.begin(), command.end());
    Ended ended = run({.argv = words});
    ASSERT_EQ(ended.status, 0) << ended.err;

    std::map<std::string, std::vector<json>> ours;
    std::set<std::string> programs, started, born;
    for (const json& line : json_lines(scratch / "trace")) {
        if (line["event"] != "call")
            continue;
        if (line["call"] == "mmap" && !line["text"].get<std::string>().contains("MAP_SHARED"))
            continue; // memory of our own: libc's looks the same
        std::string who = line["side"];
        if (who == "program") {
            who = std::to_string(line["pid"].get<int>());
            programs.insert(who);
        }
        if (line["call"] == "vfork")
            started.insert(std::to_string(line["result"].get<int>()));
        if (line["call"] == "clone3" || line["call"] == "vfork")
            born.insert(std::to_string(line["result"].get<int>()));
        if (line["half"] == "enter" || line["half"] == "re-exec")
            who = "born";
        ours[who].push_back(line);
    }
    EXPECT_EQ(programs, started);
    const std::vector<Traced> all = read_strace(scratch / "strace");
    // A program's children are its own affair, and libc's fork is the narrator's, who looks from
    // inside: in the story it would be told.
    static const std::set<std::string> births = {"clone", "clone3", "fork", "vfork"};
    for (const Traced& call : all)
        if (call.name == "clone" || (programs.contains(call.pid) && births.contains(call.name)))
            born.insert(call.result);
    born.insert(all.front().pid);
    for (const Traced& call : all) // nobody else is there
        EXPECT_TRUE(born.contains(call.pid)) << call.pid << " " << call.name << call.arguments;
    Calls theirs = Sorter().sort(all, programs);
    for (const char* who : {"parent", "born", "child"})
        EXPECT_GT(ours[who].size(), 5U) << who;
    EXPECT_EQ(ours.size(), theirs.size());
    for (const auto& [who, calls] : ours) {
        SCOPED_TRACE(who);
        expect_same(calls, theirs[who]);
    }
}

TEST_P(AgainstStrace, EveryCallOfBothSidesIsToldAndNoneIsMadeUp) {
    compare(GetParam());
}

// As an ordinary user strace takes newuidmap's privileges away: hence --map single.
INSTANTIATE_TEST_SUITE_P(
    Trace, AgainstStrace,
    testing::Values(Strings{"--map", "single"}, Strings{"--map", "single", "--only", "user,uts"},
                    Strings{"--map", "single", "--boottime", "100", "--root", "chroot"},
                    Strings{"--map", "single", "--overlay", "--read-only", "--tmpfs", "/t:size=1m",
                            "-u", "0", "--ulimit", "nofile=64"}));

// --- --explain -----------------------------------------------------------------------------------

std::size_t columns(const std::string& line) {
    return static_cast<std::size_t>(
        std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }));
}

TEST(Explain, TellsOnStderrWhatIsDoneAndWhatItChanges) {
    const std::string name = token(), said = token();
    Ended ended = launch({"--explain", "--hostname", name}, {"echo", said});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, said + "\n"); // nothing of ours
    for (const std::string& part :
         {"sethostname(\"" + name + "\", 16)", "$ hostname " + name,
          "hostname: " + slurp("/proc/sys/kernel/hostname").substr(0, 1), " → " + name,
          std::string("pivot_root(\".\", \".\")"), std::string("$ umount --lazy ."),
          std::string("no new privileges: no → yes"), std::string("seccomp: none → filter")})
        EXPECT_THAT(ended.err, HasSubstr(part));
    for (const char* stage : {"user", "uts", "ipc", "mount", "pid", "root", "caps", "seccomp"})
        EXPECT_THAT(ended.err, HasSubstr("── " + std::string(stage) + " ─"));
    EXPECT_THAT(ended.err, Not(HasSubstr("\033"))); // no terminal, no colours
}

TEST(Explain, ComesBeforeWhatItIsAbout) {
    // A stage that fails has been explained, and nothing behind it is.
    Ended ended =
        launch({"--explain", "--proc", "new", "--ulimit", "nofile=9:9", "-w", "/bin/sh"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    std::size_t what = ended.err.find("── what the command finds");
    std::size_t call = ended.err.find("chdir(\"/bin/sh\")");
    ASSERT_NE(call, std::string::npos) << ended.err;
    EXPECT_LT(what, call);
    EXPECT_LT(call, ended.err.find("gocontainer: chdir"));
    EXPECT_THAT(ended.err, Not(HasSubstr("── the command ─")));
}

TEST(Explain, IsNoPartOfWhatAProgramSays) {
    if (access("/usr/bin/newuidmap", X_OK) != 0)
        GTEST_SKIP() << "newuidmap is not installed";
    Ended ended = launch({"--explain", "--map", "0:3999000000:10"}, {"true"},
                         {.before_exec = become_ordinary});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("\ngocontainer: user: newuidmap: "));
    EXPECT_THAT(ended.err, HasSubstr("dup2("));
}

TEST(Explain, FitsATerminalAndIsPlainWhereAsked) {
    Ended drawn = launch({"--explain"}, {"true"});
    for (const std::string& line : lines(drawn.err))
        if (std::string words = line.substr(std::min(line.find_first_not_of(' '), line.size()));
            !line.starts_with("gocontainer:") && words.contains(' ')) { // a path is one word
            EXPECT_LE(columns(line), 80U) << line;
        }
    // What is wrapped is still one command to a shell.
    std::string pasted = drawn.err.substr(drawn.err.find("$ mount -t devpts") + 2);
    pasted.resize(pasted.find("/dev/pts\n") + 8);
    EXPECT_THAT(pasted, HasSubstr(" \\\n"));
    Ended shell = run({.argv = {"sh", "-c", "set -- " + pasted + "\necho $# $1 $6"}});
    EXPECT_THAT(shell.out, testing::MatchesRegex("7 mount devpts\n")) << pasted;
    Ended plain = launch({"--explain", "--plain", "--hostname", "x"}, {"true"});
    EXPECT_THAT(plain.err, HasSubstr("Stage uts, in the child."));
    for (const char* drawing : {"─", "→", "\033"})
        EXPECT_THAT(plain.err, Not(HasSubstr(drawing)));
    for (bool colour : {true, false}) {
        Terminal shown({.argv = parent_words({"--explain", "--only", "user,uts"}, {"true"}),
                        .env = {colour ? "NO_COLOR" : "NO_COLOR=1", "TERM=xterm"}});
        EXPECT_EQ(shown.wait().status, 0);
        EXPECT_EQ(shown.screen().contains("\033[1m"), colour);
    }
}

TEST(Explain, AFilterThatForbidsTalkingIsNoTrouble) {
    Scratch scratch;
    std::string profile = scratch.file("profile", R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{"names": ["sendmsg", "recvmsg"], "action": "SCMP_ACT_KILL_PROCESS"}]})");
    const std::string said = token();
    Ended ended = launch({"--explain", "--seccomp", profile}, {"echo", said});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, said + "\n");
    EXPECT_THAT(ended.err, HasSubstr("seccomp(SECCOMP_SET_MODE_FILTER"));
}

TEST(Watching, ChangesNothingOfWhatIsMade) {
    Scratch scratch;
    const std::string look =
        "grep -E 'Cap|Sec|NoNew|Sig[BI]' /proc/self/status; ls /proc/self/fd; "
        "cut -d' ' -f5- /proc/self/mountinfo | sed 's/[0-9]* - / - /'; id; pwd; env";
    Strings same{"--hostname", "h", "--name", "n"};
    Strings watched = same;
    watched.insert(watched.end(),
                   {"--explain", "--trace", scratch / "t", "--record", scratch / "r"});
    EXPECT_EQ(launch(watched, {"sh", "-c", look}).out, launch(same, {"sh", "-c", look}).out);
}

TEST(Watching, AFileThatCannotBeWrittenIsAnErrorBeforeAnythingIsMade) {
    Host before = Host::look();
    for (const char* option : {"--trace", "--record"}) {
        Ended ended = launch({option, "/nowhere/" + token()}, {"true"});
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr(option));
        EXPECT_THAT(ended.err, HasSubstr("ENOENT"));
    }
    EXPECT_EQ(differs_from(before), "");
}

TEST(Watching, WhatCouldNotBeWrittenIsSaidAtTheEnd) {
    for (const char* option : {"--trace", "--record"}) {
        Ended ended = launch({"-q", option, "/dev/full"}, {"sh", "-c", "exit 3"});
        EXPECT_EQ(ended.status, 3) << "the command's own";
        EXPECT_EQ(lines(ended.err).size(), 1U) << ended.err;
        EXPECT_THAT(ended.err, HasSubstr("gocontainer: " + std::string(option) + ": write("));
        EXPECT_THAT(ended.err, HasSubstr("ENOSPC"));
    }
}

TEST(Record, HoldsWhatTheKernelShowedBeforeAndAfterEachStage) {
    Scratch scratch;
    const std::string name = token();
    Ended ended = launch({"--hostname", name, "--record", scratch / "r"}, {"true"});
    ASSERT_EQ(ended.status, 0) << ended.err;
    json recording = json::parse(slurp(scratch / "r"));
    std::string host = slurp("/proc/sys/kernel/hostname");
    host.pop_back();
    int seen = 0;
    for (const json& entry : recording) {
        if (entry["stage"] != "uts")
            continue;
        ++seen;
        bool after = entry["when"] == "after";
        EXPECT_EQ(entry["snapshot"]["hostname"], after ? name : host);
        EXPECT_EQ(entry["calls"].size(), after ? 1U : 0U);
        for (const json& space : entry["snapshot"]["namespaces"]) { // as lsns counts
            if (space["type"] == "uts") {
                EXPECT_EQ(space["members"], 1);
                EXPECT_THAT(space["first_command"].get<std::string>(), HasSubstr("child"));
            }
        }
    }
    EXPECT_EQ(seen, 2);
}

} // namespace
