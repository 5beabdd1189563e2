// net without a network: how its options read, what it decides, and what its errors say.
#include "stages/net.hpp"

#include "spec/net_options.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

namespace {

namespace net = stages::net;
using spec::Net;
using spec::NetMode;
using spec::Port;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// --- options ------------------------------------------------------------------------------------

TEST(NetOptions, PortsAreRead) {
    EXPECT_THAT(*spec::parse_port("8080:80"), ElementsAre(Port{"", 8080, 80, false}));
    EXPECT_THAT(*spec::parse_port("8080:80/tcp"), ElementsAre(Port{"", 8080, 80, false}));
    EXPECT_THAT(*spec::parse_port("53:5353/udp"), ElementsAre(Port{"", 53, 5353, true}));
    EXPECT_THAT(*spec::parse_port("127.0.0.1:1:65535"),
                ElementsAre(Port{"127.0.0.1", 1, 65535, false}));
    EXPECT_THAT(*spec::parse_port("[::1]:8080:80/udp"), ElementsAre(Port{"::1", 8080, 80, true}));
    EXPECT_THAT(*spec::parse_port("0.0.0.0:8000-8002:90-92"),
                ElementsAre(Port{"0.0.0.0", 8000, 90, false}, Port{"0.0.0.0", 8001, 91, false},
                            Port{"0.0.0.0", 8002, 92, false}));
    EXPECT_EQ(spec::parse_port("1-65535:1-65535")->size(), 65535U);
}

TEST(NetOptions, WhatIsNoPortIsNamed) {
    const std::map<std::string, std::string> wrong = {
        {"80", "\"80\" does not say which port is whose: [ADDRESS:]HOST:CONTAINER[/udp]"},
        {"", "\"\" does not say which port"},
        {"0:80", "\"0\" in \"0:80\": a port is a number from 1 to 65535"},
        {"80:65536", "\"65536\" in \"80:65536\""},
        {"80:", "\"\" in \"80:\""},
        {":80", "\"\" in \":80\""},
        {"80:+8", "\"+8\" in"},
        {"80:8x", "\"8x\" in"},
        {"80: 8", "\" 8\" in"},
        {"80:90/sctp", "\"sctp\" in \"80:90/sctp\": a port's protocol is tcp or udp"},
        {"80:90/", "\"\" in \"80:90/\": a port's protocol"},
        {"5-3:5-3", "\"5-3\" in"},
        {"1-3:1-2", "\"1-3:1-2\": the ranges have 3 and 2 ports"},
        {"localhost:80:80", "\"localhost\" is not an IPv4 address"},
        {"256.0.0.1:80:80", "\"256.0.0.1\" is not an IPv4 address"},
        {":80:80", "\"\" is not an IPv4 address"},
        {"::1:80:80", "\"::1\": an IPv6 address is written in brackets: [::1]"},
        {"[::1]80:80", "an IPv6 address ends with \"]:\""},
        {"[1.2.3.4]:80:80", "\"1.2.3.4\" is not an IPv6 address"},
    };
    for (const auto& [text, message] : wrong) {
        auto ports = spec::parse_port(text);
        ASSERT_FALSE(ports.has_value()) << text;
        EXPECT_THAT(ports.error(), HasSubstr(message)) << text;
    }
}

TEST(NetOptions, ResolversAreAddresses) {
    EXPECT_EQ(*spec::parse_dns("9.9.9.9"), "9.9.9.9");
    EXPECT_EQ(*spec::parse_dns("2620:fe::fe"), "2620:fe::fe");
    for (const char* text : {"", "dns.example", "9.9.9", "9.9.9.9 ", "9.9.9.9\nsearch evil"})
        EXPECT_FALSE(spec::parse_dns(text).has_value()) << text;
}

TEST(NetOptions, ClashingPortsAreFound) {
    auto ports = [](std::initializer_list<const char*> texts) {
        std::vector<Port> out;
        for (const char* text : texts) {
            std::vector<Port> some = *spec::parse_port(text);
            out.insert(out.end(), some.begin(), some.end());
        }
        return out;
    };
    EXPECT_EQ(spec::clashing(ports({"80:80", "81:80", "80:80/udp"})), "");
    EXPECT_EQ(spec::clashing(ports({"127.0.0.1:80:80", "127.0.0.2:80:80"})), "");
    EXPECT_EQ(spec::clashing(ports({"80:80", "[::1]:80:80"})), "");
    EXPECT_EQ(spec::clashing(ports({"80:80", "80:81"})), "\"0.0.0.0:80/tcp\" is published twice");
    EXPECT_EQ(spec::clashing(ports({"80-90:80-90", "127.0.0.1:85:1"})),
              "\"127.0.0.1:85/tcp\" is published twice");
    EXPECT_EQ(spec::clashing(ports({"[::1]:80:80/udp", "[::1]:80:81/udp"})),
              "\"[::1]:80/udp\" is published twice");
    spec::Spec spec;
    spec.process.args = {"true"};
    spec.net.ports = ports({"80:80", "80:81"});
    EXPECT_EQ(spec::validate(spec), "-p: \"0.0.0.0:80/tcp\" is published twice");
}

TEST(NetOptions, ResolvConfKeepsWhatIsNotAServer) {
    const std::string host = "# made by hand\n"
                             "nameserver 127.0.0.53\n"
                             "nameserver\tfd00::1  \n"
                             "search  one.test two.test\r\n"
                             "options edns0 trust-ad\n"
                             "sortlist 130.155.160.0\n"
                             "nameserver";
    EXPECT_THAT(spec::nameservers(host), ElementsAre("127.0.0.53", "fd00::1"));
    EXPECT_EQ(spec::resolv_conf(host, {"10.0.2.3", "9.9.9.9"}),
              "search  one.test two.test\noptions edns0 trust-ad\n"
              "nameserver 10.0.2.3\nnameserver 9.9.9.9\n");
    EXPECT_EQ(spec::resolv_conf("", {"9.9.9.9"}), "nameserver 9.9.9.9\n");
}

// --- decisions ----------------------------------------------------------------------------------

Net wanting(NetMode mode) {
    Net net;
    net.mode = mode;
    return net;
}

TEST(NetDecision, AutomaticTakesWhatIsThere) {
    Net automatic = wanting(NetMode::automatic);
    EXPECT_EQ(*net::decide(automatic, "/s", "/p"), NetMode::slirp);
    EXPECT_EQ(*net::decide(automatic, "/s", ""), NetMode::slirp);
    EXPECT_EQ(*net::decide(automatic, "", "/p"), NetMode::pasta);
    EXPECT_EQ(*net::decide(automatic, "", ""), NetMode::none);
}

TEST(NetDecision, WhatIsNamedIsMeant) {
    EXPECT_EQ(*net::decide(wanting(NetMode::pasta), "/s", "/p"), NetMode::pasta);
    EXPECT_EQ(*net::decide(wanting(NetMode::none), "/s", "/p"), NetMode::none);
    EXPECT_EQ(*net::decide(wanting(NetMode::host), "/s", "/p"), NetMode::host);
    auto slirp = net::decide(wanting(NetMode::slirp), "", "/p");
    ASSERT_FALSE(slirp.has_value());
    EXPECT_EQ(slirp.error().detail, "slirp4netns is not installed");
    EXPECT_THAT(slirp.error().hint, HasSubstr("slirp4netns'"));
    auto pasta = net::decide(wanting(NetMode::pasta), "/s", "");
    ASSERT_FALSE(pasta.has_value());
    EXPECT_EQ(pasta.error().detail, "pasta is not installed");
    EXPECT_THAT(pasta.error().hint, HasSubstr("passt'"));
}

TEST(NetDecision, WhatNeedsAWayOutIsAnErrorWithoutOne) {
    for (int which : {0, 1, 2}) {
        Net wanted = wanting(NetMode::automatic);
        if (which == 0)
            wanted.ports.push_back({"", 80, 80, false});
        if (which == 1)
            wanted.dns.emplace_back("9.9.9.9");
        if (which == 2)
            wanted.allow_host_loopback = true;
        auto mode = net::decide(wanted, "", "");
        ASSERT_FALSE(mode.has_value());
        const char* option[] = {"-p", "--dns", "--allow-host-loopback"};
        EXPECT_EQ(mode.error().detail, std::string(option[which]) +
                                           " needs slirp4netns or pasta, and neither is installed");
    }
}

TEST(NetDecision, Resolvers) {
    Net wanted;
    const std::string four = "nameserver 127.0.0.53\nnameserver fd00::1\n";
    const std::string six = "nameserver fd00::1\nnameserver fd00::2\n";
    EXPECT_THAT(net::resolvers(wanted, NetMode::slirp, four), ElementsAre("10.0.2.3"));
    EXPECT_THAT(net::resolvers(wanted, NetMode::pasta, four), ElementsAre("10.0.2.3"));
    EXPECT_THAT(net::resolvers(wanted, NetMode::pasta, ""), ElementsAre("10.0.2.3"));
    EXPECT_THAT(net::resolvers(wanted, NetMode::pasta, six), ElementsAre("fd00::1", "fd00::2"));
    EXPECT_THAT(net::resolvers(wanted, NetMode::none, four), IsEmpty());
    EXPECT_THAT(net::resolvers(wanted, NetMode::host, four), IsEmpty());
    wanted.dns = {"9.9.9.9"};
    for (NetMode mode : {NetMode::slirp, NetMode::pasta, NetMode::none, NetMode::host})
        EXPECT_THAT(net::resolvers(wanted, mode, four), ElementsAre("9.9.9.9"));
}

TEST(NetDecision, NobodyToAskForNames) {
    Net wanted;
    const std::string six = "nameserver fd00::1\nnameserver fd00::2\n";
    EXPECT_THAT(net::no_names(wanted, NetMode::slirp, six),
                AllOf(HasSubstr("\"fd00::1\""), HasSubstr("--dns"), HasSubstr("--net pasta")));
    EXPECT_EQ(net::no_names(wanted, NetMode::slirp, six + "nameserver 9.9.9.9\n"), "");
    EXPECT_EQ(net::no_names(wanted, NetMode::slirp, ""), "");
    EXPECT_EQ(net::no_names(wanted, NetMode::pasta, six), "");
    EXPECT_EQ(net::no_names(wanted, NetMode::none, six), "");
    wanted.dns = {"9.9.9.9"};
    EXPECT_EQ(net::no_names(wanted, NetMode::slirp, six), "");
}

// --- what others say ----------------------------------------------------------------------------

TEST(NetHelper, LastWords) {
    EXPECT_EQ(net::last_words(""), "");
    EXPECT_EQ(net::last_words("one\ntwo\n"), "two");
    EXPECT_EQ(net::last_words("one\ntwo"), "two");
    EXPECT_EQ(net::last_words("open(\"/dev/net/tun\"): Permission denied\nchild failed(1)\n"),
              "open(\"/dev/net/tun\"): Permission denied");
    EXPECT_EQ(net::last_words("sent tapfd=5\ncannot unshare new mount namespace\n"
                              "create_sandbox failed\ndo_slirp is exiting\ndo_slirp failed\n"
                              "parent failed\n"),
              "cannot unshare new mount namespace");
    EXPECT_EQ(net::last_words("s: unrecognized option '--enable-seccomp'\nUsage: s\n-h, --help\n"),
              "s: unrecognized option '--enable-seccomp'");
    EXPECT_EQ(net::last_words("External interface not usable\nFailed to send 30 bytes to syslog\n"),
              "External interface not usable");
    EXPECT_EQ(
        net::last_words("unshare: No space left on device\nFailed to sandbox process, exiting\n"),
        "unshare: No space left on device");
}

TEST(NetHelper, Hints) {
    EXPECT_THAT(net::slirp_hint("unrecognized option '--enable-seccomp'"), HasSubstr("too old"));
    EXPECT_THAT(net::slirp_hint("open(\"/dev/net/tun\"): x"), HasSubstr("/dev/net/tun"));
    EXPECT_THAT(net::slirp_hint("boom"), HasSubstr("--net none"));
    EXPECT_THAT(net::pasta_hint("External interface not usable"), HasSubstr("default route"));
    EXPECT_THAT(net::pasta_hint("Overlapping port specifier"), HasSubstr("--net slirp"));
    EXPECT_THAT(net::pasta_hint("boom"), HasSubstr("--net none"));
}

TEST(NetSlirp, ApiRequestAndAnswer) {
    auto request = nlohmann::json::parse(net::publish_request({"", 8080, 80, false}));
    EXPECT_EQ(request, nlohmann::json::parse(R"({"execute": "add_hostfwd", "arguments": {
        "proto": "tcp", "host_addr": "0.0.0.0", "host_port": 8080, "guest_port": 80}})"));
    request = nlohmann::json::parse(net::publish_request({"127.0.0.1", 53, 5353, true}));
    EXPECT_EQ(request["arguments"]["proto"], "udp");
    EXPECT_EQ(request["arguments"]["host_addr"], "127.0.0.1");
    EXPECT_EQ(net::publish_answer(R"({"return":{"id":1}})"), "");
    EXPECT_EQ(net::publish_answer(R"({"error":{"desc":"bad request: x"}})"), "bad request: x");
    EXPECT_EQ(net::publish_answer(R"({"error":"x"})"), "\"x\"");
    EXPECT_EQ(net::publish_answer(R"({"error":{"desc":5}})"), R"({"desc":5})");
    EXPECT_EQ(net::publish_answer(""), "it gave no answer");
    EXPECT_EQ(net::publish_answer("{"), "it answered \"{\"");
    EXPECT_EQ(net::publish_answer("[]"), "it answered \"[]\"");
}

