// Streams, terminal, signals and status, as people expect them of any program.
#include "tests/support/bundle.hpp"
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>
#include <sstream>

using namespace support;
using testing::HasSubstr;
using testing::Not;
using namespace std::string_literals;

namespace fs = std::filesystem;

namespace {

const std::string kCtrlC = "\x03", kCtrlD = "\x04", kCtrlZ = "\x1a", kCtrlBackslash = "\x1c";

/// What busybox's shell sends behind a prompt: where is the cursor?
const std::string kPrompted = "\x1b[6n";

Command in_container(const Strings& command, Strings options = {}) {
    options.insert(options.begin(), {"-q", "-e", "PS1=pro''mpt> "});
    return {.argv = parent_words(options, command)};
}

/// The command itself, not the launcher that has it among its words.
bool is_cat(pid_t pid) {
    return try_slurp("/proc/" + std::to_string(pid) + "/cmdline") == std::string("cat\0", 4);
}

/// Wait until the container's foreground is a process with these words.
void until_foreground(Terminal& terminal, const Strings& words) {
    ASSERT_TRUE(eventually([&] {
        for (pid_t pid : descendants_of(terminal.pid())) {
            auto line = try_slurp("/proc/" + std::to_string(pid) + "/stat");
            std::string wanted;
            for (const std::string& word : words)
                wanted += word + '\0';
            if (!line || try_slurp("/proc/" + std::to_string(pid) + "/cmdline") != wanted)
                continue;
            // After "pid (name) state": ppid pgrp session tty tpgid.
            std::istringstream fields(line->substr(line->rfind(')') + 2));
            std::string state;
            long ppid = 0;
            long group = 0;
            long session = 0;
            long tty = 0;
            long foreground = 0;
            fields >> state >> ppid >> group >> session >> tty >> foreground;
            if (group == foreground)
                return true;
        }
        return false;
    })) << "never in the foreground: "
        << testing::PrintToString(words) << "\n"
        << terminal.screen();
}

void expect_gone(const std::vector<pid_t>& processes) {
    for (pid_t pid : processes)
        EXPECT_TRUE(eventually([&] { return !fs::exists("/proc/" + std::to_string(pid)); }))
            << try_slurp("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
}

/// A shell that has shown its first prompt.
class Shell : public Terminal {
public:
    explicit Shell(const Strings& options = {}) : Terminal(in_container({"/bin/sh"}, options)) {
        until(kPrompted);
    }
    /// Have it run `line` and give back what that shows. Line editors redraw the prompt as they
    /// like, so marks tell where it begins and ends; $? is what it was.
    std::string ask(const std::string& line) {
        std::string begin = token();
        std::string end = token();
        auto hidden = [](const std::string& mark) { // so that its echo is no mark
            return mark.substr(0, 4) + "''" + mark.substr(4);
        };
        type("s=$?; echo " + hidden(begin) + "; (exit $s); " + line + "; echo " + hidden(end) +
             "\r");
        until(begin + "\r\n");
        return take(end + "\r\n");
    }
};

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    for (std::size_t have = 0; have < count;) {
        ssize_t got = getrandom(bytes.data() + have, count - have, 0);
        if (got < 0)
            fail_with_errno("getrandom");
        have += static_cast<std::size_t>(got);
    }
    return bytes;
}

std::string describe(const termios& mode) {
    return std::to_string(mode.c_iflag) + " " + std::to_string(mode.c_oflag) + " " +
           std::to_string(mode.c_cflag) + " " + std::to_string(mode.c_lflag) + " " +
           std::string(reinterpret_cast<const char*>(mode.c_cc), sizeof mode.c_cc);
}

/// A shell of the host's with job control, on a terminal.
class HostShell : public Terminal {
public:
    HostShell()
        : Terminal({.argv = {"bash", "--norc", "--noprofile", "-i"},
                    .env = {"PS1=ho''st> ", "HISTFILE=", "GC=" + words()}}) {
        until("ho''st> ");
    }
    static std::string words() {
        return gocontainer() + " parent -q --net none --rootfs " + rootfs();
    }
};

} // namespace

// --- An interactive shell
// -------------------------------------------------------------------------

