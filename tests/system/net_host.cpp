// Making the host, and the sockets on it.
#include "tests/system/net_host.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

namespace host {

namespace fs = std::filesystem;

namespace {

std::string scratch; ///< of this host

void need(bool good, const std::string& what) {
    if (!good)
        support::fail_with_errno(what);
}

/// Write to a file of the kernel's.
void tell(const char* path, const std::string& text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    need(fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), path);
    close(fd);
}

sockaddr_in inet(const std::string& address, std::uint16_t port = 0) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    need(inet_pton(AF_INET, address.c_str(), &out.sin_addr) == 1, address);
    return out;
}

sockaddr* plain(sockaddr_in& address) {
    return reinterpret_cast<sockaddr*>(&address);
}

ifreq interface(const char* name) {
    ifreq request{};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    return request;
}

void bring_up(int any, const char* name) {
    ifreq request = interface(name);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    need(ioctl(any, SIOCSIFFLAGS, &request) == 0, name);
}

// The uplink: a tap device whose other end is held open and never read.
void make_network() {
    int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    need(tap >= 0, "/dev/net/tun");
    ifreq request = interface("uplink");
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    need(ioctl(tap, TUNSETIFF, &request) == 0, "TUNSETIFF");
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bring_up(any, "lo");
    auto set = [&](unsigned long what, const char* address) {
        ifreq change = interface("uplink");
        sockaddr_in value = inet(address);
        memcpy(&change.ifr_addr, &value, sizeof value);
        need(ioctl(any, what, &change) == 0, address);
    };
    set(SIOCSIFADDR, kAddress);
    set(SIOCSIFNETMASK, "255.255.255.0");
    bring_up(any, "uplink");
    rtentry route{};
    sockaddr_in gateway = inet("192.0.2.254");
    sockaddr_in every = inet("0.0.0.0");
    memcpy(&route.rt_gateway, &gateway, sizeof gateway);
    memcpy(&route.rt_dst, &every, sizeof every);
    memcpy(&route.rt_genmask, &every, sizeof every);
    route.rt_flags = RTF_UP | RTF_GATEWAY;
    need(ioctl(any, SIOCADDRT, &route) == 0, "the default route");
    close(any);
}

void enter(const std::string& more_resolv_conf) {
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int flags = CLONE_NEWNET | CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER);
    need(unshare(flags) == 0, "unshare");
    if (uid != 0) {
        auto map = [](unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
        tell("/proc/self/setgroups", "deny");
        tell("/proc/self/uid_map", map(uid));
        tell("/proc/self/gid_map", map(gid));
    }
    need(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
    make_network();
    std::string runtime = scratch + "/run";
    need(mkdir(runtime.c_str(), 0700) == 0, runtime);
    setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
    std::string resolv = file("nameserver 127.0.0.53\n" + more_resolv_conf, 0644);
    fs::path real = fs::canonical("/etc/resolv.conf");
    need(mount(resolv.c_str(), real.c_str(), nullptr, MS_BIND, nullptr) == 0, real);
}

[[noreturn]] void live(const std::function<void()>& body, const std::string& more_resolv_conf) {
    try {
        enter(more_resolv_conf);
        body();
    } catch (const std::exception& problem) {
        ADD_FAILURE() << problem.what();
    }
    fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
}

} // namespace

std::string lacks() {
    int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tun < 0)
        return std::string("/dev/net/tun can't be opened: ") + strerror(errno);
    close(tun);
    return {};
}

void run(const std::function<void()>& body, const std::string& more_resolv_conf) {
    char name[] = "/tmp/gocontainer-net-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    scratch = name;
    fflush(nullptr);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
        live(body, more_resolv_conf);
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "see above";
    fs::remove_all(scratch);
}

support::Command launch(const Strings& options, const Strings& command) {
    Strings words = {support::gocontainer(), "parent", "--rootfs", support::rootfs()};
    if (geteuid() != 0)
        words.insert(words.end(), {"--map", "single"}); // no subordinate ids exist in here
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
    support::Command out;
    out.argv = std::move(words);
    return out;
}

