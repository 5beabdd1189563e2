// caps: what the process may do: its capabilities, no_new_privs.
//
//   bounding      what any exec can ever give            Docker's 14, or --cap-add, --cap-drop
//   permitted     what this process may switch on        the same
//   effective     what is on                             the same
//   inheritable   what an exec hands over                none (CVE-2022-24769)
//   ambient       what an exec hands over without root   none
//
// A bundle lists all five.
#include "stages/caps.hpp"

#include "stages/stages.hpp"
#include "sys/capability.hpp"

#include <sys/prctl.h>

namespace stages::caps {

// Root filesystem in place, still container root, with CAP_SETPCAP. Order: the bounding set while
// we may, then the user, whose change from root empties permitted and effective, then what is left
// of those.
Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    const spec::Capabilities& sets = spec.capabilities;
    TRY(hint(sys::bound_capabilities(sets.bounding), [&](const Error&) {
        return spec.stages.has(spec::Stage::user)
                   ? std::string()
                   : std::string("an ordinary user has none to drop: keep the user stage, or "
                                 "--no-caps");
    }));
    // Only these outlive an exec as another user than root.
    if (!sets.ambient.empty() || !sets.inheritable.empty())
        TRY(sys::prctl(PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", 1)); // the exec takes it back
    TRY(become_user(inside));
    TRY(sys::set_capabilities({.permitted = sets.permitted,
                               .effective = sets.effective,
                               .inheritable = sets.inheritable,
                               .ambient = sets.ambient}));
    if (!spec.process.new_privileges)
        TRY(sys::prctl(PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", 1));
    // A change of credentials has cleared it (prctl(2)).
    return die_with_parent();
}

} // namespace stages::caps
