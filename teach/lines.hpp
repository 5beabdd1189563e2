// Calls and commands in lines of a terminal's width.
#pragma once

#include "run/watch.hpp"
#include "teach/paint.hpp"

#include <string>
#include <string_view>

namespace teach {

/// As wide as the terminal on stderr, if there is one, but no wider than can be read.
std::size_t terminal_width();
/// Its rows; 0 without one.
std::size_t terminal_height();
/// What we have to say on stderr: one line, and on a terminal as many as its width takes, broken
/// between words, and never in a command in quotes, which is there to be pasted.
std::string message(std::string_view line);
std::string message(std::string_view line, std::size_t width);
/// "= 0", "= -1 ENOENT"; of a call that has not returned: "".
std::string result_text(const run::Called& call);
/// A call's text in lines of `width`, broken between arguments and flags.
std::string broken(std::string_view text, std::size_t width);
/// A command behind "$ ", broken at blanks outside of quotes so that it can be pasted.
std::string pasteable(const std::string& command, std::size_t width, const Paint& paint);

} // namespace teach
