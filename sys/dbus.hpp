// A D-Bus client, as small as talking to systemd allows.
//
// Connection::open() authenticates; call() sends one method call and waits for its answer; next()
// waits for a signal. Writer and Reader are the wire format ("Marshaling" in the D-Bus
// Specification 0.38, little endian), encode() and decode() the messages. No threads, no
// autolaunch, no descriptors, no type checks beyond what is read; every length is checked.
#pragma once

#include "sys/fd.hpp"
#include "sys/result.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sys::dbus {

using Deadline = std::chrono::steady_clock::time_point;

/// Appends values, each aligned from the start of what is written.
class Writer {
public:
    void byte(std::uint8_t value) { bytes_ += static_cast<char>(value); }
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void boolean(bool value) { u32(value ? 1 : 0); }
    /// Of type s or o.
    void string(std::string_view text);
    /// Of type g; also what a variant starts with.
    void signature(std::string_view text);
    void align(std::size_t to) { bytes_.resize((bytes_.size() + to - 1) / to * to, '\0'); }
    struct Array {
        std::size_t length_at, start;
    };
    /// The array's elements follow; `alignment` is theirs (8 for structures and dictionaries).
    Array open_array(std::size_t alignment);
    void close_array(Array array);
    const std::string& bytes() const { return bytes_; }

private:
    std::string bytes_;
};

/// Takes values off the front; nothing when they aren't all there or not well-formed.
class Reader {
public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    std::optional<std::uint8_t> byte();
    std::optional<std::uint32_t> u32();
    std::optional<std::string> string();
    std::optional<std::string> signature();
    bool align(std::size_t to);
    bool at_end() const { return at_ == bytes_.size(); }

private:
    std::optional<std::string> text(std::size_t length);
    std::string_view bytes_;
    std::size_t at_ = 0;
};

enum class Type : std::uint8_t { call = 1, answer = 2, error = 3, signal = 4 };

struct Message {
    Type type = Type::call;
    std::uint32_t serial = 0;   ///< the connection fills it in
    std::uint32_t reply_to = 0; ///< of an answer or error: the call's serial
    std::string path, interface, member, error, destination, sender;
    std::string signature; ///< of the body
    std::string body;
};

std::string encode(const Message& message);

/// The first message of `bytes` and how long it is; nothing while it isn't all there.
Result<std::optional<std::pair<Message, std::size_t>>> decode(std::string_view bytes);

/// Who is at the other end.
enum class Peer : std::uint8_t {
    bus,    ///< a message bus: it wants to be greeted, and names us
    direct, ///< the service itself, as on systemd's private socket
};

class Connection {
public:
    static Result<Connection> open(const std::string& socket_path, Peer peer, Deadline deadline);
    /// An answer of type error becomes ours: detail is "NAME: TEXT".
    Result<Message> call(Message message, Deadline deadline);
    /// The next signal, also one that came while call() waited.
    Result<Message> next(Deadline deadline);

private:
    explicit Connection(Fd socket) : socket_(std::move(socket)) {}
    Result<void> authenticate(Deadline deadline);
    Result<void> more(Deadline deadline);
    Result<Message> receive(Deadline deadline);
    Result<void> send_all(std::string_view bytes);
    Fd socket_;
    std::string received_;
    std::deque<Message> signals_;
    std::uint32_t last_serial_ = 0;
};

} // namespace sys::dbus
