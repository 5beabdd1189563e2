// Descriptors for who listens at a socket: a terminal, a pidfd, and the listener of a seccomp
// filter (config-linux.md, "Container Process State").
#pragma once

#include "oci/store.hpp"
#include "spec/spec.hpp"

namespace oci {

/// Connect to the path that was given as `option`, and send `text` with one descriptor.
Result<void> hand_over(const char* option, const std::string& path, std::string_view text,
                       const Fd& descriptor);

/// Who answers the notifications of a filter, at linux.seccomp.listenerPath.
class Agent {
public:
    /// Before there is a filter: nothing may run under it that nobody answers.
    Result<void> reach(const spec::Seccomp& seccomp);
    /// One ContainerProcessState, with the descriptor.
    Result<void> send(const spec::Seccomp& seccomp, const State& state, Status status, pid_t init,
                      pid_t process, const Fd& listener);

private:
    Fd socket_;
};

} // namespace oci
