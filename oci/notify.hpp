// Descriptors for who listens at a socket: a terminal, a pidfd, and the listener of a seccomp
// filter (config-linux.md, "Container Process State").
#pragma once

#include "oci/store.hpp"
#include "spec/spec.hpp"

namespace oci {

/// Connect to the path that was given as `option`, and send `text` with one descriptor.
Result<void> hand_over(const char* option, const std::string& path, std::string_view text,
                       const Fd& descriptor);

/// One ContainerProcessState, with the descriptor, to linux.seccomp.listenerPath.
Result<void> send_listener(const spec::Seccomp& seccomp, const State& state, Status status,
                           pid_t init, pid_t process, const Fd& listener);

} // namespace oci
