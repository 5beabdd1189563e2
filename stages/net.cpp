// net: a network namespace of its own, from inside. It starts with nothing but a loopback device
// that is down; what leads out of it, the parent has made (net_parent.cpp).
#include "stages/net.hpp"

#include "stages/net_devices.hpp"
#include "stages/stages.hpp"

namespace stages::net {

using spec::NetMode;

// Inside, with CAP_NET_ADMIN over the new network namespace.
Result<void> child(Inside& inside) {
    if (inside.spec.net.mode == NetMode::host)
        return {};
    if (!joined(inside.spec, spec::Stage::net)) // else that is its owner's affair
        TRY(sys::link_up("lo"));
    TRY(take_devices(inside));
    // tap0 lost its carrier with the descriptor that made it, and got it back with the helper's.
    // The kernel looks at such changes once a second: until then, or until somebody asks (Linux
    // 6.8), tap0 carries everything but does not count as running. Without a helper there is no
    // tap0 to ask for.
    if (inside.spec.net.mode != NetMode::none)
        (void)sys::link_has_carrier(kTap);
    return {};
}

} // namespace stages::net
