// Lesson 10: `mine PID DEVICE COMMAND…` gives the network namespace of PID a way out, by
// slirp4netns, for as long as the command runs.
#include "tests/exercise/mine.hpp"
#include "tests/support/session.hpp"

#include <gmock/gmock.h>

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace exercise;
using testing::HasSubstr;
using testing::Not;

namespace {

class Slirp : public testing::Test {
protected:
    std::string device = "tap" + token().substr(0, 8);
    std::unique_ptr<Process> idle;
    void SetUp() override {
        if (std::string missing = lacks("slirp4netns,tun"); !missing.empty())
            GTEST_SKIP() << "this needs " << missing;
        idle = std::make_unique<Process>(Command{.argv = {"unshare", "-Urn", "cat"}});
        idle->type("ready\n");
        idle->until("ready");
    }
    std::string of(const std::string& file) const {
        return "/proc/" + std::to_string(idle->pid()) + "/net/" + file;
    }
    Strings with_network(const Strings& command) const {
        return mine(joined({std::to_string(idle->pid()), device}, command));
    }
};

/// errno of a connection to 10.0.2.2, where slirp4netns shows the host's loopback, or doesn't.
std::string connect_to_host(in_port_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval patience{.tv_sec = 5, .tv_usec = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in to{.sin_family = AF_INET,
                   .sin_port = port,
                   .sin_addr = {inet_addr("10.0.2.2")},
                   .sin_zero = {}};
    int failed = connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to);
    close(fd);
    return failed == 0 ? "connected" : "refused";
}

} // namespace

TEST_F(Slirp, TheWayOutIsThereWhenTheCommandRuns) {
    Ended ended = run({.argv = with_network({"cat", of("route"), of("dev")})});
    EXPECT_THAT(ended.out, HasSubstr(device + "\t00000000\t0202000A")) << ended.err; // default
    EXPECT_THAT(ended.out, HasSubstr(device + ":"));
}

TEST_F(Slirp, TheHostsLoopbackStaysClosed) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof at;
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&at), size), 0);
    ASSERT_EQ(listen(listener, 1), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size), 0);
    Process shell({.argv = with_network({"sh"})});
    shell.type("echo ready\n");
    shell.until("ready");
    EXPECT_THAT(slurp(of("route")), HasSubstr(device));
    EXPECT_EQ(in_namespaces(idle->pid(), {"user", "net"},
                            [port = at.sin_port] { return connect_to_host(port); }),
              "refused");
    shell.type("exit\n");
    (void)shell.wait();
    close(listener);
}

TEST_F(Slirp, ItEndsWithTheCommandAndItsStatus) {
    Ended ended = run({.argv = with_network({"sh", "-c", "exit 7"})});
    EXPECT_EQ(ended.status, 7) << ended.err;
    EXPECT_TRUE(eventually([&] { return slurp(of("dev")).find(device) == std::string::npos; },
                           Duration{5000}))
        << "the device is still there: somebody holds it";
}
