// Messages and the packed Spec, as JSON.
#include "run/handshake.hpp"

#include "spec/json.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace run {

using nlohmann::json;

namespace {

// A command line may hold ARG_MAX bytes of arguments, and an error quotes a part of it.
constexpr std::size_t kMostMessage = 1 << 16;
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
Result<void> say_spec(const Fd& socket, const Fd& packed) {
    return say(socket, Said::spec, "", &packed);
}
Result<void> say_rootfs(const Fd& socket, const Fd& mount) {
    return say(socket, Said::rootfs, "", &mount);
}
Result<void> say_tree(const Fd& socket, const Fd& mount) {
    return say(socket, Said::tree, "", &mount);
}

Result<void> say_slate(const Fd& socket, const Fd& memory) {
    return say(socket, Said::slate, "", &memory);
}
Result<void> say_mounted(const Fd& socket) {
    return say(socket, Said::mounted, "");
}
Result<void> say_proceed(const Fd& socket) {
    return say(socket, Said::proceed, "");
}
Result<void> say_listener(const Fd& socket, const Fd& listener) {
    return say(socket, Said::listener, "", &listener);
}
Result<void> say_ready(const Fd& socket) {
    return say(socket, Said::ready, "");
}
Result<void> say_note(const Fd& socket, const std::string& line) {
    return say(socket, Said::note, line);
}
Result<void> say_console(const Fd& socket, const Fd& master) {
    return say(socket, Said::console, "", &master);
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
    // The other side was killed before it read what we had sent: closed, like any other end.
    if (!received && received.error().code == ECONNRESET)
        return message;
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

Result<Fd> pack(const spec::Spec& spec, const stages::Facts& facts) {
    json out = {{"spec", spec},
                {"uids", facts.uids},
                {"gids", facts.gids},
                {"resolvConf", facts.resolv_conf},
                {"seccompFilter", facts.seccomp_filter},
                {"sentRootfs", facts.sent_rootfs},
                {"sentMounts", facts.sent_mounts},
                {"deviceAddresses", facts.device_addresses},
                {"slated", facts.slated},
                {"seccompFlags", facts.seccomp_flags},
                {"signalMask", facts.signal_mask},
                {"meets", facts.meets},
                {"gated", facts.gated},
                {"orphan", facts.orphan},
                {"state", facts.state}};
    // Strings of bytes, not of text: a path that is not UTF-8 must arrive as it is.
    std::vector<std::uint8_t> bytes = json::to_cbor(out);
    Fd memfd = TRY(sys::memfd_create("gocontainer-spec"));
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!text.empty())
        text.remove_prefix(TRY(sys::write(memfd.get(), text)));
    TRY(sys::seal(memfd.get()));
    TRY(sys::lseek_start(memfd.get()));
    return memfd;
}

Result<Packed> unpack(const Fd& memfd) {
    auto size = static_cast<std::size_t>(TRY(sys::fstat(memfd.get())).st_size);
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        std::size_t got = TRY(sys::read(memfd.get(), std::span(bytes.data() + have, size - have)));
        if (got == 0)
            break;
        have += got;
    }
    json in = json::from_cbor(bytes, /*strict=*/true, /*allow_exceptions=*/false);
    if (!in.is_object())
        return sys::wrong("the packed spec is damaged");
    Packed out;
    try {
        in.at("spec").get_to(out.spec);
        in.at("uids").get_to(out.facts.uids);
        in.at("gids").get_to(out.facts.gids);
        in.at("resolvConf").get_to(out.facts.resolv_conf);
        in.at("seccompFilter").get_to(out.facts.seccomp_filter);
        in.at("sentRootfs").get_to(out.facts.sent_rootfs);
        in.at("sentMounts").get_to(out.facts.sent_mounts);
        in.at("deviceAddresses").get_to(out.facts.device_addresses);
        in.at("slated").get_to(out.facts.slated);
        in.at("seccompFlags").get_to(out.facts.seccomp_flags);
        in.at("signalMask").get_to(out.facts.signal_mask);
        in.at("meets").get_to(out.facts.meets);
        in.at("gated").get_to(out.facts.gated);
        in.at("orphan").get_to(out.facts.orphan);
        in.at("state").get_to(out.facts.state);
    } catch (const json::exception& problem) {
        return sys::wrong(std::string("the packed spec is damaged: ") + problem.what());
    }
    return out;
}

} // namespace run
