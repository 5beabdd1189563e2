// What `parent --record FILE` has written: snapshots of a container between its stages.
//
//   [{"stage": "uts", "half": "child", "when": "before" or "after", "why": "…", "snapshot": {…},
//     "calls": [{"text": "sethostname(…)", "result": 0, "shell": "hostname …"}, …]}, …]
//
// A step that is no stage's has null for its stage, and its name in "half". Before "clone" there is
// no child yet: that snapshot is of the launcher, among the host. A snapshot may be null: there was
// no process any more.
#pragma once

#include "teach/snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace teach {

/// One moment of a recording. What was the same before a stage as after the one before it is one.
struct Frame {
    std::string title;   ///< "after uts"
    std::string summary; ///< what the step is for
    Strings calls;       ///< that have led here
    Snapshot snapshot;
};

struct Recording {
    std::optional<Snapshot> host;
    std::vector<Frame> frames; ///< at least one
};

/// An error names the place.
Result<Recording> parse_recording(const nlohmann::ordered_json& entries);

/// Before the first half of the step `from`, and after the last one of `to`: names of stages, or of
/// steps that are no stage's.
Result<std::pair<Snapshot, Snapshot>> around(const nlohmann::ordered_json& entries,
                                             const std::string& from, const std::string& to);

} // namespace teach
