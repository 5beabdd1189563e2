// net, from outside: servers and clients on both sides of a container's network, on a host that
// the test makes (net_host.hpp). What is expected is always a token that nobody could guess.
#include "tests/system/net_host.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <thread>

namespace {

using host::Launch;
using host::Words;
using namespace std::chrono_literals;

constexpr const char* kGateway = "10.0.2.2";
constexpr const char* kResolver = "10.0.2.3";

/// Once for each of the two programs.
class Net : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (std::string why = host::lacks(); !why.empty())
            GTEST_SKIP() << why;
    }
    static std::string mode() { return GetParam(); }
    static std::string program() { return mode() == "slirp" ? "slirp4netns" : "pasta"; }
    static Words with(Words options) {
        options.insert(options.begin(), {"-q", "--net", mode()});
        return options;
    }
};

/// Without a parameter: what does not depend on the program.
class NetHost : public testing::Test {
protected:
    void SetUp() override {
        if (std::string why = host::lacks(); !why.empty())
            GTEST_SKIP() << why;
    }
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

void expect_nothing_left() {
    EXPECT_EQ(host::processes(), Words{});
    EXPECT_EQ(host::files(getenv("XDG_RUNTIME_DIR")), Words{});
}

/// Serve `text` on a TCP port of the container, as often as somebody comes and says something:
/// Debian 12's pasta lets nothing through before the client has spoken.
std::string server(int port, const std::string& text) {
    return "nc -ll -p " + std::to_string(port) + " -e sh -c 'read line; echo " + text + "' & ";
}

std::string number(int value) {
    return std::to_string(value);
}

bool fetches(const std::string& address, std::uint16_t port, const std::string& text) {
    return host::eventually([&] { return host::fetch(address, port) == text + "\n"; });
}

/// A command that prints what a server says. Debian 12's pasta may swallow the server's goodbye.
Words client(const std::string& address, std::uint16_t port) {
    return {"sh", "-c",
            "exec 2>/dev/null; timeout 3 nc " + address + " " + number(port) + "; true"};
}

TEST_P(Net, PublishesTcpPorts) {
    host::run([] {
        std::string one = host::token();
        std::string two = host::token();
        std::string three = host::token();
        std::uint16_t port = host::free_port();
        std::uint16_t local = host::free_port();
        Launch run(with({"-p", number(port) + "-" + number(port + 1) + ":8080-8081", "-p",
                         "127.0.0.1:" + number(local) + ":8082"}),
                   {"sh", "-c",
                    server(8080, one) + server(8081, two) + server(8082, three) + "echo up; wait"});
        EXPECT_EQ(run.line(), "up");
        EXPECT_TRUE(fetches(host::kAddress, port, one));
        EXPECT_TRUE(fetches("127.0.0.1", port, one));
        EXPECT_TRUE(fetches(host::kAddress, static_cast<std::uint16_t>(port + 1), two));
        EXPECT_TRUE(fetches("127.0.0.1", local, three));
        EXPECT_EQ(host::fetch(host::kAddress, local), "") << "bound to 127.0.0.1 alone";
        EXPECT_EQ(host::fetch("127.0.0.1", 8080), "") << "not published";
        EXPECT_EQ(host::files(getenv("XDG_RUNTIME_DIR")), Words{}) << "while it runs";
        run.kill(SIGTERM); // sh has no handler, and PID 1 ignores what it has no handler for
        run.kill(SIGKILL);
        run.wait();
        EXPECT_TRUE(host::eventually([] { return host::processes().empty(); }));
        EXPECT_EQ(host::fetch("127.0.0.1", port), "") << "still published";
    });
}

TEST_P(Net, PublishesUdpPorts) {
    host::run([] {
        std::uint16_t port = host::free_port();
        Launch run(with({"-p", number(port) + ":5353/udp"}),
                   {"sh", "-c", "echo up; exec sleep 100"});
        EXPECT_EQ(run.line(), "up");
        ASSERT_NE(run.inside(), 0);
        // busybox has no UDP server, so one of ours goes to stand in the container's network.
        std::string secret = host::token();
        pid_t echo = host::in_network_of(run.inside(), [&] {
            int fd = host::serve("0.0.0.0", 5353, /*udp=*/true);
            for (;;) {
                char buffer[512];
                sockaddr_in from{};
                socklen_t length = sizeof from;
                ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0,
                                       reinterpret_cast<sockaddr*>(&from), &length);
                std::string reply = secret + std::string(buffer, static_cast<std::size_t>(got));
                sendto(fd, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from),
                       length);
            }
        });
        std::string question = host::token();
        std::string reply;
        EXPECT_TRUE(host::eventually([&] {
            int fd = host::serve("0.0.0.0", 0, /*udp=*/true);
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(port);
            inet_pton(AF_INET, host::kAddress, &to.sin_addr);
            sendto(fd, question.data(), question.size(), 0, reinterpret_cast<sockaddr*>(&to),
                   sizeof to);
            pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
            char buffer[512];
            ssize_t got = poll(&ready, 1, 500) == 1 ? recv(fd, buffer, sizeof buffer, 0) : 0;
            reply.assign(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            close(fd);
            return reply == secret + question;
        })) << reply;
        kill(echo, SIGKILL);
        waitpid(echo, nullptr, 0);
    });
}

