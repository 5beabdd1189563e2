// `gocontainer inspect` and `gocontainer diff`: which processes or files are meant, and what is to
// come of them.
#pragma once

#include "teach/snapshot.hpp"

#include <functional>
#include <string>
#include <vector>

namespace teach {

/// The process of a container of ours; `root`: where state is kept, empty for the usual place.
using FindContainer = std::function<Result<pid_t>(const std::string& root, const std::string& id)>;

/// `args` after the subcommand's name. What is to be printed.
Result<std::string> inspect(const Strings& args, const FindContainer& find);
Result<std::string> compare(const Strings& args, const FindContainer& find);

} // namespace teach
