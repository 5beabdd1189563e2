// Making the leaf: what the cgroup stage's files share.
#pragma once

#include "stages/cgroup_names.hpp"
#include "stages/cgroup_place.hpp"

namespace stages::cgroup {

/// What one launch asks of its cgroup.
struct Asked {
    spec::Naming naming;
    std::vector<Limit> limits;
    bool every_controller;
};

/// Put the leaf's name into the ledger, its first byte last: who reads after a kill at any moment
/// sees all of it or none.
Result<void> note(Ledger& ledger, const std::string& leaf, std::size_t base);

/// It is there, open, and the container's: from now on undo may kill what runs in it.
Result<void> take(Launch& launch);

/// Can a process live in it? Not below a cgroup that has both processes and controllers for
/// children (see enable()), which is somebody else's doing then.
Result<void> check_type(int leaf, const std::string& path);

/// Let `directory`'s children have what is asked, as enable().
std::optional<Obstacle> enable_asked(const std::string& directory, const Asked& asked);

/// The leaf at `path`, an absolute one or one beside our own cgroup; what is missing on the way is
/// made.
Result<void> make_named(Launch& launch, const Hierarchy& hierarchy, const Asked& asked,
                        const std::string& path);

} // namespace stages::cgroup
