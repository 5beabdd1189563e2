// net, from outside: servers and clients on both sides of a container's network, on a host that
// the test makes (net_host.hpp). What is expected is always a token that nobody could guess.
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/system/net_host.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>

namespace {

using namespace std::chrono_literals;
using support::Ended;
using support::eventually;
using support::Process;
using support::Strings;
using support::token;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr const char* kGateway = "10.0.2.2";
constexpr const char* kResolver = "10.0.2.3";

/// Once for each of the two programs.
class Net : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (std::string why = host::lacks(); !why.empty())
            GTEST_SKIP() << why;
    }
    /// `gocontainer parent -q --net MODE OPTIONS -- COMMAND`
    static support::Command launch(Strings options, const Strings& command) {
        options.insert(options.begin(), {"-q", "--net", GetParam()});
        return host::launch(options, command);
    }
};
INSTANTIATE_TEST_SUITE_P(, Net, testing::Values("slirp", "pasta"),
                         [](const auto& each) { return std::string(each.param); });

std::string number(int value) {
    return std::to_string(value);
}

/// Serve `text` on a TCP port of the container, as often as somebody comes and says something:
/// Debian 12's pasta lets nothing through before the client has spoken.
std::string server(int port, const std::string& text) {
    return "nc -ll -p " + number(port) + " -e sh -c 'read line; echo " + text + "' & ";
}

/// Print what a server says. Debian 12's pasta may swallow the server's goodbye.
Strings client(const std::string& address, int port) {
    return {"sh", "-c",
            "exec 2>/dev/null; timeout 5 nc " + address + " " + number(port) + "; true"};
}

bool fetches(const std::string& address, int port, const std::string& text) {
    return eventually(
        [&] { return host::fetch(address, static_cast<std::uint16_t>(port)) == text + "\n"; });
}

TEST_P(Net, PublishesTcpPorts) {
    host::run([] {
        std::string one = token();
        std::string two = token();
        std::string three = token();
        std::uint16_t port = host::free_port();
        std::uint16_t local = host::free_port();
        std::string range = number(port) + "-" + number(port + 1) + ":8080-8081";
        std::string bound = "127.0.0.1:" + number(local) + ":8082";
        std::string servers = server(8080, one) + server(8081, two) + server(8082, three);
        Process run(launch({"-p", range, "-p", bound}, {"sh", "-c", servers + "echo up; wait"}));
        run.until("up\n");
        EXPECT_TRUE(fetches(host::kAddress, port, one));
        EXPECT_TRUE(fetches("127.0.0.1", port, one));
        EXPECT_TRUE(fetches(host::kAddress, port + 1, two));
        EXPECT_TRUE(fetches("127.0.0.1", local, three));
        EXPECT_EQ(host::fetch(host::kAddress, local), "") << "bound to 127.0.0.1 alone";
        EXPECT_EQ(host::fetch("127.0.0.1", 8080), "") << "not published";
        EXPECT_THAT(host::runtime_files(), IsEmpty()) << "while it runs";
        run.kill(SIGKILL);
        run.wait();
        EXPECT_TRUE(eventually([] { return host::processes().empty(); }));
        EXPECT_EQ(host::fetch("127.0.0.1", port), "") << "still published";
    });
}

/// Answer each datagram with `secret` and what it said.
[[noreturn]] void echo(const std::string& secret) {
    int fd = host::serve("0.0.0.0", 5353, /*udp=*/true);
    for (;;) {
        char buffer[512];
        sockaddr_in from{};
        socklen_t length = sizeof from;
        auto* sender = reinterpret_cast<sockaddr*>(&from);
        ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, sender, &length);
        std::string reply = secret + std::string(buffer, static_cast<std::size_t>(got));
        sendto(fd, reply.data(), reply.size(), 0, sender, length);
    }
}