TEST_P(Net, ReachesServersOnTheHost) {
    host::run([] {
        std::string text = host::token();
        std::uint16_t port = host::free_port();
        int listener = host::serve(host::kAddress, port);
        Launch run(with({}), client(host::kAddress, port));
        EXPECT_TRUE(host::answer(listener, text));
        run.wait();
        EXPECT_EQ(run.out(), text);
        EXPECT_EQ(run.err(), "");
        expect_nothing_left();
    });
}

/// Answer DNS questions for A records from `names`, until killed; with nothing to all others.
[[noreturn]] void resolve(int fd, const std::map<std::string, std::string>& names) {
    for (;;) {
        unsigned char packet[512];
        sockaddr_in from{};
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(fd, packet, sizeof packet - 16, 0,
                               reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 17)
            continue;
        std::size_t at = 12;
        std::string name;
        while (packet[at] != 0 && at < static_cast<std::size_t>(got)) {
            name += (name.empty() ? "" : ".") +
                    std::string(reinterpret_cast<char*>(packet + at + 1), packet[at]);
            at += packet[at] + 1U;
        }
        bool a_record = packet[at + 2] == 1;
        std::size_t end = at + 5;
        auto found = names.find(name);
        bool answers = a_record && found != names.end();
        packet[2] = 0x85; // a response, authoritative
        packet[3] = found != names.end() ? 0x80 : 0x83;
        memset(packet + 6, 0, 6);
        packet[7] = answers ? 1 : 0;
        if (answers) {
            const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
            memcpy(packet + end, record, sizeof record);
            inet_pton(AF_INET, found->second.c_str(), packet + end + sizeof record);
            end += sizeof record + 4;
        }
        sendto(fd, packet, end, 0, reinterpret_cast<sockaddr*>(&from), length);
    }
}

std::string random_address() {
    std::random_device dice;
    return "198.51.100." + number(static_cast<int>(dice() % 254) + 1);
}

TEST_P(Net, ResolvesNamesAsTheHostDoes) {
    std::string domain = host::token() + ".test";
    host::run(
        [&] {
            std::string name = host::token();
            std::string address = random_address();
            int fd = host::serve("127.0.0.53", 53, /*udp=*/true); // as systemd-resolved has it
            pid_t resolver = fork();
            if (resolver == 0)
                resolve(fd, {{name + "." + domain, address}});
            Launch run(
                with({}),
                {"sh", "-c", "nslookup -type=a " + name + "." + domain + "; cat /etc/resolv.conf"});
            run.wait();
            EXPECT_TRUE(has(run.out(), "Address: " + address + "\n")) << run.out() << run.err();
            EXPECT_TRUE(has(run.out(), "search " + domain + "\noptions ndots:3\n")) << run.out();
            EXPECT_TRUE(has(run.out(), std::string("nameserver ") + kResolver + "\n"));
            EXPECT_FALSE(has(run.out(), "127.0.0.53"));
            kill(resolver, SIGKILL);
            waitpid(resolver, nullptr, 0);
            expect_nothing_left();
        },
        "search " + domain + "\noptions ndots:3\n");
}

