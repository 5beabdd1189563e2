// Wire format, messages, connection: in this order, each on top of the one before.
#include "sys/dbus.hpp"

#include "sys/kernel.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace sys::dbus {

// Numbers are copied as they lie in memory, and every message says 'l'.
static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::size_t kMost = 1 << 20; // the specification allows 128 MiB; nothing we ask is near

constexpr std::size_t aligned(std::size_t size, std::size_t to) {
    return (size + to - 1) / to * to;
}

} // namespace

// --- values ------------------------------------------------------------------------------------

void Writer::u32(std::uint32_t value) {
    align(sizeof value);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void Writer::u64(std::uint64_t value) {
    align(sizeof value);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void Writer::string(std::string_view text) {
    u32(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text).push_back('\0');
}

void Writer::signature(std::string_view text) {
    byte(static_cast<std::uint8_t>(text.size()));
    bytes_.append(text).push_back('\0');
}

Writer::Array Writer::open_array(std::size_t alignment) {
    u32(0);
    std::size_t length_at = bytes_.size() - sizeof(std::uint32_t);
    align(alignment); // the padding before the first element doesn't count as the array's
    return {length_at, bytes_.size()};
}

void Writer::close_array(Array array) {
    auto length = static_cast<std::uint32_t>(bytes_.size() - array.start);
    memcpy(bytes_.data() + array.length_at, &length, sizeof length);
}

bool Reader::align(std::size_t to) {
    std::size_t next = aligned(at_, to);
    if (next > bytes_.size())
        return false;
    at_ = next;
    return true;
}

std::optional<std::uint8_t> Reader::byte() {
    if (at_ == bytes_.size())
        return std::nullopt;
    return static_cast<std::uint8_t>(bytes_[at_++]);
}

std::optional<std::uint32_t> Reader::u32() {
    std::uint32_t value = 0;
    if (!align(sizeof value) || bytes_.size() - at_ < sizeof value)
        return std::nullopt;
    memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
}

std::optional<std::string> Reader::text(std::size_t length) {
    if (bytes_.size() - at_ <= length || bytes_[at_ + length] != '\0')
        return std::nullopt;
    std::string out(bytes_.substr(at_, length));
    at_ += length + 1;
    return out;
}

std::optional<std::string> Reader::string() {
    auto length = u32();
    return length ? text(*length) : std::nullopt;
}

std::optional<std::string> Reader::signature() {
    auto length = byte();
    return length ? text(*length) : std::nullopt;
}

// --- messages ----------------------------------------------------------------------------------

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kFixedHeader = 16; // up to and with the length of the header fields

enum Field : std::uint8_t {
    kPath = 1,
    kInterface = 2,
    kMember = 3,
    kErrorName = 4,
    kReplySerial = 5,
    kDestination = 6,
    kSender = 7,
    kSignature = 8,
};

std::string* text_field(Message& message, std::uint8_t field) {
    switch (field) {
    case kPath:
        return &message.path;
    case kInterface:
        return &message.interface;
    case kMember:
        return &message.member;
    case kErrorName:
        return &message.error;
    case kDestination:
        return &message.destination;
    case kSender:
        return &message.sender;
    case kSignature:
        return &message.signature;
    default:
        return nullptr; // the specification asks to pass over fields that are not known
    }
}

/// One header field: a structure of a byte and a variant.
bool read_field(Reader& reader, Message& message) {
    if (!reader.align(8))
        return false;
    auto field = reader.byte();
    auto type = reader.signature();
    if (!field || !type)
        return false;
    if (*type == "u") {
        auto number = reader.u32();
        if (number && *field == kReplySerial)
            message.reply_to = *number;
        return number.has_value();
    }
    if (*type != "s" && *type != "o" && *type != "g")
        return false;
    auto text = *type == "g" ? reader.signature() : reader.string();
    if (!text)
        return false;
    if (std::string* into = text_field(message, *field))
        *into = std::move(*text);
    return true;
}

} // namespace

std::string encode(const Message& message) {
    Writer out;
    out.byte('l');
    out.byte(static_cast<std::uint8_t>(message.type));
    out.byte(0); // flags: an answer is expected, and the service may be started for it
    out.byte(kVersion);
    out.u32(static_cast<std::uint32_t>(message.body.size()));
    out.u32(message.serial);
    Writer::Array fields = out.open_array(8);
    auto put = [&out](Field field, const char* type, const std::string& text) {
        if (text.empty())
            return;
        out.align(8);
        out.byte(field);
        out.signature(type);
        if (*type == 'g')
            out.signature(text);
        else
            out.string(text);
    };
    put(kPath, "o", message.path);
    put(kInterface, "s", message.interface);
    put(kMember, "s", message.member);
    put(kErrorName, "s", message.error);
    if (message.reply_to != 0) {
        out.align(8);
        out.byte(kReplySerial);
        out.signature("u");
        out.u32(message.reply_to);
    }
    put(kDestination, "s", message.destination);
    put(kSender, "s", message.sender);
    put(kSignature, "g", message.signature);
    out.close_array(fields);
    out.align(8);
    return out.bytes() + message.body;
}

Result<std::optional<std::pair<Message, std::size_t>>> decode(std::string_view bytes) {
    if (bytes.size() < kFixedHeader)
        return std::nullopt;
    Reader fixed(bytes.substr(0, kFixedHeader));
    std::uint8_t order = *fixed.byte();
    std::uint8_t type = *fixed.byte();
    (void)fixed.byte(); // flags: none that concerns who receives
    std::uint8_t version = *fixed.byte();
    if (order != 'l' || version != kVersion)
        return wrong("not a D-Bus message of version 1, little endian");
    std::size_t body = *fixed.u32();
    std::uint32_t serial = *fixed.u32();
    std::size_t fields = *fixed.u32();
    if (body > kMost || fields > kMost)
        return wrong("a D-Bus message of more than 1 MiB");
    std::size_t header = aligned(kFixedHeader + fields, 8);
    if (bytes.size() < header + body)
        return std::nullopt;
    Message message;
    message.type = static_cast<Type>(type);
    message.serial = serial;
    Reader reader(bytes.substr(0, kFixedHeader + fields));
    for (std::size_t i = 0; i < kFixedHeader; ++i)
        (void)reader.byte(); // read above; offsets count from the message's start
    while (!reader.at_end())
        if (!read_field(reader, message))
            return wrong("a D-Bus message with a malformed header");
    message.body = bytes.substr(header, body);
    return std::pair{std::move(message), header + body};
}

// --- connection --------------------------------------------------------------------------------

Result<void> Connection::send_all(std::string_view bytes) {
    return send(socket_.get(), bytes);
}

/// Wait for bytes and take them. Where signals are held back (as during a launch), one that would
/// end us ends the wait.
Result<void> Connection::more(Deadline deadline) {
    using std::chrono::milliseconds;
    auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    Fd signals = TRY(signalfd(ending_signals()));
    std::array<pollfd, 2> fds{};
    fds[0] = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    fds[1] = {.fd = signals.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || TRY(poll(fds, left)) == 0)
        return wrong("no answer in time");
    if (fds[0].revents == 0) {
        auto signal = TRY(read_signal(signals.get()));
        auto ended = wrong(signal_name(signal.number) + " came while we waited for an answer");
        ended.error().status = 128 + signal.number;
        return ended;
    }
    std::array<char, 4096> buffer{};
    std::size_t got = TRY(read(socket_.get(), buffer));
    if (got == 0)
        return wrong("the connection was closed");
    received_.append(buffer.data(), got);
    return {};
}

// "Authentication Protocol": EXTERNAL with an empty identity lets the other side take it from the
// socket (SO_PEERCRED). A number would be wrong from inside a user namespace. BEGIN goes along, as
// from systemd's own clients: a systemd that reads the first message in one piece with it looks at
// that message no sooner than when another comes.
Result<void> Connection::authenticate(Deadline deadline) {
    using namespace std::string_view_literals;
    TRY(send_all("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"sv));
    for (;;) {
        std::size_t end = received_.find("\r\n");
        if (end == std::string::npos) {
            if (received_.size() > kMost)
                return wrong("not a D-Bus server");
            TRY(more(deadline));
            continue;
        }
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 2);
        if (line.starts_with("OK"))
            return {};
        if (!line.starts_with("DATA"))
            return wrong("refused to let us in (\"" + line + "\")");
    }
}

