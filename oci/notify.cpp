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

template <class T>
Result<T> named(Result<T> result, const char* option) {
    if (!result) {
        result.error().stage = option;
        result.error().hint = cure(result.error().code);
    }
    return result;
}

constexpr const char* kListener = "linux.seccomp.listenerPath";

} // namespace

Result<void> hand_over(const char* option, const std::string& path, std::string_view text,
                       const Fd& descriptor) {
    Fd socket = TRY(named(sys::connect_stream(path), option));
    return named(sys::send(socket.get(), text, descriptor.get()), option);
}

Result<void> Agent::reach(const spec::Seccomp& seccomp) {
    socket_ = TRY(named(sys::connect_stream(seccomp.listener_path), kListener));
    return {};
}

Result<void> Agent::send(const spec::Seccomp& seccomp, const State& state, Status status,
                         pid_t init, pid_t process, const Fd& listener) {
    if (!socket_.valid()) // of a container that an older version of ours has created
        TRY(reach(seccomp));
    json message = {
        {"ociVersion", state.version},
        {"fds", {"seccompFd"}},
        {"pid", process},
        {"state", json::parse(run::with_status(to_json(state), name_of(status), init))}};
    if (!seccomp.listener_metadata.empty())
        message["metadata"] = seccomp.listener_metadata;
    Fd socket = std::move(socket_);
    return named(sys::send(socket.get(),
                           message.dump(-1, ' ', false, json::error_handler_t::replace),
                           listener.get()),
                 kListener);
}

} // namespace oci