TEST_P(Net, AsksTheResolverThatIsNamed) {
    host::run([] {
        std::string name = host::token() + ".test";
        std::string address = random_address();
        int fd = host::serve(host::kAddress, 53, /*udp=*/true);
        pid_t resolver = fork();
        if (resolver == 0)
            resolve(fd, {{name, address}});
        Launch run(with({"--dns", host::kAddress}), {"nslookup", "-type=a", name});
        run.wait();
        EXPECT_TRUE(has(run.out(), "Address: " + address + "\n")) << run.out() << run.err();
        kill(resolver, SIGKILL);
        waitpid(resolver, nullptr, 0);
    });
}

TEST_P(Net, KeepsTheHostsLoopbackClosed) {
    host::run([] {
        std::uint16_t port = host::free_port();
        // The resolver's address as well: the way to it must not be a way to other ports there.
        int loopback = host::serve("127.0.0.1", port);
        int stub = host::serve("127.0.0.53", port);
        std::string script;
        for (const char* address : {kGateway, kResolver, "127.0.0.1", "10.0.2.255", "0.0.0.0"})
            script += std::string("nc -w 1 ") + address + " " + number(port) + "; ";
        Launch run(with({}), {"sh", "-c", script + "echo done"});
        EXPECT_FALSE(host::answer(loopback, "out", 6s));
        EXPECT_FALSE(host::answer(stub, "out", 0s));
        run.wait();
        EXPECT_EQ(run.out(), "done\n") << run.err();
    });
}

TEST_P(Net, OpensTheHostsLoopbackWhereAsked) {
    host::run([] {
        std::string text = host::token();
        std::uint16_t port = host::free_port();
        int listener = host::serve("127.0.0.1", port);
        Launch run(with({"--allow-host-loopback"}), client(kGateway, port));
        EXPECT_TRUE(host::answer(listener, text));
        run.wait();
        EXPECT_EQ(run.out(), text) << run.err();
    });
}

TEST_P(Net, SaysWhoHasThePort) {
    host::run([] {
        std::uint16_t port = host::free_port();
        pid_t holder = host::holding("0.0.0.0", port);
        Launch run(with({"-p", number(port + 1) + ":80", "-p", number(port) + ":81"}), {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), "net: ")) << run.err();
        EXPECT_TRUE(has(run.err(), "EADDRINUSE")) << run.err();
        EXPECT_TRUE(has(run.err(), "\"0.0.0.0:" + number(port) + "/tcp\"")) << run.err();
        EXPECT_TRUE(has(run.err(), "\"sleep\" (pid " + number(holder) + ")")) << run.err();
        kill(holder, SIGKILL);
        waitpid(holder, nullptr, 0);
        expect_nothing_left();
    });
}

TEST_P(Net, SaysThatAPortIsForRoot) {
    if (geteuid() == 0)
        GTEST_SKIP() << "root may publish any port";
    host::run([] {
        Launch run(with({"-p", "80:80"}), {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), "EACCES")) << run.err();
        EXPECT_TRUE(has(run.err(), "net.ipv4.ip_unprivileged_port_start")) << run.err();
        expect_nothing_left();
    });
}

TEST_P(Net, SaysThatAnAddressIsNotOfThisHost) {
    host::run([] {
        Launch run(with({"-p", "203.0.113.1:8080:80"}), {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), "\"203.0.113.1\" is not an address of this host")) << run.err();
        expect_nothing_left();
    });
}

TEST_P(Net, SaysThatTheProgramIsNotInstalled) {
    host::run([] {
        host::hide("/usr/bin/" + program());
        Launch run(with({}), {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), program() + " is not installed: ")) << run.err();
        EXPECT_TRUE(has(run.err(), "install ") || has(run.err(), "add ")) << run.err();
        expect_nothing_left();
    });
}

