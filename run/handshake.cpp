// Messages, and the packed Spec.
#include "run/handshake.hpp"

#include "spec/pack.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace run {

using nlohmann::json;

namespace {

// A command line may hold ARG_MAX bytes of arguments, and an error quotes a part of it.
constexpr std::size_t kMostMessage = 1 << 16;
constexpr std::size_t kMostPiece = kMostMessage - 1; // behind the kind
// Of each text of an Error: as JSON a byte may take six, and all three must fit in one message.
constexpr std::size_t kMostPart = 1 << 11;

Result<void> say(const Fd& socket, Said kind, const std::string& text, const Fd* fd = nullptr) {
    std::string bytes(1, static_cast<char>(kind));
    bytes += text.substr(0, kMostMessage - 1);
    return sys::send(socket.get(), bytes, fd != nullptr ? std::optional(fd->get()) : std::nullopt);
}

/// Paths and arguments may hold any byte; JSON wants UTF-8.
std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace

Result<void> say_go(const Fd& socket) {
    return say(socket, Said::go, "");
}
Result<void> say_spec(const Fd& socket, const std::vector<std::string>& packed) {
    for (const std::string& message : packed)
        TRY(sys::send(socket.get(), message));
    return {};
}
Result<void> say_rootfs(const Fd& socket, const Fd& mount) {
    return say(socket, Said::rootfs, "", &mount);
}
Result<void> say_proc(const Fd& socket, const Fd& proc) {
    return say(socket, Said::proc, "", &proc);
}
Result<void> say_tree(const Fd& socket, const Fd& mount) {
    return say(socket, Said::tree, "", &mount);
}

Result<void> say_slate(const Fd& socket, const Fd& memory) {
    return say(socket, Said::slate, "", &memory);
}
Result<void> say_done(const Fd& socket) {
    return say(socket, Said::done, "");
}
Result<void> say_mounted(const Fd& socket) {
    return say(socket, Said::mounted, "");
}
Result<void> say_proceed(const Fd& socket) {
    return say(socket, Said::proceed, "");
}
Result<void> say_listening(const Fd& socket) {
    return say(socket, Said::listening, "");
}
Result<void> say_listener(const Fd& socket, const Fd& listener) {
    return say(socket, Said::listener, "", &listener);
}
Result<void> say_ready(const Fd& socket) {
    return say(socket, Said::ready, "");
}
Result<void> say_line(const Fd& socket, const Fd& other_end) {
    return say(socket, Said::line, "", &other_end);
}
Result<void> say_born(const Fd& socket, pid_t child) {
    // Under the command's filter, which may know nothing of sockets.
    std::string bytes = static_cast<char>(Said::born) + std::to_string(child);
    TRY(sys::write(socket.get(), bytes));
    return {};
}
Result<void> say_note(const Fd& socket, const std::string& line) {
    return say(socket, Said::note, line);
}
Result<void> say_console(const Fd& socket, const Fd& master) {
    return say(socket, Said::console, "", &master);
}
Result<void> say_step(const Fd& socket, Said said, const std::string& told) {
    return say(socket, said, told);
}
Result<void> say_called(const Fd& socket, const std::string& told) {
    return say(socket, Said::called, told);
}
Result<void> say_replaced(const Fd& socket, const std::string& who) {
    return say(socket, Said::replaced, who);
}
Result<void> say_resumed(const Fd& socket) {
    return say(socket, Said::resumed, "");
}
Result<void> say_failed(const Fd& socket, const Error& error) {
    auto part = [](const std::string& text) { return text.substr(0, kMostPart); };
    json out = {{"stage", error.stage},     {"call", part(error.call)},
                {"errno", error.code},      {"detail", part(error.detail)},
                {"hint", part(error.hint)}, {"status", error.status}};
    return say(socket, Said::failed, dump(out));
}

Result<Message> hear(const Fd& socket) {
    auto received = sys::receive(socket.get(), kMostMessage);
    Message message;
    // The other side ended before it read what we had sent. That is told once, and before what it
    // has said itself, if anything; then the socket is closed, as after any other end.
    if (!received && received.error().code == ECONNRESET)
        received = sys::receive(socket.get(), kMostMessage);
    sys::Received got = TRY(std::move(received));
    if (got.bytes.empty())
        return message;
    message.said = static_cast<Said>(got.bytes.front());
    message.text = got.bytes.substr(1);
    message.fd = std::move(got.fd);
    return message;
}

Error error_of(const Message& failed) {
    json in = json::parse(failed.text, nullptr, /*allow_exceptions=*/false);
    try {
        return Error{.stage = in.at("stage"),
                     .call = in.at("call"),
                     .code = in.at("errno"),
                     .detail = in.at("detail"),
                     .hint = in.at("hint"),
                     .status = in.at("status")};
    } catch (const json::exception&) {
        return Error{.stage = {}, .call = {}, .detail = "the child failed and could not say why"};
    }
}

namespace {

void fact_fields(auto& field, auto& facts) {
    field.list("uids", facts.uids, spec::kIdMapFields);
    field.list("gids", facts.gids, spec::kIdMapFields);
    field("resolvConf", facts.resolv_conf);
    field("seccompFilter", facts.seccomp_filter);
    field("seccompFlags", facts.seccomp_flags);
    field("sentRootfs", facts.sent_rootfs);
    field("sentMounts", facts.sent_mounts);
    field("deviceAddresses", facts.device_addresses);
    field("scored", facts.scored);
    field("slated", facts.slated);
    field("awaits", facts.awaits);
    field("meets", facts.meets);
    field("gated", facts.gated);
    field("orphan", facts.orphan);
    field("bornLate", facts.born_late);
    field("state", facts.state);
    field("signalMask", facts.signal_mask);
    field("watched", facts.watched);
    field("background", facts.background);
}

} // namespace

std::vector<std::string> pack(const spec::Spec& spec, const stages::Facts& facts) {
    spec::Packer packer;
    packer.must("spec", spec::pack(spec));
    fact_fields(packer, facts);
    packer.must("end", true);
    std::string bytes = std::move(packer).finish();
    std::vector<std::string> messages;
    for (std::size_t at = 0; messages.empty() || messages.back().size() == kMostMessage;
         at += kMostPiece) {
        messages.emplace_back(1, static_cast<char>(Said::spec));
        messages.back().append(bytes, at, kMostPiece);
    }
    return messages;
}

Result<std::string> hear_spec(const Fd& socket) {
    std::string packed;
    for (std::size_t got = kMostPiece; got == kMostPiece;) {
        Message message = TRY(hear(socket));
        if (message.said != Said::spec)
            return "";
        got = message.text.size();
        packed += message.text;
    }
    return packed;
}

Result<Packed> unpack(std::string_view packed) {
    spec::Unpacker unpacker(packed);
    Packed out;
    std::string spec;
    bool end = false;
    unpacker.must("spec", spec);
    fact_fields(unpacker, out.facts);
    unpacker.must("end", end);
    if (!unpacker.whole() || !end || !spec::unpack(spec, out.spec))
        return sys::wrong("the packed spec is damaged");
    return out;
}

} // namespace run
