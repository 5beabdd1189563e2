// Terminals of containers and of what exec brings in, as engines ask for them: by a socket that
// gets the master, or in the foreground on the caller's own.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/receiver.hpp"

#include <gmock/gmock.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Process;
using support::Received;
using support::Receiver;
using support::Strings;
using support::Terminal;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

/// A container that runs, and a process.json for one more process in it.
class Running : public Bundle {
public:
    Running() {
        args({"sleep", "1000"});
        start();
    }
    std::string process(const Strings& words, bool terminal, const json& changes = {}) const {
        json all = config["process"];
        all["args"] = words;
        all["terminal"] = terminal;
        all.update(changes.is_null() ? json::object() : changes);
        return folder().file("process.json", all.dump());
    }
};

TEST(Console, GoesToTheSocket) {
    Bundle bundle;
    bundle.config["process"]["terminal"] = true;
    bundle.config["process"]["consoleSize"] = {{"height", 33}, {"width", 77}};
    std::string token = support::token();
    bundle.args({"sh", "-c", "stty size; echo " + token + "; sleep 1000"});
    Receiver consoles(bundle.path() + "/console");
    bundle.create({"--console-socket", consoles.path()});
    Received master = consoles.receive();
    ASSERT_EQ(bundle.runtime({"start", bundle.id()}).status, 0);
    EXPECT_THAT(master.until(token), HasSubstr("33 77"));
    // All three: who called create gets its pipes back.
    auto open = support::descriptors(bundle.pid());
    EXPECT_THAT(open[0], StartsWith("/dev/pts/"));
    EXPECT_EQ(open[1], open[0]);
    EXPECT_EQ(open[2], open[0]);
}

TEST(Console, OfExecGoesToTheSocketToo) {
    Running bundle;
    std::string token = support::token();
    std::string file = bundle.process({"sh", "-c", "stty size; tty; echo " + token + "; sleep 999"},
                                      true, {{"consoleSize", {{"height", 31}, {"width", 97}}}});
    Receiver consoles(bundle.path() + "/console");
    Ended ended =
        support::run(bundle.detached({"exec", "--process", file, "--detach", "--console-socket",
                                      consoles.path(), "--pid-file", "pid", bundle.id()}));
    ASSERT_EQ(ended.status, 0) << support::slurp(bundle.folder() / "detached.err");
    Received master = consoles.receive();
    EXPECT_THAT(master.until(token), StartsWith("31 97\r\n/dev/pts/"));
    auto open = support::descriptors(std::stoi(support::slurp(bundle.folder() / "pid")));
    EXPECT_THAT(open[0], StartsWith("/dev/pts/"));
    EXPECT_EQ(open[1], open[0]);
    EXPECT_EQ(open[2], open[0]);
}

TEST(Console, IsNeededByATerminalThatIsLeft) {
    Bundle bundle;
    bundle.config["process"]["terminal"] = true;
    bundle.save();
    EXPECT_THAT(bundle.runtime({"create", bundle.id()}).err, HasSubstr("console socket"));
    bundle.config["process"]["terminal"] = false;
    bundle.save();
    EXPECT_THAT(bundle.runtime({"create", "--console-socket", "/x", bundle.id()}).err,
                HasSubstr("cannot use console socket"));
}

/// Can its end be waited for?
bool has_ended(const Received& process, support::Duration patience) {
    pollfd end{.fd = process.fd(), .events = POLLIN, .revents = 0};
    return poll(&end, 1, static_cast<int>(patience.count())) == 1;
}

TEST(Pidfd, IsTheFirstProcesss) {
    Bundle bundle;
    bundle.args({"sleep", "1000"});
    Receiver pidfds(bundle.path() + "/pidfds");
    bundle.create({"--pidfd-socket", pidfds.path()});
    Received first = pidfds.receive();
    EXPECT_EQ(first.pid(), bundle.pid());
    EXPECT_FALSE(has_ended(first, support::Duration{0}));
    ASSERT_EQ(bundle.runtime({"kill", bundle.id(), "KILL"}).status, 0);
    EXPECT_TRUE(has_ended(first, support::kPatience));
}

