// Lesson 3: the uts stage. It runs in a UTS namespace of its own, with CAP_SYS_ADMIN in it.
//
// inside.spec.uts.hostname is the name that was asked for; when that is empty, inside.spec.name is
// the container's. sys/kernel.hpp has the system call. TRY hands an error on to whoever called us.
#include "stages/stages.hpp"

namespace stages::uts {

Result<void> child(Inside& inside) {
    (void)inside; // yours to use
    return {};
}

} // namespace stages::uts
