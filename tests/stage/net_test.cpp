// The net stage without a way out: none and host. What reaches further is in tests/system.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

using namespace support;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// "lo:up eth0:down" of the network that a process is in.
std::string interfaces_of(pid_t pid) {
    return in_namespaces(pid, {"user", "net"}, [] {
        std::string out;
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        struct if_nameindex* all = if_nameindex();
        for (auto* one = all; one != nullptr && one->if_index != 0; ++one) {
            ifreq request{};
            strncpy(request.ifr_name, one->if_name, IFNAMSIZ - 1);
            ioctl(fd, SIOCGIFFLAGS, &request);
            // Tunnels that modules make in every network are down and not ours to judge.
            bool up = (request.ifr_flags & IFF_UP) != 0;
            if (up || strcmp(one->if_name, "lo") == 0)
                out += std::string(out.empty() ? "" : " ") + one->if_name + (up ? ":up" : ":down");
        }
        return out;
    });
}

/// A listener on a free port of 127.0.0.1.
class Listener {
public:
    Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        if (bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(fd_, 5) != 0 ||
            getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
            fail_with_errno("listen");
        port_ = ntohs(address.sin_port);
    }
    ~Listener() { close(fd_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    bool reached_from(pid_t pid) const {
        return in_namespaces(pid, {"user", "net"}, [this] {
                   int fd = socket(AF_INET, SOCK_STREAM, 0);
                   sockaddr_in address{};
                   address.sin_family = AF_INET;
                   address.sin_port = htons(port_);
                   address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                   return std::string(
                       connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0
                           ? "reached"
                           : strerror(errno));
               }) == "reached";
    }

private:
    int fd_;
    in_port_t port_ = 0;
};

} // namespace

TEST(Net, NoneHasLoopbackAlone) {
    Container box({"--net", "none"});
    EXPECT_FALSE(shares(box.first(), "net"));
    EXPECT_EQ(interfaces_of(box.first()), "lo:up");
}

TEST(Net, LoopbackInsideWorks) {
    Container box({"--net", "none"});
    std::string word = token();
    // Anew for each that connects: the first may be gone before it has read.
    box.ask("while :; do echo " + word + " | nc -l -p 4711; done >/dev/null 2>&1 &");
    // nc listens when it is there; until then the connection is refused.
    EXPECT_TRUE(eventually([&] {
        return box.ask("nc 127.0.0.1 4711 </dev/null").out.find(word) != std::string::npos;
    })) << "nothing connects to 127.0.0.1";
}

TEST(Net, LoopbackOfTheHostIsAnother) {
    Listener listener;
    ASSERT_TRUE(listener.reached_from(getpid()));
    Container box({"--net", "none"});
    EXPECT_FALSE(listener.reached_from(box.first()));
}

TEST(Net, AbstractSocketsOfTheHostAreOutOfReach) {
    Container box({"--net", "none"});
    EXPECT_EQ(lines(box.ask("cat /proc/net/unix").out).size(), 1U);
}

TEST(Net, HostIsTheHosts) {
    Listener listener;
    Container box({"--net", "host"});
    EXPECT_TRUE(shares(box.first(), "net"));
    EXPECT_TRUE(listener.reached_from(box.first()));
}

TEST(Net, OfTheHostAsksItsResolvers) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    std::string word = token();
    spill(own + "/etc/resolv.conf", word);
    EXPECT_EQ(launch({"--rootfs", own, "--net", "none"}, {"cat", "/etc/resolv.conf"}).out, word);
    std::string hosts = slurp("/etc/resolv.conf");
    EXPECT_EQ(launch({"--rootfs", own, "--net", "host"}, {"cat", "/etc/resolv.conf"}).out,
              hosts.empty() ? word : hosts);
    EXPECT_EQ(slurp(own + "/etc/resolv.conf"), word);
}

TEST(Net, OffIsTheHosts) {
    Container box({"--no-net"});
    EXPECT_TRUE(shares(box.first(), "net"));
}

TEST(Net, AloneWithTheUserStage) {
    Container box({"--only", "user,net", "--net", "none"});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre("user", "net"));
    EXPECT_EQ(interfaces_of(box.first()), "lo:up");
}

TEST(Net, PublishingNeedsAWayIn) {
    for (const char* mode : {"none", "host"}) {
        Ended ended = launch({"--net", mode, "-p", "8080:80"}, {"true"});
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("-p"));
    }
}
