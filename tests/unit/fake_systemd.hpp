// A systemd behind a socket, and what it says.
#pragma once

#include "sys/dbus.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

namespace test {

namespace fs = std::filesystem;

/// The user's systemd, at the end of a socket: takes calls until it has no answer to one.
class FakeSystemd {
public:
    using Message = sys::dbus::Message;
    using Answer = std::function<std::string(const Message&)>;
    explicit FakeSystemd(Answer answer) {
        directory_ = "/tmp/fake-systemd." + std::to_string(::getpid());
        fs::create_directories(directory_ + "/systemd");
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        (directory_ + "/systemd/private").copy(address.sun_path, sizeof address.sun_path - 1);
        listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listening_, 1), 0);
        ::setenv("XDG_RUNTIME_DIR", directory_.c_str(), 1);
        thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
    }
    ~FakeSystemd() {
        ::shutdown(listening_, SHUT_RDWR);
        thread_.join();
        ::close(listening_);
        ::unsetenv("XDG_RUNTIME_DIR");
        fs::remove_all(directory_);
    }
    FakeSystemd(const FakeSystemd&) = delete;
    FakeSystemd& operator=(const FakeSystemd&) = delete;

private:
    void serve(const Answer& answer) const {
        for (int peer = 0; (peer = ::accept(listening_, nullptr, nullptr)) >= 0;)
            talk(peer, answer);
    }
    static void talk(int peer, const Answer& answer) {
        auto send = [peer](const std::string& bytes) {
            EXPECT_EQ(::write(peer, bytes.data(), bytes.size()), ssize_t(bytes.size()));
        };
        std::string got;
        char buffer[4096];
        bool begun = false;
        for (long length = 0; (length = ::read(peer, buffer, sizeof buffer)) > 0;) {
            got.append(buffer, std::size_t(length));
            if (std::size_t begin = got.find("BEGIN\r\n"); !begun && begin != std::string::npos) {
                EXPECT_TRUE(got.starts_with(std::string("\0AUTH EXTERNAL\r\nDATA\r\n", 22)));
                got.erase(0, begin + 7);
                EXPECT_EQ(got, "") << "a systemd would not look at it before more comes";
                send("DATA\r\nOK 1234deadbeef\r\n");
                begun = true;
            }
            if (!begun)
                continue;
            auto message = sys::dbus::decode(got);
            if (!message || !*message)
                continue;
            got.erase(0, (*message)->second);
            // In small pieces, as a stream may come.
            std::string reply = answer((*message)->first);
            for (std::size_t at = 0; at < reply.size(); at += 50)
                send(reply.substr(at, 50));
            if (reply.empty())
                break;
        }
        ::shutdown(peer, SHUT_WR);
        (void)::read(peer, buffer, sizeof buffer); // until the client has gone
        ::close(peer);
    }
    std::string directory_;
    int listening_ = -1;
    std::thread thread_;
};

inline std::string reply_to(const sys::dbus::Message& call, const std::string& job) {
    sys::dbus::Writer body;
    body.string(job);
    sys::dbus::Message reply;
    reply.type = sys::dbus::Type::answer;
    reply.serial = 900;
    reply.reply_to = call.serial;
    reply.signature = "o";
    reply.body = body.bytes();
    return encode(reply);
}

inline std::string job_removed(const std::string& job, const std::string& result) {
    sys::dbus::Writer body;
    body.u32(7);
    body.string(job);
    body.string("gocontainer-x.scope");
    body.string(result);
    sys::dbus::Message signal;
    signal.type = sys::dbus::Type::signal;
    signal.serial = 901;
    signal.path = "/org/freedesktop/systemd1";
    signal.interface = "org.freedesktop.systemd1.Manager";
    signal.member = "JobRemoved";
    signal.signature = "uoss";
    signal.body = body.bytes();
    return encode(signal);
}

inline std::string error_to(const sys::dbus::Message& call, const std::string& name,
                            const std::string& text) {
    sys::dbus::Writer body;
    body.string(text);
    sys::dbus::Message reply;
    reply.type = sys::dbus::Type::error;
    reply.serial = 900;
    reply.reply_to = call.serial;
    reply.error = name;
    reply.signature = "s";
    reply.body = body.bytes();
    return encode(reply);
}

} // namespace test
