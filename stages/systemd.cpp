// Methods of org.freedesktop.systemd1.Manager, over the first socket that answers.
#include "stages/systemd.hpp"

#include "stages/cgroup_place.hpp"
#include "sys/path.hpp"

#include <bit>
#include <cerrno>
#include <cstdlib>

namespace stages {

using sys::Result;
using sys::dbus::Connection;
using sys::dbus::Deadline;
using sys::dbus::Message;
using sys::dbus::Peer;
using sys::dbus::Reader;
using sys::dbus::Writer;

namespace {

// A busy machine takes a second; whoever waits longer than this wants to know why.
constexpr std::chrono::seconds kPatience{15};

struct Address {
    std::string socket;
    Peer peer;
};

/// The path of "unix:path=/run/user/1000/bus,guid=…"; empty for every other kind of address.
std::string socket_of(std::string_view address) {
    constexpr std::string_view key = "unix:path=";
    if (!address.starts_with(key))
        return {};
    address.remove_prefix(key.size());
    return std::string(address.substr(0, address.find_first_of(",;")));
}

/// In systemctl's order: the manager's own socket needs no bus and is one hop less.
std::vector<Address> addresses() {
    std::vector<Address> out;
    // Root of a user namespace is nobody to the system's manager.
    if (!cgroup::rootless()) {
        out.push_back({"/run/systemd/private", Peer::direct});
        out.push_back({"/run/dbus/system_bus_socket", Peer::bus});
    }
    const char* set = getenv("XDG_RUNTIME_DIR");
    std::string runtime =
        set != nullptr && *set == '/' ? set : "/run/user/" + std::to_string(sys::geteuid());
    out.push_back({sys::join(runtime, "systemd/private"), Peer::direct});
    const char* bus = getenv("DBUS_SESSION_BUS_ADDRESS");
    std::string session = bus != nullptr ? socket_of(bus) : "";
    out.push_back({session.empty() ? sys::join(runtime, "bus") : session, Peer::bus});
    return out;
}

Message manager_call(const char* member) {
    Message message;
    message.destination = "org.freedesktop.systemd1";
    message.path = "/org/freedesktop/systemd1";
    message.interface = "org.freedesktop.systemd1.Manager";
    message.member = member;
    return message;
}

// What a variant of each type holds: its signature, then the value.
void put(Writer& out, bool value) {
    out.signature("b");
    out.boolean(value);
}
void put(Writer& out, std::int32_t value) {
    out.signature("i");
    out.u32(static_cast<std::uint32_t>(value));
}
void put(Writer& out, std::uint32_t value) {
    out.signature("u");
    out.u32(value);
}
void put(Writer& out, std::int64_t value) {
    out.signature("x");
    out.u64(static_cast<std::uint64_t>(value));
}
void put(Writer& out, std::uint64_t value) {
    out.signature("t");
    out.u64(value);
}
void put(Writer& out, double value) {
    out.signature("d");
    out.u64(std::bit_cast<std::uint64_t>(value));
}
void put(Writer& out, const std::string& value) {
    out.signature("s");
    out.string(value);
}
void put(Writer& out, const Systemd::Pids& value) {
    out.signature("au");
    Writer::Array array = out.open_array(4);
    for (std::uint32_t pid : value)
        out.u32(pid);
    out.close_array(array);
}
void put(Writer& out, const Systemd::Bytes& value) {
    out.signature("ay");
    Writer::Array array = out.open_array(1);
    for (std::uint8_t byte : value)
        out.byte(byte);
    out.close_array(array);
}
void put(Writer& out, const Systemd::Strings& value) {
    out.signature("as");
    Writer::Array array = out.open_array(4);
    for (const std::string& text : value)
        out.string(text);
    out.close_array(array);
}
void put(Writer& out, const Systemd::Pairs& value) {
    out.signature("a(st)");
    Writer::Array array = out.open_array(8);
    for (const auto& [text, number] : value) {
        out.align(8);
        out.string(text);
        out.u64(number);
    }
    out.close_array(array);
}

void put(Writer& out, const Systemd::Properties& properties) {
    Writer::Array array = out.open_array(8);
    for (const Systemd::Property& property : properties) {
        out.align(8);
        out.string(property.name);
        std::visit([&out](const auto& value) { put(out, value); }, property.value);
    }
    out.close_array(array);
}

Deadline patience() {
    return std::chrono::steady_clock::now() + kPatience;
}

} // namespace

bool Systemd::booted() {
    return sys::exists("/run/systemd/system");
}

Result<Systemd> Systemd::connect() {
    Deadline deadline = patience();
    Result<Systemd> result = sys::wrong("no address");
    bool telling = false; // a socket that is there but fails says more than one that is not
    for (const Address& address : addresses()) {
        auto connection = Connection::open(address.socket, address.peer, deadline);
        if (connection)
            return Systemd(std::move(*connection), address.peer);
        if (telling)
            continue;
        result = std::unexpected(std::move(connection).error());
        telling = result.error().code != ENOENT;
        if (result.error().call.empty())
            result.error().detail = "\"" + address.socket + "\": " + result.error().detail;
    }
    return result;
}

/// A bus delivers only what was asked for, and systemd sends only to who subscribed; its own
/// socket gets every signal.
Result<void> Systemd::listen(Deadline deadline) {
    if (listening_ || peer_ == Peer::direct)
        return {};
    Message match;
    match.destination = match.interface = "org.freedesktop.DBus";
    match.path = "/org/freedesktop/DBus";
    match.member = "AddMatch";
    match.signature = "s";
    Writer rule;
    rule.string("type='signal',sender='org.freedesktop.systemd1',"
                "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'");
    match.body = rule.bytes();
    TRY(connection_.call(std::move(match), deadline));
    TRY(connection_.call(manager_call("Subscribe"), deadline));
    listening_ = true;
    return {};
}

Result<void> Systemd::await(const std::string& job, const std::string& what, Deadline deadline) {
    for (;;) {
        Message signal = TRY(connection_.next(deadline));
        if (signal.member != "JobRemoved")
            continue;
        Reader removed(signal.body); // uoss: id, job, unit, result
        (void)removed.u32();         // the id is in the job's path too
        if (removed.string() != job)
            continue;
        (void)removed.string(); // the unit: ours, since the job is
        std::string result = removed.string().value_or("");
        if (result != "done")
            return sys::wrong(what + " ended as \"" + result + "\"");
        return {};
    }
}

Result<void> Systemd::start_transient_unit(const std::string& unit, const Properties& properties) {
    Deadline deadline = patience();
    TRY(listen(deadline));
    Message start = manager_call("StartTransientUnit");
    start.signature = "ssa(sv)a(sa(sv))";
    Writer body;
    body.string(unit);
    body.string("fail"); // a unit of this name that is there already is an error
    put(body, properties);
    body.close_array(body.open_array(8)); // no auxiliary units
    start.body = body.bytes();
    Message answer = TRY(connection_.call(std::move(start), deadline));
    return await(Reader(answer.body).string().value_or(""), "the start of \"" + unit + "\"",
                 deadline);
}

Result<void> Systemd::set_properties(const std::string& unit, const Properties& properties) {
    Message set = manager_call("SetUnitProperties");
    set.signature = "sba(sv)";
    Writer body;
    body.string(unit);
    body.boolean(true); // not written to disk
    put(body, properties);
    set.body = body.bytes();
    TRY(connection_.call(std::move(set), patience()));
    return {};
}

Result<void> Systemd::attach_process(const std::string& unit, const std::string& below,
                                     std::uint32_t pid) {
    Message attach = manager_call("AttachProcessesToUnit");
    attach.signature = "ssau";
    Writer body;
    body.string(unit);
    body.string(below);
    Writer::Array pids = body.open_array(4);
    body.u32(pid);
    body.close_array(pids);
    attach.body = body.bytes();
    TRY(connection_.call(std::move(attach), patience()));
    return {};
}

Result<void> Systemd::stop_unit(const std::string& unit) {
    Deadline deadline = patience();
    TRY(listen(deadline));
    Message stop = manager_call("StopUnit");
    stop.signature = "ss";
    Writer body;
    body.string(unit);
    body.string("replace"); // a job that is under way for it already
    stop.body = body.bytes();
    auto answer = connection_.call(std::move(stop), deadline);
    if (answer)
        TRY(await(Reader(answer->body).string().value_or(""), "the stop of \"" + unit + "\"",
                  deadline));
    else if (!answer.error().detail.contains("NoSuchUnit"))
        return std::unexpected(std::move(answer).error());
    (void)reset_failed(unit); // it is not there any more unless it has failed
    return {};
}

Result<void> Systemd::reset_failed(const std::string& unit) {
    Message reset = manager_call("ResetFailedUnit");
    reset.signature = "s";
    Writer body;
    body.string(unit);
    reset.body = body.bytes();
    TRY(connection_.call(std::move(reset), patience()));
    return {};
}

} // namespace stages
