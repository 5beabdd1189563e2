// The Markdown that the lessons are written in, on a terminal of 80 columns: paragraphs, lists,
// tables, **bold**, *emphasis*, `code`, [links](…).
#pragma once

#include "sys/kernel.hpp"
#include "teach/paint.hpp"

#include <string>

namespace teach {

/// What stands between blocks of code. Ends with a newline.
std::string rendered_prose(const sys::Strings& lines, const Paint& paint);
/// A block of code, indented by two blanks where there is room for them.
std::string rendered_block(const sys::Strings& lines, const Paint& paint);
/// With what a screen reader would spell out, a box's lines and arrows, in ASCII.
std::string in_ascii(const std::string& text);

} // namespace teach
