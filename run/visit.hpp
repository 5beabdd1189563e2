// A second process in a container that may be half-made: in all of its namespaces, and nothing
// else.
#pragma once

#include "spec/spec.hpp"
#include "sys/kernel.hpp"

namespace run {

/// Of `spec`: every namespace of process `pid`, those that are ours anyway included.
void join_all(spec::Spec& spec, pid_t pid);

/// Run `process` beside `pid`, with every capability that its user namespace gives, under no filter
/// and in our own cgroup; on our terminal through a pty, when it asks for one. Its status.
sys::Result<int> visit(pid_t pid, spec::Process process);

} // namespace run
