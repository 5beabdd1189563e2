// Names, sockets, terminals, waiting: the calls of sys/kernel.hpp that are about talking.
#include "sys/kernel.hpp"

#include "sys/flags.hpp"
#include "sys/structures.hpp"

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace sys {

namespace {

/// A socket's type; all of ours are closed by an exec.
auto named_socket(int type) {
    Named named{static_cast<std::uint64_t>(type), names::socket_type};
    return Heard{named, [named](long) { return show(named) + "|SOCK_CLOEXEC"; }};
}

std::string show_link(const ifreq& request) {
    return "{ifr_name=" + sys::show(request.ifr_name) + ", ifr_flags=" +
           sys::show(Flags{static_cast<unsigned short>(request.ifr_flags), names::link}) + "}";
}

} // namespace

Result<void> sethostname(const std::string& name) {
    return done(invoke(
        "sethostname", [&] { return ::sethostname(name.c_str(), name.size()); }, name,
        also([&] { return std::to_string(name.size()); })));
}

Result<void> setdomainname(const std::string& name) {
    return done(invoke(
        "setdomainname", [&] { return ::setdomainname(name.c_str(), name.size()); }, name,
        also([&] { return std::to_string(name.size()); })));
}

Result<std::pair<Fd, Fd>> socketpair(int type) {
    int ends[2] = {-1, -1};
    TRY(invoke(
        "socketpair", [&] { return ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends); },
        Shown{"AF_UNIX"}, named_socket(type), also([] { return "0"; }),
        filled([&](long) { return show(ends); })));
    return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Result<Fd> socket(int domain, int type, int protocol) {
    return descriptor(invoke(
        "socket", [&] { return ::socket(domain, type | SOCK_CLOEXEC, protocol); },
        Named{static_cast<std::uint64_t>(domain), names::domain}, named_socket(type),
        Heard{protocol, [&](long) {
                  return domain == AF_INET && protocol == 0 ? "IPPROTO_IP"
                                                            : std::to_string(protocol);
              }}));
}

Result<void> connect_unix(int fd, const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return wrong("the socket path \"" + path + "\" is too long");
    memcpy(address.sun_path, path.data(), path.size());
    return done(invoke(
        "connect",
        [&] { return ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address); }, fd,
        Heard{Shown{}, [&](long) { return "{sa_family=AF_UNIX, sun_path=" + show(path) + "}"; }},
        Heard{path.c_str(), [](long) { return std::to_string(sizeof(sockaddr_un)); }}));
}

Result<void> bind_inet(int fd, const std::string& address, std::uint16_t port) {
    sockaddr_in four{};
    sockaddr_in6 six{};
    sockaddr* where = nullptr;
    socklen_t length = 0;
    if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        where = reinterpret_cast<sockaddr*>(&four);
        length = sizeof four;
    } else if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        where = reinterpret_cast<sockaddr*>(&six);
        length = sizeof six;
    } else {
        return wrong("\"" + address + "\" is not an IP address");
    }
    int yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); // only makes the test milder
    return done(invoke(
        "bind", [&] { return ::bind(fd, where, length); }, fd,
        address + ":" + std::to_string(port)));
}

Result<void> send(int fd, std::string_view bytes, std::optional<int> passed_fd) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()}; // sendmsg(2) only reads it
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (passed_fd) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &*passed_fd, sizeof(int));
    }
    return done(invoke(
        "sendmsg",
        [&] {
            long sent = 0;
            do
                sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
            while (sent == -1 && errno == EINTR);
            return sent;
        },
        fd,
        Heard{[&] { return bytes.size() <= 64 ? show(std::string(bytes)) : "…"; },
              [&](long) { return show_bytes(bytes, 64); }},
        also([] { return "MSG_NOSIGNAL"; })));
}

