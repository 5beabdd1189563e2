// The command line of the runtime: options as engines write them, "--x v", "--x=v" and "-x".
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace oci {

struct OptionRow {
    const char* name;  ///< without dashes
    char letter;       ///< 0: none
    const char* value; ///< what --help calls it; nullptr: a flag
    const char* help;
};

/// A command line, taken apart.
class Arguments {
public:
    /// Up to the first that is no option, or with `mixed` all over the line, "--" ends them.
    static std::expected<Arguments, std::string> parse(const std::vector<std::string>& line,
                                                       std::span<const OptionRow> rows, bool mixed);

    bool has(const char* name) const; ///< a flag that is set, and not to "false"
    /// The last one given; `otherwise` when there is none.
    std::string value(const char* name, const std::string& otherwise = {}) const;
    std::vector<std::string> values(const char* name) const;
    bool given(const char* name) const { return options_.contains(name); }
    const std::vector<std::string>& rest() const { return rest_; }

private:
    std::map<std::string, std::vector<std::string>> options_;
    std::vector<std::string> rest_;
};

/// A line an option, for --help.
std::string describe(std::span<const OptionRow> rows);

} // namespace oci
