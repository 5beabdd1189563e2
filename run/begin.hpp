// The first part of every launch: from a Spec to a child that is on its way by itself.
#pragma once

#include "run/handshake.hpp"
#include "stages/stage.hpp"

namespace run {

/// Prepare, clone, parent halves, go. The answer is our end of the handshake; `launch.child` and
/// `launch.pidfd` are set. After an error the child, if there was one, has ended and been waited
/// for; the caller undoes. `before_go` is called when all facts are known and the child waits: what
/// must not fail any more once the command may be running.
Result<Fd> begin(stages::Launch& launch, const std::function<Result<void>()>& before_go = {});

/// Kill and wait for the child of a launch that begin() has begun.
void end_child(stages::Launch& launch);

} // namespace run
