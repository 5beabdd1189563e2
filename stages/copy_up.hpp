// tmpcopyup: a tmpfs that starts with what the root filesystem has where it is mounted.
#pragma once

#include "stages/stage.hpp"

namespace stages {

/// Everything in the directory `from`, with owner, mode and links as they are, into `to`, the root
/// of a file system that is mounted nowhere yet. Sockets are nobody's any more and left out.
Result<void> copy_up(const Fd& from, const Fd& to);

} // namespace stages
