// net where something is missing, taken, dead or killed: what it says, and that nothing stays.
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/system/net_host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

namespace {

using namespace std::chrono_literals;
using support::Ended;
using support::eventually;
using support::Process;
using support::Strings;
using support::token;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class NetTrouble : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (std::string why = host::lacks(); !why.empty())
            GTEST_SKIP() << why;
    }
    static std::string program() {
        return GetParam() == std::string("slirp") ? "slirp4netns" : "pasta";
    }
    static support::Command launch(Strings options, const Strings& command) {
        options.insert(options.begin(), {"-q", "--net", GetParam()});
        return host::launch(options, command);
    }
    /// It ends with 125 and one line of the net stage, and leaves nothing; the line.
    static std::string failure(Strings options) {
        Ended ended = support::run(launch(std::move(options), {"true"}));
        EXPECT_EQ(ended.status, 125);
        EXPECT_EQ(ended.out, "");
        EXPECT_THAT(ended.err, StartsWith("gocontainer: net: "));
        EXPECT_EQ(ended.err.find('\n'), ended.err.size() - 1) << "one line: " << ended.err;
        EXPECT_THAT(host::processes(), IsEmpty());
        EXPECT_THAT(host::runtime_files(), IsEmpty());
        return ended.err;
    }
};
INSTANTIATE_TEST_SUITE_P(, NetTrouble, testing::Values("slirp", "pasta"),
                         [](const auto& each) { return std::string(each.param); });

/// What does not depend on the program.
class NetChoice : public NetTrouble {};
INSTANTIATE_TEST_SUITE_P(, NetChoice, testing::Values("slirp"),
                         [](const auto&) { return std::string("any"); });

std::string number(int value) {
    return std::to_string(value);
}

TEST_P(NetTrouble, SaysWhoHasThePort) {
    host::run([] {
        std::uint16_t port = host::free_port();
        pid_t holder = host::holding("0.0.0.0", port);
        Ended ended = support::run(
            launch({"-p", number(port + 1) + ":80", "-p", number(port) + ":81"}, {"true"}));
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(
            ended.err,
            HasSubstr("EADDRINUSE (address already in use): the port \"0.0.0.0:" + number(port) +
                      "/tcp\" is in use by \"sleep\" (pid " + number(holder) + "): "));
        host::end(holder);
        EXPECT_THAT(host::processes(), IsEmpty());
        EXPECT_THAT(host::runtime_files(), IsEmpty());
    });
}

TEST_P(NetTrouble, SaysThatAPortIsForRoot) {
    if (geteuid() == 0)
        GTEST_SKIP() << "root may publish any port";
    host::run([] {
        std::string line = failure({"-p", "80:80"});
        EXPECT_THAT(line, HasSubstr("EACCES"));
        EXPECT_THAT(line, HasSubstr("'sudo sysctl net.ipv4.ip_unprivileged_port_start=80'"));
    });
}

TEST_P(NetTrouble, SaysThatAnAddressIsNotOfThisHost) {
    host::run([] {
        EXPECT_THAT(failure({"-p", "203.0.113.1:8080:80"}),
                    HasSubstr("\"203.0.113.1\" is not an address of this host: "));
    });
}

TEST_P(NetTrouble, SaysThatTheProgramIsNotInstalled) {
    host::run([] {
        host::hide("/usr/bin/" + program());
        std::string line = failure({});
        EXPECT_THAT(line, HasSubstr(program() + " is not installed: "));
        EXPECT_THAT(line, AnyOf(HasSubstr("apt install "), HasSubstr("dnf install "),
                                HasSubstr("apk add ")));
    });
}

/// Put a script of that name before the real program on PATH.
void pretend(const std::string& program, const std::string& script) {
    std::string path = host::file("#!/bin/sh\n" + script + "\n", 0755);
    std::string directory = path + ".d";
    ASSERT_EQ(mkdir(directory.c_str(), 0755), 0);
    ASSERT_EQ(rename(path.c_str(), (directory + "/" + program).c_str()), 0);
    setenv("PATH", (directory + ":" + getenv("PATH")).c_str(), 1);
}

TEST_P(NetTrouble, SaysWhatTheProgramSaidLast) {
    host::run([] {
        std::string words = token();
        pretend(program(), "echo first >&2; echo 'no luck " + words + "' >&2; exit 3");
        std::string line = failure({});
        EXPECT_THAT(line, HasSubstr(program() +
                                    " ended before the network was up (exit status "
                                    "3): \"no luck " +
                                    words + "\": "));
        EXPECT_THAT(line, Not(HasSubstr("first")));
    });
}

