// One message, one descriptor.
#include "oci/notify.hpp"

#include "run/hooks.hpp"
#include "sys/local.hpp"

#include <nlohmann/json.hpp>

namespace oci {

using nlohmann::json;

Result<void> send_listener(const spec::Seccomp& seccomp, const State& state, Status status,
                           pid_t init, pid_t process, const Fd& listener) {
    json message = {
        {"ociVersion", state.version},
        {"fds", {"seccompFd"}},
        {"pid", process},
        {"state", json::parse(run::with_status(to_json(state), name_of(status), init))}};
    if (!seccomp.listener_metadata.empty())
        message["metadata"] = seccomp.listener_metadata;
    auto sent =
        sys::send_to(seccomp.listener_path,
                     message.dump(-1, ' ', false, json::error_handler_t::replace), listener.get());
    if (!sent)
        sent.error().stage = "linux.seccomp.listenerPath";
    return sent;
}

} // namespace oci
