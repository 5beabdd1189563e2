// What `parent --record FILE` has written: snapshots of a container between its stages.
//
//   [{"stage": "uts", "when": "before" or "after", "snapshot": {…}, "calls": ["sethostname(…)"]},
//   …]
//
// An entry whose stage is "host" has the host's snapshot, to be drawn beside. A snapshot may be
// null: there was no process yet, or no more. A call is a text, or an object with a "call" and
// perhaps a "result" and the "shell" command that would do the same.
#pragma once

#include "teach/snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace teach {

/// One moment of a recording. What was the same before a stage as after the one before it is one.
struct Frame {
    std::string title;   ///< "after uts"
    std::string summary; ///< what the stage does
    Strings calls;       ///< that have led here
    Snapshot snapshot;
};

struct Recording {
    std::optional<Snapshot> host;
    std::vector<Frame> frames; ///< at least one
};

/// An error names the place.
Result<Recording> parse_recording(const nlohmann::ordered_json& json);

} // namespace teach
