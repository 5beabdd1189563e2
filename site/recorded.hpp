// What site/record has left of a lesson, as a section of its page.
#pragma once

#include <string>

namespace site {

/// What changed in the stages of the lesson, the picture after them, what --explain said, and the
/// way to the picture with its slider; or why this machine could not do it. "" when nothing was
/// tried. `recorded` is the folder; `stages` the lesson's, as "uts, ipc".
std::string recorded_section(const std::string& recorded, const std::string& lesson,
                             const std::string& stages);
/// The rules for the pictures in it, for a page's <style>.
std::string picture_rules(const std::string& recorded, const std::string& lesson);
/// The table of escapes, by stage left out.
std::string gauntlet_section(const std::string& recorded);

} // namespace site
