// Lesson 3: the uts stage. It runs in a UTS namespace of its own, with CAP_SYS_ADMIN in it.
#include "stages/stages.hpp"

namespace stages::uts {

Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    if (!spec.uts.hostname.empty() || !spec.uts.as_found)
        TRY(sys::sethostname(spec.uts.hostname.empty() ? spec.name : spec.uts.hostname));
    if (!spec.uts.domainname.empty())
        TRY(sys::setdomainname(spec.uts.domainname));
    return {};
}

} // namespace stages::uts
