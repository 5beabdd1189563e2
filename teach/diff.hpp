// What two snapshots differ in: two processes, or one before and after a stage.
#pragma once

#include "teach/snapshot.hpp"

#include <string>
#include <vector>

namespace teach {

/// `before` is empty for what was added, `after` for what is gone.
struct Change {
    std::string what; ///< "hostname", "mount /proc", "effective capabilities" …
    std::string before, after;
    bool operator==(const Change&) const = default;
};

/// In the order of a snapshot's fields. Left out is what changes by itself: pids of the host, the
/// state, what is used of a limit. What one of them could not read is a change to, or from, a value
/// that begins with "not readable"; what neither could read is none.
std::vector<Change> diff(const Snapshot& before, const Snapshot& after);

nlohmann::ordered_json to_json(const std::vector<Change>& changes);

} // namespace teach
