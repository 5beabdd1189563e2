// One launch, from the child's side.
#pragma once

#include "spec/spec.hpp"
#include "stages/facts.hpp"
#include "sys/fd.hpp"

#include <string>
#include <vector>

namespace run {

/// First half: in the cloned child, until it is `/proc/self/exe child`.
[[noreturn]] void enter(const spec::Spec& spec, const stages::Facts& facts, sys::Fd socket,
                        sys::Fd packed);

/// Second half: `gocontainer child SOCKET PACKED`, until it is the command. Returns only when it
/// was called by hand (the line to print) or has failed (empty: the parent has been told).
std::string child_main(const std::vector<std::string>& args);

} // namespace run
