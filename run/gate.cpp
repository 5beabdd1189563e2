// Waiting for the runtime, and for `start`.
#include "run/gate.hpp"

#include "run/handshake.hpp"
#include "run/hooks.hpp"
#include "sys/local.hpp"

#include <nlohmann/json.hpp>

#include <linux/seccomp.h>
#include <sys/prctl.h>

namespace run {

using stages::Facts;

namespace {

Result<void> await_proceed(const Fd& socket) {
    if (TRY(hear(socket)).said != Said::proceed)
        sys::exit_now(125); // the parent is gone, or has failed and says so itself
    return {};
}

std::string bundle_in(const std::string& state) {
    return nlohmann::json::parse(state).value("bundle", "");
}

} // namespace

// In the container's namespaces, the host's tree still around us: hooks are found in it.
Result<void> meet_runtime(const spec::Spec& spec, const Facts& facts, const Fd& socket) {
    if (facts.meets) {
        TRY(say_mounted(socket));
        TRY(await_proceed(socket));
    }
    if (spec.hooks.create_container.empty())
        return {};
    return run_hooks(spec.hooks, spec.hooks.create_container, "createContainer",
                     with_status(facts.state, "creating", sys::getpid()), bundle_in(facts.state));
}

// In the container's root, with its capabilities; nothing of the host in reach but two sockets.
Result<void> pass_gate(const spec::Spec& spec, const Facts& facts, const Fd& socket, Fd gate) {
    // The parent ends now, or soon, and we go on. From here on, the state directory knows us.
    if (facts.orphan)
        TRY(sys::prctl(PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", 0));
    if (facts.gated) {
        TRY(say_ready(socket));
        Fd visitor = TRY(sys::accept(gate.get()));
        TRY(sys::dup2(visitor.get(), socket.get()));
        TRY(sys::set_cloexec(socket.get(), true));
        gate.close(); // nobody else comes: by that the status is "running"
    }
    if (spec.hooks.start_container.empty())
        return {};
    // In the container, as the process that it is for, and where it says nothing else, with that
    // one's environment: runc's users count on it.
    std::vector<spec::Hook> hooks = spec.hooks.start_container;
    for (spec::Hook& hook : hooks)
        if (hook.env.empty())
            hook.env = spec.process.env;
    return run_hooks(spec.hooks, hooks, "startContainer",
                     with_status(facts.state, "created", sys::getpid()), /*directory=*/"");
}

Result<void> meet_listener(const Facts& facts, const Fd& socket) {
    if ((facts.seccomp_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0)
        return {};
    TRY(say_listening(socket));
    return await_proceed(socket);
}

} // namespace run