TEST(NetCauses, TheSocketOnAPort) {
    const std::string tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                            "retrnsmt   uid  timeout "
                            "inode\n"
                            "   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 "
                            "00000000  1000        0 "
                            "111 1 0 20 4 30 10 -1\n"
                            "   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
                            "00000000     0        0 "
                            "222 1 0 100 0 0 10 0\n";
    EXPECT_EQ(net::socket_on(tcp, {"", 8080, 80, false}).inode, 222U) << "the one that listens";
    EXPECT_EQ(net::socket_on(tcp, {"", 8081, 80, false}).inode, 0U);
    EXPECT_EQ(net::socket_on("", {"", 8081, 80, false}).inode, 0U);
    const std::string udp6 =
        "  sl  local_address  remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout "
        "inode ref pointer drops\n"
        " 9: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 "
        "00000000:00000000 00:00000000 00000000   102        0 333 2 0 0\n";
    EXPECT_EQ(net::socket_on(udp6, {"", 53, 53, true}).inode, 333U);
    EXPECT_EQ(net::socket_on(udp6, {"", 53, 53, true}).uid, 102U);
}

TEST(NetCauses, WhoseThePortIsWhereNobodyMayLook) {
    for (unsigned other : {0U, 1U}) {
        unit::Recorder kernel;
        kernel.answer("bind(", -EADDRINUSE);
        std::string uid = std::to_string(sys::geteuid() + other);
        kernel.file("/proc/self/net/tcp",
                    "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 " +
                        uid + "        0 222 1 0 100 0 0 10 0\n");
        auto error = net::taken({"", 8080, 80, false});
        ASSERT_TRUE(error);
        EXPECT_THAT(error->detail, HasSubstr(other == 0 ? "in use by a process of yours that lets "
                                                          "nobody look into it"
                                                        : "in use by a process of uid " + uid));
    }
}

