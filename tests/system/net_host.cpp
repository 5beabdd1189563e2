#include "tests/system/net_host.hpp"

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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace host {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

std::string scratch; ///< of this host

[[noreturn]] void give_up(const std::string& what) {
    perror(("the test's own host: " + what).c_str());
    _exit(99);
}

void need(bool good, const std::string& what) {
    if (!good)
        give_up(what);
}

void write_to(const std::string& path, const std::string& text) {
    int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
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
        write_to("/proc/self/setgroups", "deny");
        write_to("/proc/self/uid_map", std::to_string(uid) + " " + std::to_string(uid) + " 1");
        write_to("/proc/self/gid_map", std::to_string(gid) + " " + std::to_string(gid) + " 1");
    }
    need(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
    make_network();
    std::string runtime = scratch + "/run";
    need(mkdir(runtime.c_str(), 0700) == 0, runtime);
    setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
    std::string resolv = file("nameserver 127.0.0.53\n" + more_resolv_conf, 0644);
    std::error_code error;
    fs::path real = fs::canonical("/etc/resolv.conf", error);
    need(!error && mount(resolv.c_str(), real.c_str(), nullptr, MS_BIND, nullptr) == 0,
         "/etc/resolv.conf");
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
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        enter(more_resolv_conf);
        body();
        fflush(nullptr);
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
    fs::remove_all(scratch);
}

std::string token() {
    static std::random_device dice;
    char text[32];
    snprintf(text, sizeof text, "t%08x%08x", dice(), dice());
    return text;
}

std::string file(const std::string& text, mode_t mode) {
    std::string path = scratch + "/" + token();
    std::ofstream(path) << text;
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

int serve(const std::string& address, std::uint16_t port, bool udp) {
    int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    sockaddr_in where = inet(address, port);
    need(bind(fd, plain(where), sizeof where) == 0, address + ":" + std::to_string(port));
    need(udp || listen(fd, 16) == 0, "listen");
    return fd;
}

pid_t holding(const std::string& address, std::uint16_t port) {
    int fd = serve(address, port);
    pid_t child = fork();
    if (child == 0) {
        dup2(fd, STDIN_FILENO); // survives the exec, which takes a test's capabilities away
        execlp("sleep", "sleep", "100", nullptr);
        give_up("sleep");
    }
    close(fd);
    need(eventually([&] { return read("/proc/" + std::to_string(child) + "/comm") == "sleep\n"; }),
         "sleep");
    return child;
}

std::uint16_t free_port() {
    static std::random_device dice;
    return static_cast<std::uint16_t>(20000 + dice() % 10000); // a host with nobody else on it
}

std::string fetch(const std::string& address, std::uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval limit{.tv_sec = 2, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in where = inet(address, port);
    std::string out;
    if (connect(fd, plain(where), sizeof where) == 0) {
        (void)!::write(fd, "hello\n", 6); // refused behind our back: then there is nothing to read
        char buffer[512];
        for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
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
    bool good = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(fd);
    return good;
}

bool eventually(const std::function<bool()>& condition) {
    for (auto end = Clock::now() + 10s; Clock::now() < end; std::this_thread::sleep_for(20ms))
        if (condition())
            return true;
    return condition();
}

namespace {

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

ino_t network_of(const std::string& pid) {
    struct stat info{};
    return stat(("/proc/" + pid + "/ns/net").c_str(), &info) == 0 ? info.st_ino : 0;
}

} // namespace

std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

Words processes() {
    Words out;
    ino_t ours = network_of("self");
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::string pid = entry.path().filename();
        if (!is_number(pid) || pid == std::to_string(getpid()))
            continue;
        // slirp4netns as an ordinary user hides its namespaces, but its name shows. Without any
        // memory (a zombie that init has not reaped yet) it is nobody's any more.
        std::string name = host::read("/proc/" + pid + "/comm");
        std::string stat = host::read("/proc/" + pid + "/stat");
        bool dead = stat.find(") Z ") != std::string::npos;
        if (!dead && network_of(pid) == ours)
            out.push_back(name.substr(0, name.find('\n')));
    }
    return out;
}

Words files(const std::string& directory) {
    Words out;
    for (const auto& entry : fs::directory_iterator(directory))
        out.push_back(entry.path().filename());
    return out;
}

Launch::Launch(Words options, Words command) {
    const char* binary = getenv("GOCONTAINER");
    const char* rootfs = getenv("GOCONTAINER_ROOTFS");
    Words words = {binary != nullptr ? binary : "./gocontainer", "parent", "--rootfs",
                   rootfs != nullptr ? rootfs : "./rootfs"};
    if (geteuid() != 0)
        words.insert(words.end(), {"--map", "single"}); // no subordinate ids exist in here
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    int out[2];
    int err[2];
    need(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe");
    pid_ = fork();
    if (pid_ == 0) {
        setpgid(0, 0);
        signal(SIGPIPE, SIG_DFL);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        execv(argv[0], argv.data());
        give_up(words[0]);
    }
    close(out[1]);
    close(err[1]);
    out_fd_ = out[0];
    err_fd_ = err[0];
}

Launch::~Launch() {
    if (pid_ > 0) {
        kill(SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    close(out_fd_);
    close(err_fd_);
}

bool Launch::read_some(std::chrono::milliseconds wait) {
    pollfd both[] = {{.fd = out_fd_, .events = POLLIN, .revents = 0},
                     {.fd = err_fd_, .events = POLLIN, .revents = 0}};
    if (poll(both, 2, static_cast<int>(wait.count())) <= 0)
        return false;
    char buffer[4096];
    bool some = false;
    for (auto [fd, into] : {std::pair{both[0], &out_}, std::pair{both[1], &err_}}) {
        if (fd.revents == 0)
            continue;
        ssize_t got = ::read(fd.fd, buffer, sizeof buffer);
        if (got > 0)
            into->append(buffer, static_cast<std::size_t>(got));
        some = some || got > 0;
    }
    return some;
}

int Launch::wait() {
    auto end = Clock::now() + 20s;
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
        if (Clock::now() > end) {
            ADD_FAILURE() << "no end after 20 seconds; it wrote: " << out_ << err_;
            kill(SIGKILL);
            waitpid(pid_, &status, 0);
            break;
        }
        if (!read_some(10ms))
            std::this_thread::sleep_for(1ms);
    }
    pid_ = -1;
    while (read_some(0ms)) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Launch::line() {
    for (auto end = Clock::now() + 20s; Clock::now() < end;) {
        std::size_t stop = out_.find('\n', taken_);
        if (stop != std::string::npos) {
            std::string text = out_.substr(taken_, stop - taken_);
            taken_ = stop + 1;
            return text;
        }
        if (!read_some(100ms))
            std::this_thread::sleep_for(1ms);
    }
    ADD_FAILURE() << "no line within 20 seconds; it wrote: " << out_ << err_;
    return {};
}

void Launch::kill(int signal) const {
    ::kill(pid_, signal);
}

pid_t Launch::inside() const {
    std::string all = std::to_string(pid_);
    std::string children = host::read("/proc/" + all + "/task/" + all + "/children");
    for (std::size_t at = 0; at < children.size();) {
        std::size_t end = children.find(' ', at);
        std::string pid = children.substr(at, end - at);
        if (is_number(pid) && network_of(pid) != 0 && network_of(pid) != network_of("self"))
            return std::stoi(pid);
        at = end == std::string::npos ? children.size() : end + 1;
    }
    return 0;
}

pid_t in_network_of(pid_t pid, const std::function<void()>& body) {
    pid_t child = fork();
    if (child != 0)
        return child;
    std::string proc = "/proc/" + std::to_string(pid) + "/ns/";
    int user = open((proc + "user").c_str(), O_RDONLY | O_CLOEXEC);
    int net = open((proc + "net").c_str(), O_RDONLY | O_CLOEXEC);
    need(user >= 0 && net >= 0, proc);
    need(setns(user, CLONE_NEWUSER) == 0 && setns(net, CLONE_NEWNET) == 0, "setns");
    body();
    _exit(0);
}

} // namespace host
