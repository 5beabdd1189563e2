// A leaf that systemd manages: a scope of its own, by --systemd-cgroup.
//
//     …/SLICE/PREFIX-NAME.scope             made by systemd, delegated to us
//     …/SLICE/PREFIX-NAME.scope/SUBGROUP    the leaf, when one is asked for
#pragma once

#include "stages/cgroup_place.hpp"
#include "stages/systemd.hpp"

namespace stages::cgroup {

struct Unit {
    std::string slice;
    std::string name; ///< "PREFIX-NAME.scope"
};
/// "SLICE:PREFIX:NAME" as linux.cgroupsPath has it; an empty SLICE is the manager's usual one.
Result<Unit> parse_unit(const std::string& path, spec::Naming naming);

/// Limits in systemd's terms, so that it writes what we have written whenever it writes. What it
/// has no terms for is left out: nothing of it touches those files.
Result<Systemd::Properties> properties_of(const spec::Resources& wanted);

/// That it is to be idle, in systemd's terms a weight of 0, which one before 252 refuses. Then only
/// the leaf says it.
void tell_idle(Systemd& systemd, const std::string& unit, const spec::Resources& wanted);

/// What can be told to be wrong before there is a child.
Result<void> check_unit(const Launch& launch);
/// Have systemd start the unit with the child in it. launch.leaf and the ledger know it then.
Result<void> start_unit(Launch& launch, const Hierarchy& hierarchy);
/// Stop the ledger's unit, if there is one.
void stop_unit(Ledger& ledger);

} // namespace stages::cgroup
