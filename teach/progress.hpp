// How far a learner is: one JSON file below XDG_STATE_HOME, for the lessons and for `lab check`.
//
//   {"lessons": {"03": {"section": 4, "sections": 6, "passed": "2026-11-26T22:40:00Z"}}}
//
// `section`: how many of a lesson's sections were shown to their end.
#pragma once

#include "sys/kernel.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace teach {

/// The file's path; an error when neither XDG_STATE_HOME nor HOME is set.
sys::Result<std::string> progress_path();
/// The document; with no lessons in it when there is no file yet.
sys::Result<nlohmann::json> load_progress();
/// Load, `change`, save whole. Two terminals may do so at once: the later waits.
sys::Result<void> update_progress(const std::function<void(nlohmann::json&)>& change);
/// "03": the key of a lesson.
std::string progress_key(unsigned lesson);

} // namespace teach