TEST(Terminal, IsTheContainersOwn) {
    Shell shell;
    EXPECT_EQ(shell.ask("tty"), "/dev/pts/0\r\n");
    EXPECT_EQ(shell.ask("ls /dev/pts"), "0     ptmx\r\n");
    EXPECT_EQ(shell.ask("for i in 0 1 2; do readlink /proc/self/fd/$i; done"),
              "/dev/pts/0\r\n/dev/pts/0\r\n/dev/pts/0\r\n");
    EXPECT_THAT(shell.ask("echo typed >/dev/tty"), "typed\r\n");
    EXPECT_EQ(shell.ask("test -c /dev/console && echo there"), "there\r\n");
    shell.type("exit 7\r");
    EXPECT_EQ(shell.wait().status, 7);
}

TEST(Terminal, IsThereWithoutTheMountStage) {
    Terminal terminal(in_container({"stty", "size"}, {"--no-mount", "--root", "chroot"}));
    EXPECT_EQ(terminal.wait().status, 0);
    EXPECT_THAT(terminal.screen(), HasSubstr("24 80"));
}

TEST(Terminal, CtrlCEndsTheForegroundAndNotTheShell) {
    Shell shell;
    shell.type("sleep 1000\r");
    until_foreground(shell, {"sleep", "1000"});
    shell.type(kCtrlC);
    EXPECT_EQ(shell.ask("echo $?"), "130\r\n");
    shell.type(kCtrlC); // at the prompt
    EXPECT_EQ(shell.ask("echo still he''re"), "still here\r\n");
    shell.type("exit\r");
    EXPECT_EQ(shell.wait().signal, 0);
}

TEST(Terminal, CtrlZJobsAndFg) {
    Shell shell;
    shell.type("sleep 1000\r");
    until_foreground(shell, {"sleep", "1000"});
    shell.type(kCtrlZ);
    EXPECT_THAT(shell.ask("jobs"), HasSubstr("Stopped"));
    shell.type("fg\r");
    until_foreground(shell, {"sleep", "1000"});
    shell.type(kCtrlC);
    EXPECT_EQ(shell.ask("jobs"), "");
    EXPECT_TRUE(shell.running());
}

TEST(Terminal, SizeFollowsTheWindow) {
    Shell shell;
    EXPECT_THAT(shell.ask("stty size"), testing::EndsWith("24 80\r\n"));
    shell.resize(50, 132);
    EXPECT_TRUE(eventually([&] { return shell.ask("stty size") == "50 132\r\n"; }));
}

TEST(Terminal, TheCommandIsToldOfANewSize) {
    Terminal terminal(in_container({"sh", "-c",
                                    "trap 'stty size' WINCH; echo rea''dy; "
                                    "while :; do sleep 1000 & wait; done"}));
    terminal.until("ready");
    terminal.resize(30, 100);
    terminal.until("30 100\r\n");
    terminal.resize(31, 101);
    terminal.until("31 101\r\n");
}

TEST(Terminal, CtrlDEndsTheShell) {
    Shell shell;
    shell.type(kCtrlD);
    EXPECT_EQ(shell.wait().status, 0);
}

TEST(Terminal, ModesAreRestored) {
    for (const std::string& end : {std::string("exit\r"), kCtrlD, std::string("kill -9 $$\r"),
                                   std::string("stty raw -echo; exit\r")}) {
        Terminal terminal(in_container({"/bin/sh"}, {"--no-pid"}));
        terminal.until("mpt> ");
        EXPECT_EQ(terminal.modes().c_lflag & (ICANON | ECHO | ISIG), 0U);
        terminal.type(end);
        (void)terminal.wait();
        EXPECT_EQ(describe(terminal.modes()), describe(terminal.first_modes())) << end;
    }
}

TEST(Terminal, ModesAreRestoredAfterAFailure) {
    for (const char* command : {"no-such-program", "/etc/passwd"}) {
        Terminal terminal(in_container({command}));
        Ended ended = terminal.wait();
        EXPECT_GE(ended.status, 126);
        EXPECT_EQ(describe(terminal.modes()), describe(terminal.first_modes()));
        EXPECT_THAT(ended.out, HasSubstr(command));
    }
}

