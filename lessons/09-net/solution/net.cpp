// Lesson 9: the net stage's child half. It runs in a network namespace of its own, with
// CAP_NET_ADMIN in it. sys/kernel.hpp has link_up.
#include "stages/stages.hpp"

namespace stages::net {

Result<void> child(Inside& inside) {
    if (inside.spec.net.mode != spec::NetMode::host)
        TRY(sys::link_up("lo"));
    return {};
}

} // namespace stages::net
