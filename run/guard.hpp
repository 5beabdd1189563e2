// The guard: no child half may run in a namespace of the parent's. A stage run by mistake on the
// host renames the host.
#pragma once

#include "stages/stage.hpp"

namespace run {

/// Where the caller is, of the namespaces that the clone for `spec` makes anew: the texts of the
/// links below /proc/self/ns (namespaces(7)), in the stages' order.
sys::Result<std::vector<std::string>> namespaces_for(const spec::Spec& spec);

/// check_namespaces() by bare system calls, for a child that waits in its parent's memory. False:
/// it may be, or can't be seen.
bool surely_elsewhere(const spec::Spec& spec, const std::vector<std::string>& parents);

/// In the child, before it does anything: is it anywhere else than its parent, who was in
/// `parents`? The error names the first stage whose namespace is still that one's.
sys::Result<void> check_namespaces(const spec::Spec& spec, const std::vector<std::string>& parents);

} // namespace run
