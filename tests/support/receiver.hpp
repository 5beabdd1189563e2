// Who waits at a socket for a descriptor: an engine, for a terminal or a pidfd.
//
//   Receiver consoles(bundle.path() + "/console");
//   bundle.create({"--console-socket", consoles.path()});
//   Received console = consoles.receive();
#pragma once

#include <string>
#include <utility>

#include <sys/types.h>

namespace support {

/// One message: its text, and its one descriptor.
class Received {
public:
    Received(std::string text, int fd) : text_(std::move(text)), fd_(fd) {}
    Received(Received&& other) noexcept
        : text_(std::move(other.text_)), fd_(std::exchange(other.fd_, -1)) {}
    ~Received();

    const std::string& text() const { return text_; }
    int fd() const { return fd_; }
    /// Of a pidfd: whose it is.
    pid_t pid() const;
    /// Of a terminal: read until it has shown `text`; all that it has.
    std::string until(const std::string& text) const;

private:
    std::string text_;
    int fd_;
};

/// The next message on `connection`; throws when it is anything else than text and one descriptor.
Received receive_from(int connection);

class Receiver {
public:
    /// Listens at `path`; `type` as in socket(2).
    explicit Receiver(std::string path, int type = 0);
    ~Receiver();
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    const std::string& path() const { return path_; }
    /// Have no room for a connection, until receive() makes some.
    void busy();
    /// Waits for a connection, and for its message.
    Received receive();

private:
    std::string path_;
    int listener_ = -1, first_ = -1;
};

/// Who waits, in the place of systemd, until a service is ready (sd_notify(3)).
class Manager {
public:
    /// At `path`; with "@" before it, an abstract name.
    explicit Manager(const std::string& path);
    ~Manager();
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    std::string variable() const { return "NOTIFY_SOCKET=" + path_; }
    /// One message, waited for, and whose: the descriptors that came with it are closed.
    std::string hear();
    pid_t sender() const { return sender_; }
    /// Has nobody said anything yet?
    bool hears_nothing() const;

private:
    std::string path_;
    int fd_ = -1;
    pid_t sender_ = 0;
};

} // namespace support