TEST_P(NetTrouble, SaysThatTheProgramWasKilled) {
    host::run([] {
        pretend(program(), "kill -9 $$");
        EXPECT_THAT(failure({}),
                    HasSubstr(program() + " ended before the network was up (SIGKILL): "));
    });
}

TEST_P(NetTrouble, IsNotFooledByAProgramThatOnlySeemsToEnd) {
    host::run([] {
        pretend(program(), "exec sleep 1000 >/dev/null 2>&1 3>&- 4>&-");
        EXPECT_THAT(failure({}), HasSubstr(program() + " ended before the network was up"));
    });
}

TEST_P(NetTrouble, AProgramThatHangsCanBeInterrupted) {
    host::run([] {
        std::string begun = host::file("", 0644);
        pretend(program(), "echo begun >" + begun + "; exec sleep 1000");
        for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
            ASSERT_EQ(truncate(begun.c_str(), 0), 0);
            Process run(launch({}, {"true"}));
            ASSERT_TRUE(eventually([&] { return !support::slurp(begun).empty(); }));
            run.kill(SIGWINCH); // no reason to end
            run.kill(number);
            Ended ended = run.wait();
            EXPECT_EQ(ended.status, 128 + number);
            EXPECT_EQ(ended.out, "");
            EXPECT_THAT(ended.err,
                        AllOf(StartsWith("gocontainer: net: SIG"), HasSubstr(program())));
            EXPECT_THAT(host::processes(), IsEmpty());
            EXPECT_THAT(host::runtime_files(), IsEmpty());
        }
    });
}

TEST_P(NetTrouble, AProgramThatHangsDoesNotHoldUpAContainerThatIsKilled) {
    host::run([] {
        std::string begun = host::file("", 0644);
        pretend(program(), "echo begun >" + begun + "; exec sleep 1000");
        Process run(launch({}, {"true"}));
        ASSERT_TRUE(eventually([&] { return !support::slurp(begun).empty(); }));
        int killed = 0;
        auto inside = [](pid_t each) { // what has ended is in no namespace any more
            try {
                return !support::shares(each, "net");
            } catch (const std::exception&) {
                return false;
            }
        };
        for (pid_t each : support::children_of(run.pid())) // not the helper and the keeper
            if (inside(each) && kill(each, SIGKILL) == 0)
                ++killed;
        ASSERT_EQ(killed, 1);
        Ended ended = run.wait();
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, StartsWith("gocontainer: net: "));
        EXPECT_THAT(host::processes(), IsEmpty());
    });
}

TEST_P(NetTrouble, SaysThatTheTunDeviceIsMissing) {
    host::run([] {
        host::cover("/dev/net");
        std::string line = failure({});
        EXPECT_THAT(line, HasSubstr("\"/dev/net/tun\", O_RDWR): ENOENT"));
        EXPECT_THAT(line, HasSubstr("'sudo modprobe tun'"));
        EXPECT_THAT(line, HasSubstr("'--device /dev/net/tun'"));
        EXPECT_THAT(line, HasSubstr("--net none"));
    });
}

