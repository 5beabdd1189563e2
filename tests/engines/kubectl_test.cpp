// `kubectl exec` and `kubectl attach`, by the URL that containerd's CRI plugin gives a kubelet for
// them, to a container of a pod with our handler.
#include "tests/engines/cri.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace engines;
using testing::HasSubstr;

const Strings kIdle{"sleep", "1000000"};

class Kubectl : public WithKubelet {};

json on_terminal(const Strings& command = {}) {
    json request{{"tty", true}, {"stdin", true}, {"stdout", true}};
    if (!command.empty())
        request["cmd"] = command;
    return request;
}

/// Tells its size from the start, and whenever that changes; goes on behind ^C, and ends with 5
/// when a line that is typed ends: what it has of one when its second is over, busybox's read
/// throws away.
const Strings kTold{"sh", "-c",
                    "trap 'echo now $(stty size)' WINCH; trap 'echo heard' INT; stty size; tty; "
                    "test -t 0 && test -t 1 && test -t 2 && echo u''p; "
                    "until read -t 1 x; do :; done; exit 5"};

/// Wait until a client that has just attached to it shows its size. What it says is lost as long as
/// the plugin does not hand it on to the client yet, and it may have been told the size by then: so
/// that changes until it is seen.
void until_told(Terminal& client, int rows, int columns) {
    auto shows = [&](int width) {
        return client.screen().contains("now " + std::to_string(rows) + " " +
                                        std::to_string(width) + "\r\n");
    };
    int turn = 0;
    EXPECT_TRUE(eventually([&] {
        client.resize(static_cast<unsigned short>(rows),
                      static_cast<unsigned short>(columns + turn++ % 2));
        return eventually(
            [&] { return client.running() && (shows(columns) || shows(columns + 1)); },
            Duration{500});
    })) << client.screen();
}

TEST_F(Kubectl, ExecsOnATerminal) {
    Pod pod(cri);
    PodContainer box(pod, kIdle);
    Terminal terminal(box.stream("Exec", on_terminal(kTold)), 31, 97);
    EXPECT_THAT(terminal.take("up\r\n"), HasSubstr("/dev/pts/"));
    terminal.resize(23, 81);
    terminal.until("now 23 81\r\n");
    terminal.type("\3");
    terminal.until("heard\r\n");
    terminal.type("end\n");
    EXPECT_EQ(terminal.wait().status, 5);
}

TEST_F(Kubectl, ExecsWithStreams) {
    Pod pod(cri);
    PodContainer box(pod, kIdle);
    json request{{"stdin", true}, {"stdout", true}, {"stderr", true}};
    request["cmd"] = {"sh", "-c", "echo err >&2; read line; echo got $line; exit 7"};
    Process client(box.stream("Exec", request));
    client.type(word + "\n");
    Ended ended = client.wait();
    EXPECT_EQ(ended.out, "got " + word + "\n");
    EXPECT_EQ(ended.err, "err\n");
    EXPECT_EQ(ended.status, 7);
    request["cmd"] = {"sh", "-c", "kill -9 $$"};
    EXPECT_EQ(Process(box.stream("Exec", request)).wait().status, 137);
    request["cmd"] = {word};
    Ended absent = Process(box.stream("Exec", request)).wait();
    EXPECT_NE(absent.status, 0);
    EXPECT_THAT(absent.err,
                HasSubstr("exec: \"" + word + "\": executable file not found in $PATH"));
}

TEST_F(Kubectl, AttachesToATerminal) {
    Pod pod(cri);
    PodContainer box(pod, kTold, {{"tty", true}, {"stdin", true}});
    ASSERT_TRUE(eventually([&] { return box.log().contains("up"); }));
    {
        Terminal first(box.stream("Attach", on_terminal()), 31, 97);
        until_told(first, 31, 97);
        first.hang_up();
    }
    EXPECT_EQ(box.status()["status"]["state"], "CONTAINER_RUNNING"); // it has only lost a client
    Terminal second(box.stream("Attach", on_terminal()), 23, 81);
    until_told(second, 23, 81);
    second.type("\3");
    second.until("heard\r\n");
    second.type("end\n");
    EXPECT_EQ(box.ended()["exit_code"], 5);
    EXPECT_EQ(second.wait().status, 0);
}

TEST_F(Kubectl, AttachesToStreams) {
    Pod pod(cri);
    PodContainer box(pod,
                     {"sh", "-c",
                      "while read line; do echo err >&2; echo got $line; "
                      "[ $line != end ] || exit 4; done"},
                     {{"stdin", true}});
    Process client(box.stream("Attach", {{"stdin", true}, {"stdout", true}, {"stderr", true}}));
    // The plugin hands on first what is typed, then what is said, and, once the container ends, of
    // two streams perhaps the one only: the first answers may be lost, and the last.
    EXPECT_TRUE(eventually([&] {
        client.type(word + "\n");
        return client.running() && client.out().contains("got " + word + "\n") &&
               client.err().contains("err\n");
    })) << client.out()
        << client.err();
    client.type("end\n");
    EXPECT_EQ(box.ended()["exit_code"], 4);
}

} // namespace
