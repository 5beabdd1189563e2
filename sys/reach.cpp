// Reaching for other processes, by sockets and by ptrace.
#include "sys/reach.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

namespace sys {

namespace {

struct Abstract {
    sockaddr_un address{};
    socklen_t size;
    explicit Abstract(const std::string& name)
        : size(static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())) {
        address.sun_family = AF_UNIX;
        memcpy(address.sun_path + 1, name.data(),
               std::min(name.size(), sizeof address.sun_path - 1));
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

sockaddr_in loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

} // namespace

Result<Fd> listen_abstract(const std::string& name) {
    Fd fd = TRY(socket(AF_UNIX, SOCK_STREAM));
    Abstract at(name);
    TRY(invoke("bind", [&] { return ::bind(fd.get(), at.get(), at.size); }, fd.get(), "@" + name));
    TRY(invoke("listen", [&] { return ::listen(fd.get(), 1); }, fd.get(), 1));
    return fd;
}

Result<void> connect_abstract(int fd, const std::string& name) {
    Abstract at(name);
    return done(
        invoke("connect", [&] { return ::connect(fd, at.get(), at.size); }, fd, "@" + name));
}

Result<bool> has_visitor(int fd) {
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    return TRY(poll(std::span(&entry, 1), std::chrono::milliseconds(0))) > 0;
}

Result<std::pair<Fd, std::uint16_t>> udp_on_loopback() {
    Fd fd = TRY(socket(AF_INET, SOCK_DGRAM));
    sockaddr_in address = loopback();
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    TRY(invoke("bind", [&] { return ::bind(fd.get(), any, size); }, fd.get(), "127.0.0.1:0"));
    TRY(invoke("getsockname", [&] { return ::getsockname(fd.get(), any, &size); }, fd.get()));
    return std::pair{std::move(fd), ntohs(address.sin_port)};
}

Result<Datagram> next_datagram(int fd) {
    std::array<char, 256> bytes{};
    sockaddr_in from{};
    socklen_t size = sizeof from;
    auto got = invoke(
        "recvfrom",
        [&] {
            return ::recvfrom(fd, bytes.data(), bytes.size(), MSG_DONTWAIT,
                              reinterpret_cast<sockaddr*>(&from), &size);
        },
        fd, Out{bytes.data(), bytes.size()});
    if (!got && got.error().code == EAGAIN)
        return Datagram{};
    return Datagram{.bytes = {bytes.data(), static_cast<std::size_t>(TRY(std::move(got)))},
                    .port = ntohs(from.sin_port)};
}

Result<void> send_to_loopback(int fd, std::string_view bytes) {
    sockaddr_in to = loopback();
    return done(invoke(
        "sendto",
        [&] {
            return ::sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL,
                            reinterpret_cast<sockaddr*>(&to), sizeof to);
        },
        fd, "127.0.0.1"));
}

Result<void> ptrace_seize(pid_t pid) {
    return done(invoke(
        "ptrace", [&] { return ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr); },
        Shown{"PTRACE_SEIZE"}, pid));
}

Result<std::string> read_memory(pid_t pid, std::uint64_t address, std::size_t size) {
    std::string bytes(size, '\0');
    iovec to{.iov_base = bytes.data(), .iov_len = size};
    iovec from{.iov_base = std::bit_cast<void*>(address), .iov_len = size};
    long got = TRY(invoke(
        "process_vm_readv", [&] { return ::process_vm_readv(pid, &to, 1, &from, 1, 0); }, pid,
        Out{bytes.data(), size}));
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
}

} // namespace sys
