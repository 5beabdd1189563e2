// Becoming the user that the command runs as; part of the caps stage, done without it too.
#pragma once

#include "stages/stage.hpp"

namespace stages {

/// Groups, gid, uid of spec.process.user, looked up in the root that is in place.
Result<void> become_user(const Inside& inside);

/// The standard streams, or the terminal that is to be all of them, to that user: who writes to
/// /dev/stdout opens it by name.
Result<void> give_streams(const Inside& inside);

/// SIGKILL when the parent dies; to be said again after every change of credentials.
Result<void> die_with_parent();

} // namespace stages