TEST(Pidfd, OfExecIsTheNewProcesss) {
    Running bundle;
    Receiver pidfds(bundle.path() + "/pidfds");
    Ended ended = support::run(bundle.detached({"exec", "--detach", "--pidfd-socket", pidfds.path(),
                                                "--pid-file", "pid", bundle.id(), "sleep", "999"}));
    ASSERT_EQ(ended.status, 0) << support::slurp(bundle.folder() / "detached.err");
    Received process = pidfds.receive();
    EXPECT_EQ(process.pid(), std::stoi(support::slurp(bundle.folder() / "pid")));
    EXPECT_EQ(support::command_line(process.pid()), (Strings{"sleep", "999"}));
}

// Whoever reads it has written the socket's path, or a script that has.
TEST(Sockets, ThatNobodyListensAtAreNamedWithTheirOption) {
    Bundle bundle;
    std::string absent = bundle.path() + "/absent";
    std::string plain = bundle.folder().file("plain", "");
    Receiver packets(bundle.path() + "/packets", SOCK_SEQPACKET);
    for (const char* option : {"--console-socket", "--pidfd-socket"}) {
        bundle.config["process"]["terminal"] = option == std::string("--console-socket");
        bundle.save();
        for (const auto& [path, why] :
             {std::pair(absent, "ENOENT (no such file or directory): there is no such socket"),
              std::pair(plain, "ECONNREFUSED (connection refused): nobody listens there"),
              std::pair(packets.path(), "it must be a SOCK_STREAM socket")}) {
            Ended ended = bundle.runtime({"create", option, path, bundle.id()});
            EXPECT_EQ(ended.status, 1) << option;
            EXPECT_THAT(ended.err, AllOf(StartsWith(std::string("gocontainer: ") + option + ": "),
                                         HasSubstr("\"" + path + "\""), HasSubstr(why)));
            EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "") << option;
        }
    }
    bundle.config["process"]["terminal"] = false;
    bundle.save();
    Ended ended = bundle.runtime({"create", "--pid-file", absent + "/pid", bundle.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("--pid-file \"" + absent + "/pid\""));
    EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
}

TEST(Sockets, OfExecThatNobodyListensAtAreNamedWithTheirOption) {
    Running bundle;
    std::string absent = bundle.path() + "/absent";
    std::string file = bundle.process({"sleep", "998"}, true);
    Receiver consoles(bundle.path() + "/console");
    for (const Strings& options :
         {Strings{"--console-socket", absent},
          Strings{"--pidfd-socket", absent, "--console-socket", consoles.path()},
          Strings{"--pid-file", absent + "/pid", "--console-socket", consoles.path()}}) {
        Strings words{"exec", "--detach", "--process", file, "--pid-file", "pid"};
        words.insert(words.end(), options.begin(), options.end());
        words.push_back(bundle.id());
        Ended ended = bundle.runtime(words);
        EXPECT_EQ(ended.status, 255);
        EXPECT_THAT(ended.err, AllOf(HasSubstr(options[0]), HasSubstr("\"" + options[1] + "\"")));
        EXPECT_FALSE(support::try_slurp(bundle.folder() / "pid")) << "for conmon, it has started";
        EXPECT_EQ(support::lines(bundle.runtime({"ps", "--format", "json", bundle.id()}).out),
                  Strings{"[" + std::to_string(bundle.pid()) + "]"});
        if (options.size() > 2)
            (void)consoles.receive();
    }
}

// --- exec in the foreground, as CRI-O does it for `kubectl exec` ---------------------------------

/// What the shell `sh -c SCRIPT` waits with, until a line ends: what it has of one when its second
/// is over, busybox's read throws away.
const std::string kUntilTyped = "until read -t 1 x; do :; done; ";