TEST(NetCauses, NoTunDevice) {
    EXPECT_THAT(net::no_tun(ENOENT), HasSubstr("modprobe tun"));
    EXPECT_THAT(net::no_tun(ENOENT), HasSubstr("--device /dev/net/tun"));
    EXPECT_THAT(net::no_tun(ENODEV), HasSubstr("modprobe tun"));
    EXPECT_THAT(net::no_tun(EPERM), HasSubstr("--device /dev/net/tun"));
    EXPECT_THAT(net::no_tun(EACCES), HasSubstr("chmod 666 /dev/net/tun"));
    for (int code : {ENOENT, ENODEV, ENXIO, EPERM, EACCES, EMFILE})
        EXPECT_THAT(net::no_tun(code), HasSubstr("--net none"));
}

// --- against a kernel of our own ----------------------------------------------------------------

/// Answers the calls whose text starts with a key, lets the rest through, and remembers all.
class Kernel : public sys::Listener {
public:
    Kernel() { sys::listener = this; }
    ~Kernel() override { sys::listener = nullptr; }
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    std::optional<long> before(const sys::Call& call) override {
        calls.push_back(call.text);
        for (const auto& [start, answer] : answers)
            if (call.text.starts_with(start))
                return answer;
        return std::nullopt;
    }
    std::map<std::string, long> answers;
    std::vector<std::string> calls;
};