TEST(Terminal, LinesAreNotStaggeredByOurs) {
    // Ours come through the same terminal while it is raw.
    Terminal terminal(
        {.argv = parent_words({"--map", "auto"}, {"sh", "-c", "echo one; echo two"})});
    EXPECT_THAT(terminal.wait().out, HasSubstr("one\r\ntwo\r\n"));
}

TEST(Terminal, ManyLinesComeThroughWhole) {
    Shell shell;
    int lines = emulated() ? 6000 : 60000;
    std::string all = shell.ask("seq 1 " + std::to_string(lines));
    std::string expected;
    for (int i = 1; i <= lines; ++i)
        expected += std::to_string(i) + "\r\n";
    EXPECT_TRUE(all == expected) << all.size() << " of " << expected.size();
}

TEST(Terminal, MuchIsTypedAtOnce) {
    Terminal terminal(
        in_container({"sh", "-c", "stty raw -echo; echo rea''dy; head -c 200000 | md5sum"}));
    terminal.until("ready");
    std::string text;
    while (text.size() < 200000)
        text += token();
    terminal.type(text);
    Ended ended = run({.argv = {"md5sum"}, .input = text});
    terminal.until(ended.out.substr(0, 32));
    EXPECT_EQ(terminal.wait().status, 0);
}

TEST(Terminal, WhatIsTypedEarlyIsNotLost) {
    Terminal terminal(in_container({"/bin/sh"}));
    terminal.type("echo ear''ly\r");
    terminal.until("early");
}

TEST(Terminal, AnErrorLogStaysALog) {
    Scratch scratch;
    HostShell shell;
    shell.type("$GC sh -c 'tty; echo wrong >&2' 2>" + scratch / "log" + "; echo en''ded $?\r");
    shell.until("/dev/pts/0");
    shell.until("ended 0");
    EXPECT_EQ(slurp(scratch / "log"), "wrong\n");
}

TEST(Terminal, InAPipelineThereIsNone) {
    HostShell shell;
    shell.type("$GC sh -c 'test -t 1 || echo no ter''minal' | cat\r");
    shell.until("no terminal");
    shell.type("echo pi''ped | $GC cat\r");
    shell.until("piped");
    shell.type("exit\r");
    (void)shell.wait();
}

// Who pipes something in can still see the rest, at his terminal's size, and end it.
TEST(Terminal, OfTheOutputAloneStaysTheCallers) {
    Bundle bundle;
    bundle.config["process"]["terminal"] = true;
    bundle.args({"sh", "-c", "stty size; cat; echo en''ded; exec sleep 1000"});
    bundle.save();
    HostShell shell;
    shell.resize(33, 77);
    shell.type("echo pi''ped | " + gocontainer() + " --root " + bundle.root() + " run --bundle " +
               bundle.path() + " " + bundle.id() + "; echo sta''tus $?\r");
    shell.until("33 77");
    shell.until("piped");
    shell.until("ended");
    ASSERT_TRUE(eventually([&] { return command_line(bundle.pid()) == Strings{"sleep", "1000"}; }));
    shell.type(kCtrlC);
    shell.until("status 130");
}

TEST(Terminal, HangingUpEndsTheContainer) {
    auto terminal = std::make_unique<Shell>();
    std::vector<pid_t> inside = descendants_of(terminal->pid());
    ASSERT_THAT(inside, Not(testing::IsEmpty()));
    terminal->hang_up();
    Ended ended = terminal->wait();
    EXPECT_EQ(ended.status, 128 + SIGHUP);
    expect_gone(inside);
}

// --- Keys on the command itself
// ---------------------------------------------------------------------

TEST(Keys, CtrlCEndsACommandThatIsNumberOne) {
    for (const Strings& options : {Strings{}, Strings{"--init"}, Strings{"--no-pid"}}) {
        Terminal terminal(in_container({"sleep", "1000"}, options));
        until_foreground(terminal, {"sleep", "1000"});
        std::vector<pid_t> inside = descendants_of(terminal.pid());
        terminal.type(kCtrlC);
        EXPECT_EQ(terminal.wait().status, 130) << testing::PrintToString(options);
        expect_gone(inside);
    }
}

TEST(Keys, CtrlBackslashToo) {
    Terminal terminal(in_container({"sleep", "1000"}, {"--ulimit", "core=0"}));
    until_foreground(terminal, {"sleep", "1000"});
    terminal.type(kCtrlBackslash);
    EXPECT_EQ(terminal.wait().status, 131);
}

