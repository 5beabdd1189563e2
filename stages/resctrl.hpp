// resctrl: a share of the processor's caches and of the way to memory, and counting their use
// (config-linux.md, "IntelRdt"; Documentation/arch/x86/resctrl.rst).
//
//   /sys/fs/resctrl/GROUP                 a class: its schemata say what it gets
//   /sys/fs/resctrl/GROUP/mon_groups/ID   what a part of its processes uses
#pragma once

#include "stages/stage.hpp"

namespace stages::resctrl {

/// The class, made when it is to be; one that is there must say what is wanted.
Result<void> prepare(Launch& launch);
/// The child into it, before it runs anything; of a container that is there, another process.
Result<void> enter(const Launch& launch);
/// Other lines for its class, all or none. What it had before, as lines to go back by.
Result<std::vector<std::string>> update(const spec::Spec& spec,
                                        const std::vector<std::string>& lines);
void undo(Ledger& ledger);

} // namespace stages::resctrl