struct Parent {
    spec::Spec spec;
    stages::Ledger ledger;
    std::string said;
    stages::Launch launch{.spec = spec, .ledger = &ledger};
    Parent() {
        launch.keep = [] { return stages::Result<void>{}; };
        launch.say = [this](const std::string& line) { said += line; };
    }
};

TEST(NetStage, SaysSoWhenThereIsNoProgram) {
    Kernel kernel;
    kernel.answers["faccessat("] = -ENOENT;
    Parent parent;
    ASSERT_TRUE(net::prepare(parent.launch).has_value());
    EXPECT_EQ(parent.launch.net, NetMode::none);
    EXPECT_EQ(parent.launch.facts.resolv_conf, "");
    EXPECT_THAT(parent.said, StartsWith("net: the container has loopback only, since neither "
                                        "slirp4netns nor pasta is installed: '"));
    EXPECT_THAT(kernel.calls, Not(Contains(HasSubstr("/dev/net/tun"))));
    kernel.calls.clear();
    ASSERT_TRUE(net::parent(parent.launch).has_value());
    EXPECT_THAT(kernel.calls, IsEmpty());
}

TEST(NetStage, ATunDeviceThatCannotBeOpenedIsAnError) {
    const std::map<int, const char*> hints = {{ENOENT, "modprobe tun"}, {EACCES, "chmod 666"}};
    for (auto [code, hint] : hints) {
        Kernel kernel;
        kernel.answers["faccessat("] = 0;
        kernel.answers["openat(AT_FDCWD, \"/dev/net/tun\""] = -code;
        Parent parent;
        parent.spec.net.mode = NetMode::slirp;
        auto done = net::prepare(parent.launch);
        ASSERT_FALSE(done.has_value());
        EXPECT_EQ(done.error().call, "openat(AT_FDCWD, \"/dev/net/tun\", O_RDWR)");
        EXPECT_EQ(done.error().code, code);
        EXPECT_THAT(done.error().hint, HasSubstr(hint));
    }
}