/// Put a script of that name before the real program on PATH.
void pretend(const std::string& program, const std::string& script) {
    std::string path = host::file("#!/bin/sh\n" + script + "\n", 0755);
    std::string directory = path + ".d";
    mkdir(directory.c_str(), 0755);
    rename(path.c_str(), (directory + "/" + program).c_str());
    setenv("PATH", (directory + ":" + getenv("PATH")).c_str(), 1);
}

TEST_P(Net, SaysWhatTheProgramSaidLast) {
    host::run([] {
        std::string words = host::token();
        pretend(program(), "echo first >&2; echo 'no luck " + words + "' >&2; exit 3");
        Launch run(with({}), {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), "net: " + program() +
                                       " ended before the network was up (exit "
                                       "status 3): \"no luck " +
                                       words + "\""))
            << run.err();
        EXPECT_FALSE(has(run.err(), "first"));
        expect_nothing_left();
    });
}

TEST_P(Net, SaysThatTheProgramWasKilled) {
    host::run([] {
        pretend(program(), "kill -9 $$");
        Launch run(with({}), {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), program() + " ended before the network was up (SIGKILL)"))
            << run.err();
        expect_nothing_left();
    });
}

TEST_P(Net, SaysThatTheTunDeviceIsMissing) {
    host::run([] {
        host::cover("/dev/net");
        Launch run(with({}), {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), "\"/dev/net/tun\"")) << run.err();
        EXPECT_TRUE(has(run.err(), "ENOENT")) << run.err();
        EXPECT_TRUE(has(run.err(), "modprobe tun")) << run.err();
        EXPECT_TRUE(has(run.err(), "--device /dev/net/tun")) << run.err();
        expect_nothing_left();
    });
}

TEST_P(Net, StaysOutOfTheTerminalsProcessGroup) {
    host::run([] {
        Launch run(with({}), {"sh", "-c", "trap '' INT; echo up; sleep 100"});
        EXPECT_EQ(run.line(), "up");
        // As Ctrl-C would: to every process of the group.
        ::kill(-run.pid(), SIGINT);
        std::this_thread::sleep_for(100ms);
        Words there = host::processes();
        EXPECT_TRUE(std::ranges::any_of(there, [](const std::string& name) {
            return name.starts_with("slirp") || name.starts_with("pas");
        })) << testing::PrintToString(there);
    });
}

TEST_P(Net, LeavesNothingWhenItIsKilled) {
    host::run([] {
        std::mt19937 dice{std::random_device{}()};
        for (int i = 0; i < 15; ++i) {
            std::uint16_t port = host::free_port();
            Launch run(with({"-p", number(port) + ":80"}), {"sleep", "100"});
            std::this_thread::sleep_for(std::chrono::microseconds(dice() % 120000));
            run.kill(SIGKILL);
            run.wait();
            EXPECT_TRUE(host::eventually([] { return host::processes().empty(); }))
                << testing::PrintToString(host::processes());
            EXPECT_TRUE(
                host::eventually([] { return host::files(getenv("XDG_RUNTIME_DIR")).empty(); }));
            EXPECT_EQ(host::fetch("127.0.0.1", port), "");
        }
    });
}

TEST_P(Net, EndsWithTheContainer) {
    host::run([] {
        for (int i = 0; i < 5; ++i) {
            Launch run(with({}), {"ip", "-o", "link", "show", "tap0"});
            EXPECT_EQ(run.wait(), 0) << run.err();
            EXPECT_TRUE(has(run.out(), "UP")) << run.out();
            EXPECT_FALSE(has(run.out(), "NO-CARRIER")) << run.out();
            expect_nothing_left(); // at once: gocontainer has waited for it
        }
    });
}

INSTANTIATE_TEST_SUITE_P(, Net, testing::Values("slirp", "pasta"),
                         [](const auto& each) { return std::string(each.param); });

