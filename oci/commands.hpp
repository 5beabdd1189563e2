// The runtime's commands: their options, and what each calls.
#pragma once

#include "oci/lifecycle.hpp"
#include "oci/options.hpp"
#include "oci/runtime.hpp"

#include <span>

namespace oci {

/// One command, as it was typed.
struct Call {
    const Global& global;
    const Arguments& arguments;
    const Output& output;
    const std::string& id() const { return arguments.rest().front(); }
};

struct Command {
    const char* name;
    const char* usage; ///< what comes after the options
    const char* summary;
    std::span<const OptionRow> rows;
    bool mixed;              ///< options may stand after the ID too
    std::size_t least, most; ///< of what is no option
    Result<int> (*run)(const Call&);
};

constexpr int kFailed = 1;
constexpr int kExecFailed = 255; ///< exec's own, as runc's: 1 could be the command's

std::span<const Command> commands();

} // namespace oci