TEST(NetStage, WithoutATunDeviceOnlyWhatWasNotAskedForIsLeftOut) {
    Kernel kernel;
    kernel.answers["faccessat("] = 0;
    kernel.answers["openat(AT_FDCWD, \"/dev/net/tun\""] = -EACCES;
    Parent parent;
    ASSERT_TRUE(net::prepare(parent.launch).has_value());
    EXPECT_EQ(parent.launch.net, NetMode::none);
    EXPECT_EQ(parent.launch.facts.resolv_conf, "");
    EXPECT_THAT(parent.said, AllOf(StartsWith("net: the container has loopback only"),
                                   HasSubstr("EACCES"), HasSubstr("chmod 666")));
    parent.spec.net.ports = {{"", 8080, 80, false}};
    EXPECT_FALSE(net::prepare(parent.launch).has_value());
}

TEST(NetStage, SlirpHasNoIPv6) {
    Kernel kernel;
    kernel.answers["faccessat("] = 0;
    Parent parent;
    parent.spec.net.ports = {{"::1", 80, 80, false}};
    auto done = net::prepare(parent.launch);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(sys::to_line(done.error()),
              "slirp4netns can't publish on the IPv6 address \"::1\": use --net pasta");
    parent.spec.net.ports.clear();
    parent.spec.net.dns = {"fd00::1"};
    EXPECT_FALSE(net::prepare(parent.launch).has_value());
}

