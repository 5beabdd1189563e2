#include "tests/support/receiver.hpp"

#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
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

Manager::Manager(const std::string& path) : path_(path) {
    sockaddr_un address = address_of(path);
    socklen_t length = sizeof address;
    if (path.starts_with('@')) {
        address.sun_path[0] = '\0';
        length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    }
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd_ < 0 || bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        setsockopt(fd_, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0)
        fail_with_errno("bind " + path);
}

Manager::~Manager() {
    close(fd_);
    if (path_.starts_with('/'))
        unlink(path_.c_str());
}

bool Manager::hears_nothing() const {
    pollfd more{.fd = fd_, .events = POLLIN, .revents = 0};
    return poll(&more, 1, 0) == 0;
}

namespace {

/// A message, and what came with it: descriptors, and who has sent it.
struct Came {
    char text[16384];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(8 * sizeof(int))] = {};
    iovec part{text, sizeof text};
    msghdr message{};
    ssize_t from(int socket) {
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        return recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    }
};

} // namespace

std::string Manager::hear() {
    pollfd more{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&more, 1, static_cast<int>(kPatience.count())) != 1)
        throw std::runtime_error("nobody says anything to " + path_);
    Came came;
    ssize_t got = came.from(fd_);
    if (got < 0)
        fail_with_errno("recvmsg from " + path_);
    for (cmsghdr* one = CMSG_FIRSTHDR(&came.message); one != nullptr;
         one = CMSG_NXTHDR(&came.message, one)) {
        int fd = -1;
        ucred who{};
        if (one->cmsg_type == SCM_CREDENTIALS)
            memcpy(&who, CMSG_DATA(one), sizeof who);
        if (who.pid != 0)
            sender_ = who.pid;
        if (one->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(&fd, CMSG_DATA(one), sizeof fd);
        close(fd);
    }
    return {came.text, static_cast<std::size_t>(got)};
}

Received receive_from(int connection) {
    Came came;
    ssize_t got = came.from(connection);
    cmsghdr* header = CMSG_FIRSTHDR(&came.message);
    if (got < 1 || got == sizeof came.text || header == nullptr ||
        header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        throw std::runtime_error("no text with one descriptor");
    int fd = -1;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return {std::string(came.text, static_cast<std::size_t>(got)), fd};
}

} // namespace support