std::string ask(std::uint16_t port, const std::string& question, const char* address) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, address, &to.sin_addr);
    sendto(fd, question.data(), question.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    char buffer[512];
    ssize_t got = poll(&ready, 1, 500) == 1 ? recv(fd, buffer, sizeof buffer, 0) : 0;
    close(fd);
    return {buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

const Strings kIdle = {"sleep", "1000"};
const Strings kToldIdle = {"sh", "-c", "echo up; sleep 1000"};

/// Does the container that `launch` starts, with kToldIdle, answer at `port` of `address` for its
/// own UDP port 5353?
void expect_udp(support::Command launch, std::uint16_t port, const char* address) {
    Process run(std::move(launch));
    run.until("up\n");
    pid_t inside = -1;
    ASSERT_TRUE(
        eventually([&] { return (inside = support::find_container(run.pid(), kIdle).first) > 0; }));
    // busybox has no UDP server, so one of ours goes to stand in the container's network.
    std::string secret = token();
    std::string question = token();
    pid_t server = host::in_background([&] { echo(secret); }, inside);
    EXPECT_TRUE(eventually([&] { return ask(port, question, address) == secret + question; }));
    host::end(server);
}

TEST_P(Net, PublishesUdpPorts) {
    host::run([] {
        std::uint16_t port = host::free_port();
        expect_udp(launch({"-p", number(port) + ":5353/udp"}, kToldIdle), port, host::kAddress);
    });
}

// Debian 12's pasta brings back no answer where the two ports differ.
TEST_P(Net, AnswersByUdpOnTheHostsLoopbackWhereThatIsOpen) {
    host::run([] {
        expect_udp(launch({"--allow-host-loopback", "-p", "5353:5353/udp"}, kToldIdle), 5353,
                   "127.0.0.1");
    });
}

TEST_P(Net, ReachesServersOnTheHost) {
    host::run([] {
        std::string text = token();
        std::uint16_t port = host::free_port();
        int listener = host::serve(host::kAddress, port);
        Process run(launch({}, client(host::kAddress, port)));
        EXPECT_TRUE(host::answer(listener, text));
        Ended ended = run.wait();
        EXPECT_EQ(ended.out, text);
        EXPECT_EQ(ended.err, "");
    });
}

/// Answer DNS questions for A records from `names`, until killed; with nothing to all others.
[[noreturn]] void resolve(int fd, const std::map<std::string, std::string>& names) {
    for (;;) {
        unsigned char packet[512];
        sockaddr_in from{};
        socklen_t length = sizeof from;
        auto* sender = reinterpret_cast<sockaddr*>(&from);
        ssize_t got = recvfrom(fd, packet, sizeof packet - 16, 0, sender, &length);
        if (got < 17)
            continue;
        std::size_t at = 12;
        std::string name;
        while (packet[at] != 0 && at < static_cast<std::size_t>(got)) {
            name += (name.empty() ? "" : ".") +
                    std::string(reinterpret_cast<char*>(packet + at + 1), packet[at]);
            at += packet[at] + 1U;
        }
        auto found = names.find(name);
        bool answers = packet[at + 2] == 1 && found != names.end(); // type A
        std::size_t end = at + 5;
        packet[2] = 0x85;                               // a response, authoritative
        packet[3] = found != names.end() ? 0x80 : 0x83; // no error, or no such name
        memset(packet + 6, 0, 6);
        packet[7] = answers ? 1 : 0;
        if (answers) {
            const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
            memcpy(packet + end, record, sizeof record);
            inet_pton(AF_INET, found->second.c_str(), packet + end + sizeof record);
            end += sizeof record + 4;
        }
        sendto(fd, packet, end, 0, sender, length);
    }
}

std::string random_address() {
    std::random_device dice;
    return "198.51.100." + number(static_cast<int>(dice() % 254) + 1);
}

TEST_P(Net, ResolvesNamesAsTheHostDoes) {
    std::string domain = token() + ".test";
    auto body = [&] {
        std::string name = token() + "." + domain;
        std::string address = random_address();
        int fd = host::serve("127.0.0.53", 53, /*udp=*/true); // as systemd-resolved has it
        pid_t resolver = host::in_background([&] { resolve(fd, {{name, address}}); });
        Ended ended = support::run(
            launch({}, {"sh", "-c", "nslookup -type=a " + name + "; cat /etc/resolv.conf"}));
        EXPECT_THAT(ended.out, HasSubstr("Address: " + address + "\n")) << ended.err;
        EXPECT_THAT(ended.out, HasSubstr("search " + domain + "\noptions ndots:3\n"));
        EXPECT_THAT(ended.out, HasSubstr(std::string("nameserver ") + kResolver + "\n"));
        EXPECT_THAT(ended.out, Not(HasSubstr("127.0.0.53")));
        host::end(resolver);
    };
    host::run(body, "search " + domain + "\noptions ndots:3\n");
}

TEST_P(Net, AsksTheResolverThatIsNamed) {
    host::run([] {
        std::string name = token() + ".test";
        std::string address = random_address();
        int fd = host::serve(host::kAddress, 53, /*udp=*/true);
        pid_t resolver = host::in_background([&] { resolve(fd, {{name, address}}); });
        Ended ended =
            support::run(launch({"--dns", host::kAddress}, {"nslookup", "-type=a", name}));
        EXPECT_THAT(ended.out, HasSubstr("Address: " + address + "\n")) << ended.err;
        host::end(resolver);
    });
}

TEST_P(Net, LeavesTheResolversToAVolume) {
    host::run([] {
        support::Scratch scratch;
        std::string word = token();
        std::string file = scratch.file("file", word);
        Ended ended = support::run(
            launch({"-v", file + ":/etc/resolv.conf:ro"}, {"cat", "/etc/resolv.conf"}));
        EXPECT_EQ(ended.out, word) << ended.err;
    });
}

TEST_P(Net, KeepsTheHostsLoopbackClosed) {
    host::run([] {
        std::uint16_t port = host::free_port();
        // The resolver too: the way to it must not be a way to its other ports.
        int loopback = host::serve("127.0.0.1", port);
        int stub = host::serve("127.0.0.53", port);
        std::string script;
        for (const char* address : {kGateway, kResolver, "127.0.0.1", "10.0.2.255", "0.0.0.0"})
            script += std::string("nc -w 1 ") + address + " " + number(port) + "; ";
        Process run(launch({}, {"sh", "-c", script + "echo done"}));
        run.until("done\n");
        EXPECT_FALSE(host::answer(loopback, "out", 0s));
        EXPECT_FALSE(host::answer(stub, "out", 0s));
        EXPECT_EQ(run.wait().out, "done\n");
    });
}

TEST_P(Net, OpensTheHostsLoopbackWhereAsked) {
    host::run([] {
        std::string text = token();
        std::uint16_t port = host::free_port();
        int listener = host::serve("127.0.0.1", port);
        Process run(launch({"--allow-host-loopback"}, client(kGateway, port)));
        EXPECT_TRUE(host::answer(listener, text));
        EXPECT_EQ(run.wait().out, text);
    });
}

TEST_P(Net, StartsWhateverSignalsTheCallerIgnores) {
    host::run([] {
        support::Command command = launch({}, {"ip", "-o", "link", "show", "tap0"});
        command.before_exec = [] {
            for (int ignored : {SIGPIPE, SIGCHLD, SIGTERM, SIGINT})
                signal(ignored, SIG_IGN);
        };
        Ended ended = support::run(std::move(command));
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_THAT(ended.out, HasSubstr("tap0"));
    });
}

TEST_P(Net, IsUpFromTheFirstMoment) {
    host::run([] {
        Ended ended = support::run(launch({}, {"ip", "-o", "link", "show", "tap0"}));
        EXPECT_THAT(ended.out, HasSubstr("LOWER_UP"));
        // Older kernels take up to a second to show it so, though the link works.
        utsname names{};
        uname(&names);
        int major = 0;
        int minor = 0;
        ASSERT_EQ(sscanf(names.release, "%d.%d", &major, &minor), 2) << names.release;
        if (std::pair(major, minor) >= std::pair(6, 8)) {
            EXPECT_THAT(ended.out, Not(HasSubstr("NO-CARRIER")));
        }
        EXPECT_EQ(ended.err, "");
    });
}

TEST(NetHelper, Slirp4netnsHasItsSandboxAndFilter) {
    if (std::string why = host::lacks(); !why.empty())
        GTEST_SKIP() << why;
    host::run([] {
        Process run(host::launch({"-q", "--net", "slirp"}, {"sh", "-c", "echo up; sleep 1000"}));
        run.until("up\n");
        pid_t helper = 0;
        for (pid_t child : support::children_of(run.pid()))
            if (support::status(child)["Name"] == "slirp4netns")
                helper = child;
        ASSERT_NE(helper, 0);
        auto status = support::status(helper);
        EXPECT_EQ(status["Seccomp"], "2");
        EXPECT_EQ(status["NoNewPrivs"], "1");
        EXPECT_EQ(support::status_bits(helper, "CapEff") & ~(1U << 10), 0U) // NET_BIND_SERVICE
            << status["CapEff"];
        Strings root;
        for (const auto& entry :
             std::filesystem::directory_iterator("/proc/" + number(helper) + "/root"))
            root.push_back(entry.path().filename());
        EXPECT_THAT(root, UnorderedElementsAre("etc", "run"));
    });
}

} // namespace
