// Waiting for another program, in the parent, without getting stuck on it.
#pragma once

#include "stages/stage.hpp"

namespace stages {

/// Wait until `fd` can be read. An error instead when the container's first process ends first, or
/// one of the signals that end a launch comes: `for_what` says in it what took so long.
Result<void> wait_readable(const Launch& launch, int fd, const std::string& for_what);

} // namespace stages
