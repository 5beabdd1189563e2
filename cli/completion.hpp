// What bash completes: `source <(gocontainer completion)`.
#pragma once

#include <string>

namespace cli {

/// A script for bash. Of `parent` the options and their values, from the option table; of
/// everything else the first word: those that stand behind "gocontainer " in `help`, one a line.
std::string bash_completion(const std::string& help);

} // namespace cli
