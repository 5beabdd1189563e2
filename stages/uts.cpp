// uts: the host name, seen by uname(2). "UTS" is Unix Time-Sharing, after uname's structure.
#include "stages/causes.hpp"
#include "stages/stages.hpp"

namespace stages::uts {

// In a UTS namespace of our own (the walker has made sure), with CAP_SYS_ADMIN in it.
Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    auto refused = [](const Error& error) { return causes::powerless_root(error.code); };
    if (!spec.uts.hostname.empty() || !spec.uts.as_found)
        TRY(hint(sys::sethostname(spec.uts.hostname.empty() ? spec.name : spec.uts.hostname),
                 refused));
    if (!spec.uts.domainname.empty())
        TRY(hint(sys::setdomainname(spec.uts.domainname), refused));
    return {};
}

} // namespace stages::uts
