// One message, one descriptor.
#include "oci/notify.hpp"

#include "run/hooks.hpp"
#include "sys/local.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace oci {

using nlohmann::json;

namespace {

const char* cure(int code) {
    switch (code) {
    case ENOENT:
        return "there is no such socket: make it, and listen there, before this is called";
    case ECONNREFUSED:
        return "nobody listens there: whoever does has to be up before this is called";
    case EPROTOTYPE:
        return "it must be a SOCK_STREAM socket";
    case EPIPE:
    case ECONNRESET:
        return "who took up the connection has closed it";
    default:
        return "";
    }
}

} // namespace

Result<void> hand_over(const char* option, const std::string& path, std::string_view text,
                       const Fd& descriptor) {
    auto sent = sys::send_to(path, text, descriptor.get());
    if (!sent) {
        sent.error().stage = option;
        sent.error().hint = cure(sent.error().code);
    }
    return sent;
}

Result<void> send_listener(const spec::Seccomp& seccomp, const State& state, Status status,
                           pid_t init, pid_t process, const Fd& listener) {
    json message = {
        {"ociVersion", state.version},
        {"fds", {"seccompFd"}},
        {"pid", process},
        {"state", json::parse(run::with_status(to_json(state), name_of(status), init))}};
    if (!seccomp.listener_metadata.empty())
        message["metadata"] = seccomp.listener_metadata;
    return hand_over("linux.seccomp.listenerPath", seccomp.listener_path,
                     message.dump(-1, ' ', false, json::error_handler_t::replace), listener);
}

} // namespace oci
