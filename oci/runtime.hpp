// The OCI runtime's command line: what engines call.
#pragma once

#include "sys/result.hpp"

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace oci {

/// Where to print.
struct Output {
    std::function<void(const std::string&)> out;
    std::function<void(const std::string&)> err;
};

/// `gocontainer [GLOBAL OPTIONS] COMMAND …`; `program` is the name that we were called by. The exit
/// status.
int main(const std::string& program, const std::vector<std::string>& args, const Output& output);

/// A line a command, for help.
std::string describe_commands();
std::vector<std::string> command_names();

/// The first process of container `id`; `root`: where state is kept, empty for the usual place.
sys::Result<pid_t> find_process(const std::string& root, const std::string& id);

} // namespace oci
