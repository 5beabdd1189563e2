// D-Bus against bytes: the specification's own rules, and whatever a broken peer may send.
#include "sys/dbus.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>

namespace {

using namespace std::string_literals;
using sys::dbus::decode;
using sys::dbus::encode;
using sys::dbus::Message;
using sys::dbus::Reader;
using sys::dbus::Type;
using sys::dbus::Writer;
using ::testing::HasSubstr;

Message hello() {
    Message message;
    message.serial = 1;
    message.path = "/org/freedesktop/DBus";
    message.interface = message.destination = "org.freedesktop.DBus";
    message.member = "Hello";
    return message;
}

// As sent by other implementations, but for the order of the fields, which is free.
const std::string kHello = "l\1\0\1\0\0\0\0\1\0\0\0\x6d\0\0\0"s
                           "\1\1o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0"s
                           "\2\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"s
                           "\3\1s\0\5\0\0\0Hello\0\0\0"s
                           "\6\1s\0\x14\0\0\0org.freedesktop.DBus\0"s
                           "\0\0\0"s;

TEST(Dbus, HelloIsTheseBytes) {
    EXPECT_EQ(encode(hello()), kHello);
}

TEST(Dbus, WhatIsEncodedIsDecoded) {
    Message message;
    message.type = Type::signal;
    message.serial = 77;
    message.reply_to = 5;
    message.path = "/a";
    message.interface = "a.b";
    message.member = "C";
    message.error = "a.b.Wrong";
    message.destination = ":1.2";
    message.sender = ":1.3";
    message.signature = "s";
    message.body = "\5\0\0\0hallo\0"s;
    std::string bytes = encode(message) + "next";
    auto decoded = decode(bytes);
    ASSERT_TRUE(decoded && *decoded);
    const auto& [got, length] = **decoded;
    EXPECT_EQ(length, bytes.size() - 4);
    EXPECT_EQ(got.type, Type::signal);
    EXPECT_EQ(got.serial, 77U);
    EXPECT_EQ(got.reply_to, 5U);
    EXPECT_EQ(got.path, "/a");
    EXPECT_EQ(got.interface, "a.b");
    EXPECT_EQ(got.member, "C");
    EXPECT_EQ(got.error, "a.b.Wrong");
    EXPECT_EQ(got.destination, ":1.2");
    EXPECT_EQ(got.sender, ":1.3");
    EXPECT_EQ(got.signature, "s");
    EXPECT_EQ(Reader(got.body).string(), "hallo");
}

TEST(Dbus, AMessageIsDecodedOnceItIsAllThere) {
    for (std::size_t length = 0; length < kHello.size(); ++length) {
        auto decoded = decode(std::string_view(kHello).substr(0, length));
        ASSERT_TRUE(decoded) << "after " << length << " bytes: " << decoded.error().detail;
        EXPECT_FALSE(*decoded) << "after " << length << " bytes";
    }
    EXPECT_TRUE(decode(kHello)->has_value());
}

TEST(Dbus, NoLengthLeadsBeyondTheMessage) {
    // Every byte set to every extreme: an answer or an error, and never a read outside, which the
    // sanitizers' build of this test would see.
    for (std::size_t at = 0; at < kHello.size(); ++at)
        for (int value : {0, 1, 0x7f, 0x80, 0xff}) {
            std::string broken = kHello;
            broken[at] = static_cast<char>(value);
            (void)decode(broken); // whatever it answers
        }
    std::string huge = kHello;
    huge.replace(4, 4, "\xff\xff\xff\x7f");
    EXPECT_THAT(decode(huge).error().detail, HasSubstr("more than 1 MiB"));
    std::string fields = kHello;
    fields.replace(12, 4, "\xff\xff\xff\xff");
    EXPECT_THAT(decode(fields).error().detail, HasSubstr("more than 1 MiB"));
    std::string big_endian = kHello;
    big_endian[0] = 'B';
    EXPECT_THAT(decode(big_endian).error().detail, HasSubstr("little endian"));
    std::string string_too_long = kHello;
    string_too_long[20] = '\x70';
    EXPECT_THAT(decode(string_too_long).error().detail, HasSubstr("malformed header"));
}

TEST(Dbus, ValuesAreAligned) {
    Writer out;
    out.byte(1);
    out.u32(2);
    out.byte(3);
    out.u64(4);
    out.boolean(true);
    out.signature("au");
    EXPECT_EQ(out.bytes(), "\1\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\1\0\0\0\2au\0"s);
}

TEST(Dbus, AnArraysLengthLeavesOutThePaddingBeforeIt) {
    Writer out;
    auto array = out.open_array(8);
    out.align(8);
    out.string("a");
    out.close_array(array);
    EXPECT_EQ(out.bytes(), "\6\0\0\0\0\0\0\0\1\0\0\0a\0"s);
    Writer empty;
    empty.close_array(empty.open_array(8));
    EXPECT_EQ(empty.bytes(), "\0\0\0\0\0\0\0\0"s);
}

TEST(Dbus, AReaderStopsAtTheEnd) {
    EXPECT_EQ(Reader("").byte(), std::nullopt);
    EXPECT_EQ(Reader("\1\0\0"s).u32(), std::nullopt);
    EXPECT_EQ(Reader("\3\0\0\0abc"s).string(), std::nullopt) << "its zero byte is missing";
    EXPECT_EQ(Reader("\3\0\0\0abcd"s).string(), std::nullopt) << "no zero byte where one belongs";
    EXPECT_EQ(Reader("\xff\xff\xff\xff"s
                     "a")
                  .string(),
              std::nullopt);
    EXPECT_EQ(Reader("\5a\0"s).signature(), std::nullopt);
    Reader odd("abc");
    (void)odd.byte(); // now between two boundaries
    EXPECT_FALSE(odd.align(8));
}

TEST(Dbus, ASignalEndsTheWait) {
    char folder[] = "/tmp/gocontainer-dbus-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    std::string path = std::string(folder) + "/socket";
    memcpy(where.sun_path, path.c_str(), path.size() + 1);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); // which never answers
    ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
    ASSERT_EQ(listen(server, 1), 0);
    sigset_t term;
    sigset_t before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &term, &before), 0); // as during a launch
    ASSERT_EQ(kill(getpid(), SIGTERM), 0);
    auto opened = sys::dbus::Connection::open(
        path, sys::dbus::Peer::direct, std::chrono::steady_clock::now() + std::chrono::seconds(30));
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0); // it was taken
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().status, 128 + SIGTERM);
    EXPECT_THAT(opened.error().detail, HasSubstr("SIGTERM came"));
    close(server);
    unlink(path.c_str());
    rmdir(folder);
}

} // namespace