TEST(NetStage, SlirpAnswersNobodyOnAClosedLoopbackByUdp) {
    Kernel kernel;
    kernel.answers["faccessat("] = 0;
    kernel.answers["openat(AT_FDCWD, \"/dev/net/tun\""] = 5;
    const spec::Port bound{"127.0.0.1", 53, 5353, true};
    const spec::Port any{"", 53, 5353, true};
    {
        Parent parent;
        parent.spec.net.ports = {bound};
        auto done = net::prepare(parent.launch);
        ASSERT_FALSE(done.has_value());
        EXPECT_EQ(sys::to_line(done.error()),
                  "-p \"127.0.0.1:53/udp\": slirp4netns brings no answer back to 127.0.0.1 by UDP "
                  "while that is closed to the container: publish on another address of this "
                  "machine's, or open it by --allow-host-loopback");
    }
    Parent parent;
    parent.spec.net.ports = {any};
    ASSERT_TRUE(net::prepare(parent.launch).has_value());
    EXPECT_THAT(parent.said, HasSubstr("\"0.0.0.0:53/udp\" answers on this machine's addresses but "
                                       "127.0.0.1, which is closed"));
    // Not where it is open, nor by TCP, nor on another address, nor through pasta.
    Parent quiet;
    quiet.spec.net.ports = {{"", 80, 80, false}, {"192.0.2.2", 53, 53, true}};
    ASSERT_TRUE(net::prepare(quiet.launch).has_value());
    quiet.spec.net.mode = NetMode::pasta;
    quiet.spec.net.ports = {bound, any};
    ASSERT_TRUE(net::prepare(quiet.launch).has_value());
    quiet.spec.net.mode = NetMode::slirp;
    quiet.spec.net.allow_host_loopback = true;
    ASSERT_TRUE(net::prepare(quiet.launch).has_value());
    EXPECT_EQ(quiet.said, "");
}

TEST(NetStage, NoDescriptorOfATapDeviceIsLeft) {
    Kernel kernel;
    kernel.answers["vfork(for \"/dev/net/tun\""] = -EPERM;
    Parent parent;
    parent.launch.net = NetMode::slirp;
    auto done = net::parent(parent.launch);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().call, "ioctl(\"/dev/net/tun\", TUNSETIFF, \"tap0\", IFF_TAP|IFF_NO_PI)");
    EXPECT_THAT(done.error().hint, HasSubstr("--device /dev/net/tun"));
    EXPECT_EQ(parent.ledger.helper, 0);
}

TEST(NetStage, TheChildBringsItsLoopbackUp) {
    spec::Spec spec;
    stages::Facts facts;
    stages::Inside inside{.spec = spec, .facts = facts};
    Kernel kernel;
    kernel.answers["ioctl("] = 0;
    spec.net.mode = NetMode::none;
    ASSERT_TRUE(net::child(inside).has_value());
    EXPECT_THAT(kernel.calls, Contains(HasSubstr("SIOCSIFFLAGS, \"lo\", IFF_UP")));
    EXPECT_THAT(kernel.calls, Not(Contains(HasSubstr("tap0"))));
    kernel.calls.clear();
    spec.net.mode = NetMode::slirp;
    ASSERT_TRUE(net::child(inside).has_value());
    EXPECT_THAT(kernel.calls, Contains(HasSubstr("\"tap0\", ETHTOOL_GLINK")));
    kernel.calls.clear();
    spec.net.mode = NetMode::host;
    ASSERT_TRUE(net::child(inside).has_value());
    EXPECT_THAT(kernel.calls, IsEmpty()) << "the host's devices are not ours";
}

TEST(NetCauses, WhyAPortIsTaken) {
    Port port{"", 80, 80, false};
    auto why = [&](int code) {
        Kernel kernel;
        kernel.answers["bind("] = -code;
        return net::taken(port);
    };
    EXPECT_FALSE(why(0).has_value());
    EXPECT_THAT(sys::to_line(*why(EADDRINUSE)),
                HasSubstr("EADDRINUSE (address already in use): the port \"0.0.0.0:80/tcp\" is in "
                          "use by "));
    EXPECT_THAT(sys::to_line(*why(EACCES)),
                HasSubstr("are root's (net.ipv4.ip_unprivileged_port_start): publish on a higher "
                          "one, or 'sudo sysctl net.ipv4.ip_unprivileged_port_start=80'"));
    port.address = "203.0.113.1";
    EXPECT_THAT(sys::to_line(*why(EADDRNOTAVAIL)),
                HasSubstr("\"203.0.113.1\" is not an address of this host: "));
}

// --- with processes -----------------------------------------------------------------------------

bool is_there(pid_t pid) {
    return kill(pid, 0) == 0;
}

TEST(NetUndo, EndsAndReapsTheHelper) {
    stages::Ledger ledger;
    ledger.helper = fork();
    if (ledger.helper == 0) {
        pause();
        _exit(0);
    }
    pid_t pid = ledger.helper;
    ledger.helper_started = *sys::start_time(pid);
    net::undo(ledger);
    EXPECT_FALSE(is_there(pid));
    EXPECT_EQ(ledger.helper, 0);
    net::undo(ledger); // again: nothing to do
}

