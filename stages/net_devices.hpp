// A host's network devices that a container gets for its own (config-linux.md, "Network Devices").
#pragma once

#include "stages/stage.hpp"

namespace stages::net {

/// Parent: what they are to keep, since a device loses its addresses on the way.
Result<void> note_devices(Launch& launch);
/// Parent: to the child's namespace, or the one that it will join. They come back, if there is
/// hardware to them, when that ends.
Result<void> move_devices(Launch& launch);
/// Parent, when the launch has failed: those that have gone, back to where they were, as they were.
void take_back_devices(Launch& launch);
/// Child: addresses, and up.
Result<void> take_devices(const Inside& inside);

} // namespace stages::net
