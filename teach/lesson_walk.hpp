// One lesson, step by step, with a learner at the terminal.
#pragma once

#include "teach/lesson_text.hpp"
#include "teach/paint.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace teach {

/// `anew`: from its beginning. `next`: is there one after it?
sys::Result<void> walk(const Lesson& lesson, const std::string& folder, const Paint& paint,
                       bool anew, bool next, const std::function<void(const std::string&)>& show);
/// A section's heading, with the lines around it.
std::string heading(const Section& section, const Paint& paint);
/// How many of its sections a learner has seen to their end.
std::size_t sections_seen(const nlohmann::json& progress, const Lesson& lesson);

} // namespace teach
