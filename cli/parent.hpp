// `gocontainer parent`: flags to a Spec.
#pragma once

#include "spec/watching.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct ParentCommand {
    spec::Spec spec; ///< validated
    spec::Watching watching;
    std::optional<std::string> help; ///< --help was asked for: print this instead
};

/// Reads a whole file, or says why not: front ends make no system calls of their own.
using ReadFile = std::function<std::expected<std::string, std::string>(const std::string& path)>;

/// `args` without the program's name and "parent". Errors are one line that names the option.
std::expected<ParentCommand, std::string> parse_parent(const std::vector<std::string>& args,
                                                       const ReadFile& read);

} // namespace cli
