// slirp4netns: its command line, and the ports that it publishes.
//
// slirp4netns(1) forks: one half enters the container's namespaces, opens the tap device, sends it
// back and ends; the other one shuts itself into an empty mount namespace behind a seccomp filter
// and stays. It writes a byte to --ready-fd when that is done, and ends with --exit-fd.
#include "spec/net_options.hpp"
#include "stages/causes.hpp"
#include "stages/net.hpp"
#include "stages/waiting.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace stages::net {

namespace {

constexpr int kReady = 3;
constexpr int kExit = 4;
constexpr const char* kSocket = "slirp4netns.sock";
constexpr std::size_t kMostSocketPath = 107; // of sockaddr_un, with its end

/// A new directory that only we can enter, for the API socket; it stands in the ledger before it
/// is made. Its path.
Result<std::string> make_scratch(Launch& launch) {
    const char* runtime = getenv("XDG_RUNTIME_DIR");
    std::string name = "gocontainer-" + std::to_string(TRY(sys::getrandom()));
    char* noted = launch.ledger->scratch;
    auto make = [&](const std::string& parent) -> Result<std::string> {
        std::string path = sys::join(parent, name);
        if (sys::join(path, kSocket).size() > kMostSocketPath)
            return sys::wrong("\"" + parent + "\" is too long a path for a socket");
        memcpy(noted, path.c_str(), path.size() + 1);
        if (auto made = sys::mkdirat(AT_FDCWD, path, 0700); !made) {
            noted[0] = '\0'; // whoever has that name, it isn't ours
            return std::unexpected(std::move(made).error());
        }
        return path;
    };
    // It may be another user's, as after su, or gone.
    if (runtime != nullptr && runtime[0] == '/')
        if (auto made = make(runtime))
            return made;
    return make("/tmp");
}

Result<std::string> ask(const Launch& launch, const std::string& socket_path,
                        const std::string& request) {
    Fd socket = TRY(sys::socket(AF_UNIX, SOCK_STREAM));
    TRY(sys::connect_unix(socket.get(), socket_path));
    TRY(sys::send(socket.get(), request));
    std::string answer;
    std::array<char, 4096> part{};
    for (;;) {
        TRY(wait_readable(launch, socket.get(), "slirp4netns to publish a port"));
        std::size_t got = TRY(sys::read(socket.get(), part));
        if (got == 0)
            return answer;
        answer.append(part.data(), got);
    }
}

Result<void> publish(const Launch& launch, const std::string& socket_path, const spec::Port& port) {
    std::string wrong = publish_answer(TRY(ask(launch, socket_path, publish_request(port))));
    if (wrong.empty())
        return {};
    if (auto error = taken(port))
        return std::unexpected(std::move(*error));
    return sys::wrong("slirp4netns can't publish \"" + spec::show(port) + "\": " + wrong,
                      "try another port of the host's");
}

} // namespace

std::string publish_request(const spec::Port& port) {
    nlohmann::json request = {
        {"execute", "add_hostfwd"},
        {"arguments",
         {{"proto", port.udp ? "udp" : "tcp"},
          {"host_addr", port.address.empty() ? "0.0.0.0" : port.address},
          {"host_port", port.host},
          {"guest_port", port.container}}},
    };
    return request.dump();
}

std::string publish_answer(const std::string& bytes) {
    auto answer = nlohmann::json::parse(bytes, nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object())
        return bytes.empty() ? "it gave no answer" : "it answered \"" + bytes + "\"";
    if (answer.contains("error")) {
        const auto& error = answer["error"];
        bool told = error.is_object() && error.contains("desc") && error["desc"].is_string();
        return told ? error["desc"].get<std::string>() : error.dump();
    }
    return answer.contains("return") ? "" : "it answered \"" + bytes + "\"";
}

std::string slirp_hint(const std::string& said) {
    auto has = [&](const char* part) { return said.find(part) != std::string::npos; };
    if (has("unrecognized option"))
        return "this slirp4netns is too old: 0.4.0 is the first with a sandbox, a seccomp filter "
               "and the API socket: upgrade it, or use --net pasta";
    if (has("/dev/net/tun"))
        return no_tun(EACCES);
    // Its sandbox is a mount namespace, in the container's user namespace when we are not root.
    if (has("cannot unshare") || has("cannot mount") || has("cannot remount") || has("setns"))
        if (std::string why = causes::powerless_root(EPERM); !why.empty())
            return why;
    return "--net pasta or --net none go without it";
}

void remove_scratch(Ledger& ledger) {
    if (ledger.scratch[0] == '\0')
        return;
    // Not there, when it ended before it made them, or when this is the second time.
    (void)sys::unlinkat(AT_FDCWD, sys::join(ledger.scratch, kSocket));
    (void)sys::unlinkat(AT_FDCWD, ledger.scratch, AT_REMOVEDIR);
    ledger.scratch[0] = '\0';
}

Result<void> start_slirp(Launch& launch) {
    const spec::Net& wanted = launch.spec.net;
    auto [exit_theirs, exit] = TRY(sys::pipe());
    bool with_us = !launch.facts.orphan; // else the container outlives us, and so does it
    sys::Strings arguments = {launch.helper,      "--configure",
                              "--mtu=65520",      "--enable-sandbox",
                              "--enable-seccomp", "--ready-fd=" + std::to_string(kReady)};
    if (with_us)
        arguments.push_back("--exit-fd=" + std::to_string(kExit));
    if (!wanted.allow_host_loopback)
        arguments.emplace_back("--disable-host-loopback");
    std::string socket_path;
    if (!wanted.ports.empty()) {
        socket_path = sys::join(TRY(make_scratch(launch)), kSocket);
        arguments.push_back("--api-socket=" + socket_path);
    }
    arguments.push_back(std::to_string(launch.child));
    arguments.emplace_back(kTap);
    std::vector<std::pair<int, int>> fds;
    if (with_us)
        fds.emplace_back(exit_theirs.get(), kExit);
    Helper helper = TRY(start(launch, std::move(arguments), kReady, std::move(fds)));
    launch.helper_alive = std::move(exit);
    TRY(wait(launch, helper, slirp_hint));
    for (const spec::Port& port : wanted.ports)
        TRY(publish(launch, socket_path, port));
    // Nobody else is to publish ports, so the socket has no more use.
    remove_scratch(*launch.ledger);
    return {};
}

} // namespace stages::net
