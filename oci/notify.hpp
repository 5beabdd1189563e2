// The listener of a seccomp filter, to who answers its notifications (config-linux.md, "Container
// Process State").
#pragma once

#include "oci/store.hpp"
#include "spec/spec.hpp"

namespace oci {

/// Connect to linux.seccomp.listenerPath and send one ContainerProcessState with the descriptor.
Result<void> send_listener(const spec::Seccomp& seccomp, const State& state, Status status,
                           pid_t init, pid_t process, const Fd& listener);

} // namespace oci