TEST(Keys, ACommandThatCatchesCtrlCGoesOn) {
    Terminal terminal(in_container(
        {"sh", "-c", "trap 'echo cau''ght' INT; echo rea''dy; while :; do sleep 1000; done"}));
    terminal.until("ready");
    until_foreground(terminal, {"sleep", "1000"});
    terminal.type(kCtrlC);
    terminal.until("caught");
    until_foreground(terminal, {"sleep", "1000"});
    EXPECT_TRUE(terminal.running());
}

TEST(Keys, CtrlZStopsTheJobOfTheHostsShell) {
    for (const std::string& options :
         {std::string(), std::string(" --init"), std::string(" --no-pid")}) {
        HostShell shell;
        shell.type("$GC" + options + " cat\r");
        until_foreground(shell, {"cat"});
        shell.type("first\r");
        shell.until("first\r\nfirst\r\n");
        shell.type(kCtrlZ);
        shell.until("ho''st> ");
        shell.type("jobs\r");
        shell.until("Stopped");
        shell.until("ho''st> ");
        EXPECT_TRUE(eventually([&] {
            // Stopped is the whole of it, not just the launcher.
            auto all = descendants_of(shell.pid());
            return std::ranges::all_of(all, [](pid_t pid) {
                return !is_cat(pid) || status(pid).at("State").starts_with("T");
            });
        })) << options;
        shell.type("fg\r");
        shell.until("cat");
        shell.type("second\r");
        shell.until("second\r\nsecond\r\n");
        shell.type(kCtrlD);
        shell.until("ho''st> ");
        shell.type("echo status $?\r");
        shell.until("status 0");
        shell.type("exit\r");
        (void)shell.wait();
    }
}

// A shell edits its next line in raw mode meanwhile, and has the keyboard.
TEST(Keys, CtrlZStopsNobodyWithoutAShellAbove) {
    Terminal terminal(in_container({"cat"}));
    until_foreground(terminal, {"cat"});
    terminal.type(kCtrlZ);
    terminal.type("a word\n");
    terminal.until("a word\r\na word");
    terminal.type(kCtrlD);
    EXPECT_EQ(terminal.wait().status, 0);
}

TEST(Keys, AJobInTheBackgroundRunsAndComesForward) {
    HostShell shell;
    shell.type("$GC sh -c 'echo fin''ished' & wait\r");
    shell.until("finished");
    shell.until("ho''st> ");
    // What it reads is not taken from the shell, and it isn't stopped for it.
    shell.type("$GC cat &\r");
    EXPECT_TRUE(
        eventually([&] { return std::ranges::any_of(descendants_of(shell.pid()), is_cat); }));
    shell.type("jobs; echo al''so\r");
    shell.until("Running");
    shell.until("also");
    const Strings launcher{gocontainer(), "parent",   "-q",     "--net",
                           "none",        "--rootfs", rootfs(), "cat"};
    shell.type("fg\r");
    until_foreground(shell, launcher);
    shell.type("first\r");
    shell.until("first\r\nfirst\r\n");
    // Stopped, and going on in the background.
    shell.type(kCtrlZ);
    shell.until("Stopped");
    shell.type("bg; jobs\r");
    shell.until("Running");
    shell.until("ho''st> ");
    shell.type("fg\r");
    until_foreground(shell, launcher);
    shell.type("second\r");
    shell.until("second\r\nsecond\r\n");
    shell.type(kCtrlD);
    shell.until("ho''st> ");
    shell.type("echo status $?\r");
    shell.until("status 0");
    shell.type("exit\r");
    (void)shell.wait();
}

// --- Pipes
// ------------------------------------------------------------------------------------------

TEST(Pipes, BytesAreNotTouched) {
    std::string bytes = "one\ntwo\r\n\x04\x03\x1a\x00 end"s;
    Ended ended = run({.argv = parent_words({"-q"}, {"cat"}), .input = bytes});
    EXPECT_EQ(ended.out, bytes);
    EXPECT_EQ(ended.err, "");
}

