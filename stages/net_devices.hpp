// A host's network devices that a container gets for its own (config-linux.md, "Network Devices").
#pragma once

#include "stages/stage.hpp"

namespace stages::net {

/// Parent: what they are to keep, since a device loses its addresses on the way.
Result<void> note_devices(Launch& launch);
/// Parent: to the child's namespace, or the one that it will join. They come back, if there is
/// hardware to them, when that ends.
Result<void> move_devices(const Launch& launch);
/// Child: addresses, and up.
Result<void> take_devices(const Inside& inside);

} // namespace stages::net