TEST(ForegroundExec, HasATerminalInsideTheCallers) {
    Running bundle;
    std::string file = bundle.process({"sh", "-c",
                                       "stty size; tty; test -t 0 && test -t 1 && test -t 2 && "
                                       "trap 'echo now $(stty size)' WINCH; trap 'echo heard' INT; "
                                       "echo u''p; " +
                                           kUntilTyped + "exit 5"},
                                      true);
    Strings words{"sh", "-c", "stty -g; \"$@\"; s=$?; stty -g; exit $s", "sh"};
    for (const std::string& word : bundle.command({"exec", "--process", file, bundle.id()}).argv)
        words.push_back(word);
    Terminal terminal({.argv = words}, 31, 97);
    std::string before = terminal.take("\r\n");
    EXPECT_THAT(terminal.take("up\r\n"), StartsWith("31 97\r\n/dev/pts/")); // from the start
    EXPECT_EQ(terminal.modes().c_lflag & (ICANON | ECHO | ISIG), 0U) << "the outer one is raw";
    EXPECT_EQ(terminal.modes().c_oflag & OPOST, 0U);

    // The inner one is the container's, and none of the caller's.
    pid_t command = 0;
    for (pid_t pid : support::descendants_of(terminal.pid())) {
        auto line = support::try_slurp("/proc/" + std::to_string(pid) + "/cmdline");
        if (line && line->contains("u''p"))
            command = pid;
    }
    ASSERT_NE(command, 0);
    struct stat inner{}, outer{};
    ASSERT_EQ(stat(("/proc/" + std::to_string(command) + "/fd/0").c_str(), &inner), 0);
    ASSERT_EQ(stat(("/proc/" + std::to_string(terminal.pid()) + "/fd/0").c_str(), &outer), 0);
    EXPECT_NE(inner.st_dev, outer.st_dev);

    terminal.resize(23, 81);
    terminal.until("now 23 81\r\n");
    terminal.type("\3");
    terminal.until("heard\r\n");
    terminal.type("end\n");
    terminal.until("end\r\n"); // echoed by the inner one
    EXPECT_EQ(terminal.take("\r\n"), before.substr(0, before.size())) << "restored";
    EXPECT_EQ(terminal.wait().status, 5);
}

TEST(ForegroundExec, OnATerminalEndsWithTheSignalThatEndedIt) {
    Running bundle;
    std::string file = bundle.process({"cat"}, true); // no shell, which catches some of them
    for (const char* how : {"\3", "\x1c"}) {
        Terminal terminal(bundle.command({"exec", "--process", file, bundle.id()}));
        terminal.type("up\n");
        terminal.until("up\r\nup\r\n");
        terminal.type(how);
        EXPECT_EQ(terminal.wait().status, 128 + (*how == '\3' ? SIGINT : SIGQUIT));
    }
    Terminal terminal(bundle.command({"exec", "--process", file, bundle.id()}));
    terminal.type("up\n");
    terminal.until("up\r\nup\r\n");
    auto all = [&] { return bundle.runtime({"ps", "--format", "json", bundle.id()}).out; };
    EXPECT_THAT(all(), HasSubstr(","));
    terminal.hang_up(); // the client has gone
    EXPECT_TRUE(support::eventually([&] { return !all().contains(','); })) << all();
}

TEST(ForegroundExec, WithoutATerminalHasTheCallersStreams) {
    Running bundle;
    std::string file = bundle.process({"sh", "-c", "echo err >&2; cat; kill -KILL $$"}, false);
    Process exec(bundle.command({"exec", "--process", file, bundle.id()}));
    exec.type("up\n");
    exec.until("up\n");
    pid_t command = support::descendants_of(exec.pid()).back();
    auto ours = support::descriptors(exec.pid());
    auto its = support::descriptors(command);
    for (int stream : {0, 1, 2})
        EXPECT_EQ(its[stream], ours[stream]) << stream;
    std::string bytes("a\0b\r\n\x04\x03\xff", 9);
    exec.type(bytes);
    exec.close_input();
    Ended ended = exec.wait();
    EXPECT_EQ(ended.out, "up\n" + bytes);
    EXPECT_EQ(ended.err, "err\n");
    EXPECT_EQ(ended.status, 128 + SIGKILL);
}

