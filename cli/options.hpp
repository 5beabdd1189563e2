// The option table of `parent`: one row an option; parsing, --help and completions come from it.
#pragma once

#include "spec/watching.hpp"

#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

/// What the flags have said so far; parse_parent() turns it into a Spec.
struct Draft {
    spec::Spec spec;
    spec::Watching watching;
    std::vector<spec::Stage> left_out;
    std::optional<spec::StageSet> only;
    /// What was asked for of which stage, where the Spec doesn't show it: its value may be the
    /// default.
    std::map<std::string, spec::Stage> asked;
    std::vector<std::string> caps_added;
    std::vector<std::string> caps_dropped;
    std::vector<std::string> env_files; ///< contents come before -e's
    std::vector<std::string> env;
};

using Applied = std::expected<void, std::string>;

struct Option {
    const char* names; ///< "-w,--workdir" or "--memory"
    const char* value; ///< what --help calls the value; nullptr: a flag
    const char* group; ///< heading in --help: a stage's name, or what it is about
    const char* help;
    Applied (*apply)(Draft&, const std::string& value);
};

std::span<const Option> parent_options();

} // namespace cli
