#include "tests/support/receiver.hpp"

#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace support {

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw std::runtime_error(path + ": too long for a socket's name");
    memcpy(address.sun_path, path.data(), path.size());
    return address;
}

} // namespace

Received::~Received() {
    if (fd_ >= 0)
        close(fd_);
}

pid_t Received::pid() const {
    std::string facts = slurp("/proc/self/fdinfo/" + std::to_string(fd_));
    std::size_t at = facts.find("\nPid:");
    return at == std::string::npos ? -1 : std::stoi(facts.substr(at + 5));
}

std::string Received::until(const std::string& text) const {
    std::string screen;
    char buffer[512];
    while (!screen.contains(text)) {
        ssize_t got = read(fd_, buffer, sizeof buffer);
        if (got <= 0)
            throw std::runtime_error("never shown: " + text + "\n" + screen);
        screen.append(buffer, static_cast<std::size_t>(got));
    }
    return screen;
}

Receiver::Receiver(std::string path, int type) : path_(std::move(path)) {
    sockaddr_un address = address_of(path_);
    listener_ = socket(AF_UNIX, (type != 0 ? type : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (listener_ < 0 ||
        bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 0) != 0)
        fail_with_errno("listen at " + path_);
}

Receiver::~Receiver() {
    close(listener_);
    if (first_ >= 0)
        close(first_);
    unlink(path_.c_str());
}

void Receiver::busy() {
    sockaddr_un address = address_of(path_);
    first_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(first_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail_with_errno("connect to " + path_); // more than one does not fit
}

Received Receiver::receive() {
    if (first_ >= 0) {
        close(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
        close(std::exchange(first_, -1));
    }
    int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    Received received = receive_from(connection);
    close(connection);
    return received;
}

Received receive_from(int connection) {
    char text[16384];
    alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
    iovec part{text, sizeof text};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (got < 1 || got == sizeof text || header == nullptr || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int)))
        throw std::runtime_error("no text with one descriptor");
    int fd = -1;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return {std::string(text, static_cast<std::size_t>(got)), fd};
}

} // namespace support