TEST_F(NetHost, UsesPastaWhereSlirp4netnsIsMissing) {
    host::run([] {
        host::hide("/usr/bin/slirp4netns");
        Launch run({"-q"}, {"sh", "-c", "echo up; exec sleep 100"});
        EXPECT_EQ(run.line(), "up");
        Words there = host::processes();
        EXPECT_TRUE(std::ranges::any_of(
            there, [](const std::string& name) { return name.starts_with("pas"); }));
    });
}

TEST_F(NetHost, GoesOnWithLoopbackOnly) {
    host::run([] {
        host::hide("/usr/bin/slirp4netns");
        host::hide("/usr/bin/pasta");
        Launch run({}, {"ip", "-o", "link"});
        EXPECT_EQ(run.wait(), 0) << run.err();
        EXPECT_TRUE(has(run.out(), "1: lo: <LOOPBACK,UP,LOWER_UP>")) << run.out();
        EXPECT_EQ(run.out().find('\n'), run.out().size() - 1) << "only that: " << run.out();
        EXPECT_TRUE(has(run.err(), "neither slirp4netns nor pasta is installed")) << run.err();
        EXPECT_TRUE(has(run.err(), "slirp4netns'")) << run.err();
        Launch ports({"-p", "8080:80"}, {"true"});
        EXPECT_EQ(ports.wait(), 125);
        EXPECT_TRUE(has(ports.err(), "-p needs slirp4netns or pasta")) << ports.err();
    });
}

TEST_F(NetHost, NoneIsLoopbackOnly) {
    host::run([] {
        Launch run({"-q", "--net", "none"}, {"ip", "-o", "link"});
        EXPECT_EQ(run.wait(), 0) << run.err();
        EXPECT_TRUE(has(run.out(), "1: lo: <LOOPBACK,UP,LOWER_UP>")) << run.out();
        EXPECT_EQ(run.out().find('\n'), run.out().size() - 1) << "only that: " << run.out();
        EXPECT_EQ(run.err(), "");
    });
}

TEST_F(NetHost, HostIsTheHostsOwn) {
    host::run([] {
        std::string text = host::token();
        std::uint16_t port = host::free_port();
        int listener = host::serve("127.0.0.1", port);
        Launch run({"-q", "--net", "host"}, {"nc", "127.0.0.1", number(port)});
        EXPECT_TRUE(host::answer(listener, text));
        run.wait();
        EXPECT_EQ(run.out(), text) << run.err();
    });
}

TEST_F(NetHost, AnOldSlirp4netnsIsNamedAsSuch) {
    host::run([] {
        pretend("slirp4netns",
                "echo \"slirp4netns: unrecognized option '--enable-sandbox'\" >&2; "
                "echo 'Usage: slirp4netns' >&2; echo '-r, --ready-fd=FD' >&2; exit 1");
        Launch run({"-q"}, {"true"});
        EXPECT_EQ(run.wait(), 125);
        EXPECT_TRUE(has(run.err(), "unrecognized option '--enable-sandbox'")) << run.err();
        EXPECT_TRUE(has(run.err(), "too old")) << run.err();
    });
}

TEST_F(NetHost, Slirp4netnsHasItsSandboxAndFilter) {
    host::run([] {
        Launch run({"-q", "--net", "slirp"}, {"sh", "-c", "echo up; exec sleep 100"});
        EXPECT_EQ(run.line(), "up");
        std::string all = std::to_string(run.pid());
        std::string found;
        for (const std::string& pid : host::files("/proc")) {
            std::string name = host::read("/proc/" + pid + "/comm");
            std::string status = host::read("/proc/" + pid + "/status");
            if (name == "slirp4netns\n" && has(status, "\nPPid:\t" + all + "\n"))
                found = pid;
        }
        ASSERT_NE(found, "");
        std::string status = host::read("/proc/" + found + "/status");
        EXPECT_TRUE(has(status, "\nSeccomp:\t2\n")) << status;
        EXPECT_TRUE(has(status, "\nNoNewPrivs:\t1\n")) << status;
        Words root = host::files("/proc/" + found + "/root");
        std::ranges::sort(root);
        EXPECT_EQ(root, (Words{"etc", "run"}));
    });
}

} // namespace
