// uts: the host name, seen by uname(2). "UTS" is Unix Time-Sharing, after uname's structure.
#include "stages/stages.hpp"

namespace stages::uts {

// In a UTS namespace of our own (the walker has made sure), with CAP_SYS_ADMIN in it.
Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    if (!spec.uts.hostname.empty() || !spec.uts.as_found)
        TRY(sys::sethostname(spec.uts.hostname.empty() ? spec.name : spec.uts.hostname));
    if (!spec.uts.domainname.empty())
        TRY(sys::setdomainname(spec.uts.domainname));
    return {};
}

} // namespace stages::uts
