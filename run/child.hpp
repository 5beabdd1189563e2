// One launch, from the child's side.
#pragma once

#include "run/fault.hpp"
#include "run/join.hpp"
#include "spec/spec.hpp"
#include "stages/stage.hpp"

#include <string>
#include <vector>

namespace run {

/// What the cloned child starts with. It lives in the parent's memory (sys::clone3), with a copy
/// of its descriptor table: numbers, not owners.
struct Entering {
    const spec::Spec& spec;
    const stages::Facts& facts;
    const std::vector<const stages::Stage*>& order;
    const Joins& joins;
    const std::vector<std::string>& parents_namespaces; ///< run/guard.hpp
    int socket;
    int parents_socket;
    int gate;   ///< -1: none
    int binary; ///< -1: the child takes its own copy
    /// Of whoever watches; nullptr when nobody does, and then the memory is the parent's as well.
    sys::Listener* listener;
    const Saboteur* saboteur;
};

/// First half: in the cloned child, until it is `/proc/self/exe child`. `entering` is an Entering.
[[noreturn]] void enter(void* entering);

/// Has the child, which has executed something by now, become the command, or the init above it?
/// It can't tell that itself: only its arguments do.
sys::Result<bool> is_command(pid_t child);

/// Second half: `gocontainer child SOCKET GATE TIME BINARY`, until it is the command. Returns only
/// when it was called by hand (the line to print) or has failed (empty: the parent has been told).
std::string child_main(const std::vector<std::string>& args);

} // namespace run
