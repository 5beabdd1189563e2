// What bash completes: `source <(gocontainer completion)`.
#pragma once

#include <string>
#include <vector>

namespace cli {

/// A script for bash: the names of `subcommands`, and of `parent` the options and their values,
/// from the option table.
std::string bash_completion(const std::vector<std::string>& subcommands);

} // namespace cli