std::string file(const std::string& text, mode_t mode) {
    static int count = 0;
    std::string path = scratch + "/" + std::to_string(++count);
    support::spill(path, text);
    need(chmod(path.c_str(), mode) == 0, path);
    return path;
}

void hide(const std::string& path) {
    std::string empty = file("", 0644);
    need(mount(empty.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0, path);
}

void cover(const std::string& directory) {
    need(mount("none", directory.c_str(), "tmpfs", 0, nullptr) == 0, directory);
}

void cut_off() {
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request = interface("uplink");
    need(ioctl(any, SIOCSIFFLAGS, &request) == 0, "uplink"); // no flags: not even up
    close(any);
}

Strings processes() {
    Strings out;
    struct stat own{};
    need(stat("/proc/self/ns/net", &own) == 0, "/proc/self/ns/net");
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::string pid = entry.path().filename();
        if (pid.find_first_not_of("0123456789") != std::string::npos || std::stoi(pid) == getpid())
            continue;
        struct stat theirs{};
        auto line = support::try_slurp(entry.path() / "stat");
        // One that is dead and not reaped yet has no namespaces any more.
        if (line && stat((entry.path() / "ns/net").c_str(), &theirs) == 0 &&
            theirs.st_ino == own.st_ino)
            out.push_back(
                line->substr(line->find('(') + 1, line->rfind(')') - line->find('(') - 1));
    }
    return out;
}

Strings runtime_files() {
    Strings out;
    for (const auto& entry : fs::directory_iterator(getenv("XDG_RUNTIME_DIR")))
        out.push_back(entry.path().filename());
    return out;
}

int serve(const std::string& address, std::uint16_t port, bool udp) {
    int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    sockaddr_in where = inet(address, port);
    need(bind(fd, plain(where), sizeof where) == 0, address + ":" + std::to_string(port));
    need(udp || listen(fd, 16) == 0, "listen");
    return fd;
}

pid_t holding(const std::string& address, std::uint16_t port) {
    int fd = serve(address, port);
    pid_t child = in_background([fd] {
        dup2(fd, STDIN_FILENO); // survives the exec, which takes the capabilities of a body away
        execlp("sleep", "sleep", "100", nullptr);
    });
    close(fd);
    need(support::eventually([&] {
             return support::try_slurp("/proc/" + std::to_string(child) + "/comm") == "sleep\n";
         }),
         "sleep");
    return child;
}

std::uint16_t free_port() {
    // Out of ip_local_port_range; never two in a row, since a range takes the next as well.
    static auto port = static_cast<std::uint16_t>(20000 + std::random_device()() % 10000);
    return port = static_cast<std::uint16_t>(port + 2);
}

std::string fetch(const std::string& address, std::uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval limit{.tv_sec = 2, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in where = inet(address, port);
    std::string out;
    if (connect(fd, plain(where), sizeof where) == 0) {
        (void)send(fd, "hello\n", 6, MSG_NOSIGNAL); // when it fails, there is nothing to read
        char buffer[512];
        for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;)
            out.append(buffer, static_cast<std::size_t>(got));
    }
    close(fd);
    return out;
}

bool answer(int listener, const std::string& text, std::chrono::milliseconds wait) {
    pollfd ready{.fd = listener, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, static_cast<int>(wait.count())) != 1)
        return false;
    int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0)
        return false;
    bool good =
        send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
    close(fd);
    return good;
}

pid_t in_background(const std::function<void()>& body, pid_t pid) {
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        std::string proc = "/proc/" + std::to_string(pid) + "/ns/";
        for (auto [name, type] :
             {std::pair{"user", CLONE_NEWUSER}, std::pair{"net", CLONE_NEWNET}}) {
            if (pid == 0)
                break;
            int fd = open((proc + name).c_str(), O_RDONLY | O_CLOEXEC);
            need(fd >= 0 && setns(fd, type) == 0, proc + name);
        }
        body();
    } catch (const std::exception& problem) {
        fprintf(stderr, "%s\n", problem.what());
    }
    _exit(1);
}

void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
}

} // namespace host