Result<Received> receive(int fd, std::size_t most) {
    Received got;
    // Nearly every message is a byte long; a buffer for the largest would cost its page faults.
    std::size_t size = static_cast<std::size_t>(TRY(invoke(
        "recv",
        [&] {
            long length = 0;
            do
                length = ::recv(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
            while (length == -1 && errno == EINTR);
            return length;
        },
        fd, also([] { return "NULL, 0"; }), Shown{"MSG_PEEK|MSG_TRUNC"})));
    if (size == 0)
        return got; // the other end is closed: recvmsg would say the same
    got.bytes.resize(std::min(size, most));
    iovec part{got.bytes.data(), got.bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    message.msg_control = control.data();
    message.msg_controllen = CMSG_LEN(sizeof(int)); // with its padding there is room for a second
    long length = TRY(invoke(
        "recvmsg",
        [&] {
            long received = 0;
            do
                received = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
            while (received == -1 && errno == EINTR);
            return received;
        },
        fd, filled([&](long) { return show_bytes(got.bytes); }),
        also([] { return "MSG_CMSG_CLOEXEC"; })));
    got.bytes.resize(static_cast<std::size_t>(length));
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            int number = -1;
            memcpy(&number, CMSG_DATA(header), sizeof number);
            got.fd = Fd(number);
        }
    }
    return got;
}

Result<bool> at_end(int fd) {
    Expecting nothing(EAGAIN);
    auto length = invoke(
        "recv", [&] { return ::recv(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT); }, fd,
        also([] { return "NULL, 0"; }), Shown{"MSG_PEEK|MSG_TRUNC|MSG_DONTWAIT"});
    if (!length && length.error().code == EAGAIN)
        return false;
    return TRY(std::move(length)) == 0;
}

Result<void> link_up(const std::string& name) {
    Fd any = TRY(socket(AF_INET, SOCK_DGRAM));
    ifreq request{};
    (void)name.copy(request.ifr_name, IFNAMSIZ - 1); // the kernel refuses a name cut short
    TRY(invoke(
        "ioctl", [&] { return ::ioctl(any.get(), SIOCGIFFLAGS, &request); }, any.get(),
        Shown{"SIOCGIFFLAGS"}, Heard{name.c_str(), [&](long result) {
                                         return result < 0 ? "{ifr_name=" + show(name) + "}"
                                                           : show_link(request);
                                     }}));
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    return done(invoke(
        "ioctl", [&] { return ::ioctl(any.get(), SIOCSIFFLAGS, &request); }, any.get(),
        Shown{"SIOCSIFFLAGS"}, Heard{name.c_str(), [&](long) { return show_link(request); }},
        Heard{Shown{"IFF_UP"}, [](long) { return ""; }}));
}

Result<bool> link_has_carrier(const std::string& name) {
    Fd any = TRY(socket(AF_INET, SOCK_DGRAM));
    ethtool_value link{.cmd = ETHTOOL_GLINK, .data = 0};
    ifreq request{};
    (void)name.copy(request.ifr_name, IFNAMSIZ - 1); // the kernel refuses a name cut short
    request.ifr_data = reinterpret_cast<char*>(&link);
    TRY(invoke(
        "ioctl", [&] { return ::ioctl(any.get(), SIOCETHTOOL, &request); }, any.get(),
        Shown{"SIOCETHTOOL"}, name, Shown{"ETHTOOL_GLINK"},
        filled([&](long) { return "[" + std::to_string(link.data) + "]"; })));
    return link.data != 0;
}

// --- terminals ---------------------------------------------------------------------------------

bool isatty(int fd) {
    return ::isatty(fd) == 1;
}

Result<termios> tcgetattr(int fd) {
    termios mode{};
    TRY(invoke("ioctl", [&] { return ::tcgetattr(fd, &mode); }, fd, Shown{"TCGETS"}));
    return mode;
}

Result<void> tcsetattr(int fd, const termios& mode) {
    return done(
        invoke("ioctl", [&] { return ::tcsetattr(fd, TCSADRAIN, &mode); }, fd, Shown{"TCSETSW"}));
}

Result<winsize> get_winsize(int fd) {
    winsize size{};
    TRY(invoke(
        "ioctl", [&] { return ::ioctl(fd, TIOCGWINSZ, &size); }, fd, Shown{"TIOCGWINSZ"},
        filled([&](long) { return show(size); })));
    return size;
}

Result<void> set_winsize(int fd, const winsize& size) {
    return done(invoke(
        "ioctl", [&] { return ::ioctl(fd, TIOCSWINSZ, &size); }, fd, Shown{"TIOCSWINSZ"},
        also([&] { return show(size); })));
}