TEST(Pipes, AMegabyteBothWays) {
    std::string bytes = random_bytes(1 << 20);
    Ended ended = run({.argv = parent_words({"-q"}, {"cat"}), .input = bytes});
    EXPECT_TRUE(ended.out == bytes) << ended.out.size();
    Ended init =
        run({.argv = parent_words({"-q", "--init"}, {"tee", "/dev/stderr"}), .input = bytes});
    EXPECT_TRUE(init.out == bytes) << init.out.size();
    EXPECT_TRUE(init.err == bytes) << init.err.size();
}

TEST(Pipes, AClosedOutputEndsTheCommand) {
    Ended ended = run({.argv = {"sh", "-c", "\"$@\" | head -n 1", "sh", gocontainer(), "parent",
                                "-q", "--net", "none", "--rootfs", rootfs(), "yes"}});
    EXPECT_EQ(ended.out, "y\n");
}

// --- Signals
// ----------------------------------------------------------------------------------------

TEST(Signals, ReachTheCommand) {
    // With a time limit: busybox's read sleeps on when a signal comes just before it does. And
    // until a line ends: what it has of one when the limit is over, it throws away.
    for (const Strings& options :
         {Strings{"-q"}, Strings{"-q", "--init"}, Strings{"-q", "--no-pid"}}) {
        Process launcher(
            {.argv = parent_words(options, {"sh", "-c",
                                            "for s in TERM HUP INT QUIT USR1 USR2 WINCH; do "
                                            "trap \"echo got-$s\" $s; done; echo ready; "
                                            "until read -t 1 x; do :; done"})});
        launcher.until("ready");
        struct Named {
            int number;
            const char* name;
        };
        for (Named one : {Named{SIGTERM, "TERM"}, Named{SIGHUP, "HUP"}, Named{SIGINT, "INT"},
                          Named{SIGQUIT, "QUIT"}, Named{SIGUSR1, "USR1"}, Named{SIGUSR2, "USR2"},
                          Named{SIGWINCH, "WINCH"}}) {
            launcher.kill(one.number);
            launcher.until(std::string("got-") + one.name);
        }
        launcher.type("end\n");
        Ended ended = launcher.wait();
        EXPECT_EQ(ended.status, 0);
        // Each came once.
        EXPECT_EQ(lines(ended.out).size(), 8U) << ended.out;
    }
}

TEST(Signals, EndACommandThatDoesNotCatchThem) {
    for (const Strings& options :
         {Strings{"-q"}, Strings{"-q", "--init"}, Strings{"-q", "--no-pid"}})
        for (int number : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) {
            // Not a shell, which catches some of them until it executes something else.
            Process launcher({.argv = parent_words(options, {"cat"})});
            launcher.type("ready\n");
            launcher.until("ready");
            launcher.kill(number);
            EXPECT_EQ(launcher.wait().status, 128 + number) << testing::PrintToString(options);
        }
}

TEST(Signals, AreIgnoredByACommandThatIgnoresThem) {
    Process launcher(
        {.argv = parent_words({"-q"},
                              {"sh", "-c", "trap '' TERM; echo ready; read x; echo heard $x"})});
    launcher.until("ready");
    launcher.kill(SIGTERM);
    launcher.kill(SIGWINCH);
    launcher.type("word\n");
    launcher.until("heard word");
    EXPECT_EQ(launcher.wait().status, 0);
}

TEST(Signals, AreNotLostWhileTheContainerStarts) {
    // Whenever it comes, it ends the launch or the command.
    for (int i = 0; i < 40; ++i) {
        Process launcher({.argv = parent_words({"-q"}, {"cat"})});
        timespec moment{.tv_sec = 0, .tv_nsec = i * 1'000'000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, nullptr);
        launcher.kill(SIGTERM);
        EXPECT_EQ(launcher.wait().status, 128 + SIGTERM) << i << " ms after the start";
    }
}

TEST(Signals, StopAndContinueTheWholeContainer) {
    Container box;
    auto state = [](pid_t pid) { return status(pid).at("State").substr(0, 1); };
    box.launcher().kill(SIGTSTP);
    EXPECT_TRUE(eventually(
        [&] { return state(box.launcher().pid()) == "T" && state(box.first()) == "T"; }));
    box.launcher().kill(SIGCONT);
    EXPECT_EQ(box.ask("echo on").out, "on\n");
}