Result<Connection> Connection::open(const std::string& socket_path, Peer peer, Deadline deadline) {
    Connection connection(TRY(socket(AF_UNIX, SOCK_STREAM)));
    TRY(connect_unix(connection.socket_.get(), socket_path));
    TRY(connection.authenticate(deadline));
    if (peer == Peer::bus) {
        Message hello;
        hello.path = "/org/freedesktop/DBus";
        hello.interface = hello.destination = "org.freedesktop.DBus";
        hello.member = "Hello";
        TRY(connection.call(std::move(hello), deadline));
    }
    return connection;
}

Result<Message> Connection::receive(Deadline deadline) {
    for (;;) {
        if (auto message = TRY(decode(received_))) {
            received_.erase(0, message->second);
            return std::move(message->first);
        }
        TRY(more(deadline));
    }
}

Result<Message> Connection::call(Message message, Deadline deadline) {
    message.type = Type::call;
    message.serial = ++last_serial_;
    TRY(send_all(encode(message)));
    for (;;) {
        Message got = TRY(receive(deadline));
        bool ours = got.reply_to == message.serial;
        if (ours && got.type == Type::answer)
            return got;
        if (ours && got.type == Type::error) {
            std::string text;
            if (got.signature.starts_with('s'))
                text = Reader(got.body).string().value_or("");
            return wrong(got.error + (text.empty() ? "" : ": " + text));
        }
        if (got.type == Type::signal)
            signals_.push_back(std::move(got));
    }
}

Result<Message> Connection::next(Deadline deadline) {
    if (!signals_.empty()) {
        Message first = std::move(signals_.front());
        signals_.pop_front();
        return first;
    }
    for (;;) {
        Message got = TRY(receive(deadline));
        if (got.type == Type::signal)
            return got;
    }
}

} // namespace sys::dbus
