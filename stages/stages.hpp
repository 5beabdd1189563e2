// The halves that each stage has; stages/table.cpp puts them in order.
#pragma once

#include "stages/stage.hpp"

#include <vector>

namespace stages {

namespace user {
Result<void> prepare(Launch&);
Result<void> parent(Launch&);
Result<void> enter(const spec::Spec&, const Facts&);
} // namespace user
namespace cgroup {
Result<void> prepare(Launch&);
Result<void> parent(Launch&);
Result<void> meanwhile(Launch&);
Result<void> child(Inside&);
void undo(Ledger&);
} // namespace cgroup
namespace net {
Result<void> prepare(Launch&);
Result<void> parent(Launch&);
Result<void> child(Inside&);
void undo(Ledger&);
} // namespace net
namespace uts {
Result<void> child(Inside&);
}
namespace time {
Result<void> child(Inside&);
}
namespace mount {
Result<void> prepare(Launch&);
Result<void> parent(Launch&);
Result<void> child(Inside&);
void undo(Ledger&);
} // namespace mount
namespace pid {
Result<void> child(Inside&);
}
namespace root {
Result<void> prepare(Launch&);
Result<void> child(Inside&);
} // namespace root
namespace caps {
Result<void> child(Inside&);
}
namespace seccomp {
Result<void> prepare(Launch&);
Result<void> child(Inside&);
} // namespace seccomp
namespace init {
Result<void> child(Inside&);
}

/// Every stage, in the order in which they run.
std::span<const Stage> table();

/// Is the namespace of `stage` one that is there already?
bool joined(const spec::Spec& spec, spec::Stage stage);

/// The namespaces that clone3 makes for `spec`: CLONE_NEW* of what is wanted, and neither unshared
/// nor joined.
std::uint64_t clone_flags(const spec::Spec& spec);

/// The stages that `spec` wants, in the order in which they run for it.
std::vector<const Stage*> wanted(const spec::Spec& spec);

} // namespace stages