TEST(ForegroundExec, PassesSignalsOn) {
    Running bundle;
    struct Named {
        int number;
        const char* name;
    };
    const Named kAll[] = {{SIGTERM, "TERM"},   {SIGHUP, "HUP"},      {SIGINT, "INT"},
                          {SIGQUIT, "QUIT"},   {SIGUSR1, "USR1"},    {SIGUSR2, "USR2"},
                          {SIGWINCH, "WINCH"}, {SIGCONT, "CONT"},    {SIGABRT, "ABRT"},
                          {SIGPROF, "PROF"},   {SIGRTMIN + 3, "37"}, {SIGRTMAX, "64"}};
    std::string file =
        bundle.process({"sh", "-c",
                        "for s in TERM HUP INT QUIT USR1 USR2 WINCH CONT ABRT PROF 37 64; do "
                        "trap \"echo got-$s\" $s; done; echo up; " +
                            kUntilTyped + "exit 9"},
                       false);
    Process exec(bundle.command({"exec", "--process", file, bundle.id()}));
    exec.until("up\n");
    for (Named one : kAll) {
        exec.kill(one.number);
        exec.until(std::string("got-") + one.name + "\n");
    }
    exec.type("end\n");
    Ended ended = exec.wait();
    EXPECT_EQ(ended.status, 9);
    EXPECT_EQ(support::lines(ended.out).size(), 1 + std::size(kAll)) << "each came once";

    file = bundle.process({"cat"}, false);
    for (Named one : kAll) {
        if (one.number == SIGWINCH || one.number == SIGCONT) // which end nobody
            continue;
        Process ends(bundle.command({"exec", "--process", file, bundle.id()}));
        ends.type("up\n");
        ends.until("up\n");
        ends.kill(one.number);
        EXPECT_EQ(ends.wait().status, 128 + one.number) << one.name;
    }
}

// --- a terminal without somebody at it -----------------------------------------------------------

// From a script: what is piped in is what somebody types, and its end is the end of input.
TEST(Console, TakesWhatIsPipedIn) {
    Bundle bundle;
    std::string token = support::token();
    bundle.config["process"]["terminal"] = true;
    bundle.args({"sh", "-c", "read word; tty; echo $word-" + token + "; cat; exit 7"});
    bundle.save();
    for (const char* rest : {"rest\n", "rest"}) {
        Ended ended = bundle.runtime(
            {"run", bundle.id()}, {.argv = {}, .input = token + "\n" + rest, .input_ends = true});
        EXPECT_EQ(ended.status, 7) << ended.err;
        EXPECT_EQ(ended.err, "");
        EXPECT_THAT(ended.out, HasSubstr("/dev/pts/0\r\n" + token + "-" + token + "\r\nrest"));
    }
    bundle.config["process"]["terminal"] = false;
    bundle.args({"sleep", "1000"});
    bundle.start();
    Ended ended = bundle.runtime(
        {"exec", "-t", bundle.id(), "sh", "-c", "read word; echo $word-ok; tty; cat"},
        {.argv = {}, .input = token + "\n", .input_ends = true});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr(token + "-ok\r\n/dev/"));
}

// A shell that edits lines takes the line discipline's ^D away before its first prompt.
TEST(Console, EndsAShellThatIsGivenNothing) {
    Bundle bundle;
    bundle.config["process"]["terminal"] = true;
    bundle.args({"sh"});
    bundle.save();
    for (const char* input : {"", "exit 3\n"}) {
        Ended ended =
            bundle.runtime({"run", bundle.id()}, {.argv = {}, .input = input, .input_ends = true});
        EXPECT_EQ(ended.status, *input != '\0' ? 3 : 0) << ended.err;
        EXPECT_EQ(ended.signal, 0);
    }
}

} // namespace