Result<void> make_controlling_terminal(int fd, const Word& word) {
    return done(invoke(
        "ioctl", [&] { return syscall(SYS_ioctl, fd, TIOCSCTTY, 0, 0, word[0], word[1]); }, fd,
        Shown{"TIOCSCTTY"}, also([] { return "0"; })));
}

Result<Fd> pty_peer(int master) {
    int locked = 0;
    TRY(invoke(
        "ioctl", [&] { return ::ioctl(master, TIOCSPTLCK, &locked); }, master, Shown{"TIOCSPTLCK"},
        also([] { return "[0]"; })));
    return descriptor(invoke(
        "ioctl", [&] { return ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); },
        master, Shown{"TIOCGPTPEER"}, also([] { return "O_RDWR|O_NOCTTY|O_CLOEXEC"; })));
}

Result<pid_t> tcgetsid(int fd) {
    pid_t session = 0;
    TRY(invoke(
        "ioctl", [&] { return ::ioctl(fd, TIOCGSID, &session); }, fd, Shown{"TIOCGSID"},
        filled([&](long) { return "[" + std::to_string(session) + "]"; })));
    return session;
}

Result<pid_t> tcgetpgrp(int fd) {
    pid_t group = 0;
    TRY(invoke(
        "ioctl", [&] { return ::ioctl(fd, TIOCGPGRP, &group); }, fd, Shown{"TIOCGPGRP"},
        filled([&](long) { return "[" + std::to_string(group) + "]"; })));
    return group;
}

// --- waiting and signals -----------------------------------------------------------------------

namespace {
Result<int> poll_for(std::span<pollfd> fds, int milliseconds) {
    return static_cast<int>(TRY(invoke(
        "poll",
        [&] {
            long ready = 0;
            do
                ready = ::poll(fds.data(), fds.size(), milliseconds);
            while (ready == -1 && errno == EINTR);
            return ready;
        },
        Out{fds.data(), fds.size_bytes()}, also([&] { return show(std::span<const pollfd>(fds)); }),
        fds.size(), milliseconds)));
}
} // namespace

Result<int> poll(std::span<pollfd> fds) {
    return poll_for(fds, -1);
}

Result<int> poll(std::span<pollfd> fds, std::chrono::milliseconds most) {
    return poll_for(fds, static_cast<int>(most.count()));
}

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
        (void)sigaddset(&set, number); // valid numbers
    return set;
}

Result<Fd> signalfd(const sigset_t& set) {
    return descriptor(invoke(
        "signalfd", [&] { return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK); },
        also([&] { return "-1, " + show(set) + ", SFD_CLOEXEC|SFD_NONBLOCK"; })));
}

Result<SignalInfo> read_signal(int signalfd) {
    signalfd_siginfo info{};
    TRY(invoke(
        "read", [&] { return ::read(signalfd, &info, sizeof info); }, signalfd, filled([&](long) {
            return "{ssi_signo=" + show(Signal{static_cast<int>(info.ssi_signo)}) +
                   ", ssi_pid=" + std::to_string(info.ssi_pid) + ", ...}";
        }),
        also([] { return std::to_string(sizeof info); })));
    return SignalInfo{static_cast<int>(info.ssi_signo), static_cast<pid_t>(info.ssi_pid)};
}

Result<sigset_t> sigprocmask(int how, const sigset_t& set) {
    sigset_t before{};
    TRY(invoke(
        "sigprocmask", [&] { return ::sigprocmask(how, &set, &before); },
        Named{static_cast<std::uint64_t>(how), names::mask_how}, also([&] { return show(set); }),
        filled([&](long) { return show(before); })));
    return before;
}

void forget_signal(int signal) {
    sigset_t one;
    sigemptyset(&one);
    (void)sigaddset(&one, signal); // a valid number: can't fail
    const timespec now{};
    (void)invoke(
        "sigtimedwait", [&] { return ::sigtimedwait(&one, nullptr, &now); },
        also([&] { return show(one); })); // EAGAIN: there was none
}

Result<int> sigwait(const sigset_t& set) {
    return static_cast<int>(TRY(invoke("sigwaitinfo", [&] {
        long number = 0;
        do
            number = ::sigwaitinfo(&set, nullptr);
        while (number == -1 && errno == EINTR);
        return number;
    })));
}

std::string signal_name(int signal) {
    const char* name = sigabbrev_np(signal);
    return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
}

} // namespace sys
