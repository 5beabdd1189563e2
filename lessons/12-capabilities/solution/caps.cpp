// Lesson 12: the caps stage. It runs as root of the container, with every capability.
//
// Order: the bounding set while we may, then the user, whose change from root empties permitted and
// effective, then what is left of those.
#include "stages/caps.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"

#include <sys/prctl.h>

namespace stages::caps {

Result<void> child(Inside& inside) {
    const spec::Capabilities& sets = inside.spec.capabilities;
    TRY(sys::bound_capabilities(sets.bounding));
    if (!sets.ambient.empty() || !sets.inheritable.empty())
        TRY(sys::prctl(PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", 1));
    TRY(become_user(inside));
    TRY(sys::set_capabilities({.permitted = sets.permitted,
                               .effective = sets.effective,
                               .inheritable = sets.inheritable,
                               .ambient = sets.ambient}));
    if (!inside.spec.process.new_privileges)
        TRY(sys::prctl(PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", 1));
    return die_with_parent();
}

} // namespace stages::caps
