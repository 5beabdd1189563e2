// Lesson 12: the caps stage. It runs as root of the container, with every capability.
//
// inside.spec.capabilities has the sets that were asked for, inside.spec.process.new_privileges
// says whether setuid programs shall work. sys/capability.hpp has bound_capabilities and
// set_capabilities, sys/kernel.hpp has prctl. become_user and die_with_parent are
// stages/caps.hpp's.
#include "stages/caps.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"

#include <sys/prctl.h>

namespace stages::caps {

Result<void> child(Inside& inside) {
    TRY(become_user(inside));
    return die_with_parent();
}

} // namespace stages::caps
