// Becoming the user that the command runs as; part of the caps stage, done without it too.
#pragma once

#include "stages/stage.hpp"

namespace stages {

/// Groups, gid, uid of spec.process.user, looked up in the root that is in place.
Result<void> become_user(const Inside& inside);

/// Of the standard streams, pipes are given to that user, or the terminal that is to be all of
/// them: who writes to /dev/stdout opens it by name. One that is /dev/null becomes the container's
/// own.
Result<void> take_streams(const Inside& inside);

/// SIGKILL when the parent dies; to be said again after every change of credentials.
Result<void> die_with_parent();

} // namespace stages
