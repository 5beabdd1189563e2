// The stage table, for people and for programs.
#pragma once

#include <string>

namespace run {

/// One line a stage: name, whether it is on by default, what it does, its lesson.
std::string describe_stages();
/// The same as a JSON array of objects: name, default, summary, lesson.
std::string describe_stages_json();

} // namespace run