TEST_P(NetTrouble, TheHelpersSandboxDoesNotReachTheHost) {
    host::run([] {
        // As systemd has it, and with a file system of its own on /tmp many distributions.
        ASSERT_EQ(mount("/tmp", "/tmp", nullptr, MS_BIND | MS_REC, nullptr), 0);
        ASSERT_EQ(mount("", "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
        std::string before = support::slurp("/proc/self/mountinfo");
        Ended ended = support::run(launch({"-p", number(host::free_port()) + ":80"}, {"true"}));
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_EQ(support::slurp("/proc/self/mountinfo"), before);
    });
}

TEST_P(NetTrouble, CtrlCIsNotForTheHelper) {
    host::run([] {
        Process run(launch({}, {"sh", "-c", "trap '' INT; echo up; sleep 1000"}));
        run.until("up\n");
        ASSERT_EQ(kill(-run.pid(), SIGINT), 0); // to the whole group, as a terminal does
        // Whoever it is meant for has it by now; the helper would end at once.
        EXPECT_FALSE(eventually(
            [] {
                return !testing::Matches(Contains(AnyOf(StartsWith("slirp"), StartsWith("pas"))))(
                    host::processes());
            },
            200ms));
    });
}

TEST_P(NetTrouble, NothingIsLeftWhenItIsKilled) {
    host::run([] {
        std::mt19937 dice{std::random_device{}()};
        for (int i = 0; i < 15; ++i) {
            std::uint16_t port = host::free_port();
            Process run(launch({"-p", number(port) + ":80"}, {"sleep", "1000"}));
            std::this_thread::sleep_for(std::chrono::microseconds(dice() % 150000));
            run.kill(SIGKILL);
            run.wait();
            EXPECT_TRUE(eventually([] { return host::processes().empty(); }))
                << testing::PrintToString(host::processes());
            EXPECT_TRUE(eventually([] { return host::runtime_files().empty(); }));
            EXPECT_EQ(host::fetch("127.0.0.1", port), "");
        }
    });
}

TEST_P(NetTrouble, NothingIsLeftWhenItEnds) {
    host::run([] {
        for (int i = 0; i < 5; ++i) {
            Ended ended = support::run(launch({"-p", "28080:80"}, {"true"}));
            EXPECT_EQ(ended.status, 0) << ended.err;
            // At once: it has waited for its helper.
            EXPECT_THAT(host::processes(), IsEmpty());
            EXPECT_THAT(host::runtime_files(), IsEmpty());
        }
    });
}

TEST_P(NetChoice, PastaWhereSlirp4netnsIsMissing) {
    host::run([] {
        host::hide("/usr/bin/slirp4netns");
        Process run(host::launch({"-q"}, {"sh", "-c", "echo up; sleep 1000"}));
        run.until("up\n");
        EXPECT_THAT(host::processes(), Contains(StartsWith("pas")));
    });
}

TEST_P(NetChoice, LoopbackOnlyWhereBothAreMissing) {
    host::run([] {
        host::hide("/usr/bin/slirp4netns");
        host::hide("/usr/bin/pasta");
        Ended ended = support::run(host::launch({}, {"ip", "-o", "link"}));
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_THAT(ended.out, StartsWith("1: lo: <LOOPBACK,UP,LOWER_UP>"));
        EXPECT_EQ(ended.out.find('\n'), ended.out.size() - 1) << "only that: " << ended.out;
        EXPECT_THAT(ended.err, HasSubstr("neither slirp4netns nor pasta is installed: '"));
        ended = support::run(host::launch({"-p", "8080:80"}, {"true"}));
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("net: -p needs slirp4netns or pasta, and neither is "
                                         "installed: '"));
    });
}

TEST_P(NetChoice, LoopbackOnlyWithoutATunDevice) {
    host::run([] {
        host::cover("/dev/net");
        Ended ended = support::run(host::launch({}, {"ip", "-o", "link"}));
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_THAT(ended.out, StartsWith("1: lo: <LOOPBACK,UP,LOWER_UP>"));
        EXPECT_EQ(ended.out.find('\n'), ended.out.size() - 1) << "only that: " << ended.out;
        EXPECT_THAT(ended.err, HasSubstr("net: the container has loopback only: "));
        EXPECT_THAT(ended.err, HasSubstr("'sudo modprobe tun'"));
        ended = support::run(host::launch({"-p", "8080:80"}, {"true"}));
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("\"/dev/net/tun\""));
    });
}

TEST_P(NetChoice, AHostWhoseResolversAreAllIpv6) {
    host::run([] {
        std::string resolv = host::file("nameserver 2001:db8::53\n", 0644);
        std::string real = std::filesystem::canonical("/etc/resolv.conf");
        ASSERT_EQ(mount(resolv.c_str(), real.c_str(), nullptr, MS_BIND, nullptr), 0);
        Ended ended = support::run(host::launch({"--net", "slirp"}, {"true"}));
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_THAT(ended.err, AllOf(HasSubstr("net: nobody answers for names"),
                                     HasSubstr("2001:db8::53"), HasSubstr("--dns")));
        ended = support::run(host::launch({"-q", "--net", "slirp"}, {"true"}));
        EXPECT_EQ(ended.err, "");
    });
}

TEST_P(NetChoice, AnOldSlirp4netnsIsNamedAsSuch) {
    host::run([] {
        pretend("slirp4netns",
                "echo \"slirp4netns: unrecognized option '--enable-sandbox'\" >&2\n"
                "echo 'Usage: slirp4netns' >&2; echo '-r, --ready-fd=FD' >&2; exit 1");
        std::string line = failure({});
        EXPECT_THAT(line, HasSubstr("\"slirp4netns: unrecognized option '--enable-sandbox'\""));
        EXPECT_THAT(line, HasSubstr("too old"));
    });
}

TEST_P(NetChoice, PastaNeedsADefaultRoute) {
    // Newer ones do without: then this says nothing about them.
    host::run([] {
        host::cut_off();
        Ended ended = support::run(host::launch({"-q", "--net", "pasta"}, {"true"}));
        if (ended.status != 0) {
            EXPECT_THAT(ended.err, HasSubstr("default route"));
        }
        EXPECT_THAT(host::processes(), IsEmpty());
        ended = support::run(host::launch({"-q", "--net", "slirp"}, {"true"}));
        EXPECT_EQ(ended.status, 0) << ended.err;
    });
}

} // namespace