TEST(NetUndo, LeavesAnotherProcessOfTheSameNumberAlone) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    pid_t middle = fork();
    if (middle == 0) {
        pid_t other = fork(); // not our child: as the keeper sees the helper
        if (other == 0) {
            pause();
            _exit(0);
        }
        (void)!write(ends[1], &other, sizeof other);
        _exit(0);
    }
    pid_t other = 0;
    ASSERT_EQ(read(ends[0], &other, sizeof other), static_cast<ssize_t>(sizeof other));
    waitpid(middle, nullptr, 0);
    stages::Ledger ledger;
    ledger.helper = other;
    ledger.helper_started = *sys::start_time(other) - 1;
    net::undo(ledger);
    EXPECT_TRUE(is_there(other));
    ledger.helper = other;
    ledger.helper_started = *sys::start_time(other);
    net::undo(ledger);
    std::string stat = sys::read_file("/proc/" + std::to_string(other) + "/stat").value_or(") X");
    EXPECT_THAT(stat, testing::AnyOf(HasSubstr(") Z"), HasSubstr(") X")))
        << "dead, though perhaps not reaped by init yet";
    close(ends[0]);
    close(ends[1]);
}

TEST(NetUndo, RemovesItsDirectory) {
    char name[] = "/tmp/gocontainer-unit-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    ASSERT_TRUE(
        sys::openat(AT_FDCWD, std::string(name) + "/slirp4netns.sock", O_CREAT | O_WRONLY, 0600)
            .has_value());
    stages::Ledger ledger;
    strcpy(ledger.scratch, name);
    net::undo(ledger);
    EXPECT_FALSE(sys::exists(name));
    EXPECT_STREQ(ledger.scratch, "");
}

TEST(Start, GivesAProgramACleanStart) {
    auto before = signal(SIGPIPE, SIG_IGN);
    constexpr int of_libc = 32; // which signal(3) refuses: pthread_cancel(3)'s
    const long ignore[4] = {1, 0, 0, 0};
    long was[4] = {};
    ASSERT_EQ(syscall(SYS_rt_sigaction, of_libc, ignore, was, NSIG / 8), 0);
    pid_t noted = 0;
    sys::Spawn spawn{.argv = {"/bin/sleep", "100"}, .env = {}, .fds = {}};
    spawn.note = &noted;
    auto pid = sys::start(spawn);
    signal(SIGPIPE, before);
    syscall(SYS_rt_sigaction, of_libc, was, nullptr, NSIG / 8);
    ASSERT_TRUE(pid.has_value()) << sys::to_line(pid.error());
    EXPECT_EQ(noted, *pid);
    EXPECT_EQ(getsid(*pid), *pid) << "a session of its own";
    std::string status = *sys::read_file("/proc/" + std::to_string(*pid) + "/status");
    EXPECT_THAT(status, HasSubstr("\nSigIgn:\t0000000000000000\n"));
    EXPECT_THAT(status, HasSubstr("\nSigBlk:\t0000000000000000\n"));
    kill(*pid, SIGKILL);
    waitpid(*pid, nullptr, 0);
    spawn.argv = {"/nonexistent"};
    auto failed = sys::start(spawn);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code, ENOENT);
    EXPECT_EQ(noted, 0);
}

TEST(Start, SwapsDescriptors) {
    auto one = sys::pipe();
    auto two = sys::pipe();
    ASSERT_TRUE(one.has_value() && two.has_value());
    // Each at the other's number.
    int first = one->second.get();
    int second = two->second.get();
    sys::Spawn spawn{
        .argv = {"/bin/sh", "-c",
                 "echo 1 >&" + std::to_string(first) + "; echo 2 >&" + std::to_string(second)},
        .env = {},
        .fds = {{first, second}, {second, first}}};
    ASSERT_LT(std::max(first, second), 10) << "what a shell's redirection can name";
    auto pid = sys::start(spawn);
    ASSERT_TRUE(pid.has_value());
    char byte[2] = {};
    EXPECT_EQ(read(one->first.get(), byte, 1), 1);
    EXPECT_EQ(read(two->first.get(), byte + 1, 1), 1);
    EXPECT_EQ(byte[0], '2');
    EXPECT_EQ(byte[1], '1');
    waitpid(*pid, nullptr, 0);
}

} // namespace
