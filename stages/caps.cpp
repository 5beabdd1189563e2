// caps: who the process is and what it may do: its user, its capabilities, no_new_privs.
//
//   bounding      what any exec can ever give            Docker's 14, or --cap-add, --cap-drop
//   permitted     what this process may switch on        the same
//   effective     what is on                             the same
//   inheritable   what an exec hands over                none (CVE-2022-24769)
//   ambient       what an exec hands over without root   none
#include "stages/caps.hpp"

#include "stages/causes.hpp"
#include "stages/passwd.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"
#include "sys/path.hpp"

#include <sys/prctl.h>

#include <cerrno>

namespace stages {

// Root filesystem in place; still container root, or the caller itself without a user stage.
Result<void> become_user(const Inside& inside) {
    const spec::Spec& spec = inside.spec;
    if (spec.process.user.empty())
        return {};
    Identity who = TRY(identify(spec.process.user));
    auto unmapped = [&](const Error& error) -> std::string {
        if (error.code == EINVAL)
            return "id " + std::to_string(who.uid) + ":" + std::to_string(who.gid) +
                   " is not mapped in the container (see /proc/self/uid_map): give the caller a "
                   "range in /etc/subuid and /etc/subgid, or use --map";
        if (error.code == EPERM && inside.spec.stages.has(spec::Stage::user))
            return "with a single id mapped, groups can't be set: the container has only user 0";
        return error.code == EPERM ? "only root may become another user: keep the user stage" : "";
    };
    bool user_namespace = spec.stages.has(spec::Stage::user);
    bool denied =
        user_namespace && TRY(sys::read_file("/proc/self/setgroups", 64)).starts_with("deny");
    if (!denied)
        TRY(hint(sys::setgroups({who.groups.begin(), who.groups.end()}), unmapped));
    else if (who.uid == 0 && who.gid == 0)
        return {}; // what we are already; its groups can't be changed
    TRY(hint(sys::setresgid(who.gid), unmapped));
    TRY(hint(sys::setresuid(who.uid), unmapped));
    return {};
}

Result<void> die_with_parent() {
    return sys::prctl(PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", SIGKILL);
}

namespace caps {

// As above, and with CAP_SETPCAP. Order: the bounding set while we may, then the user, whose
// change from root empties permitted and effective, then what is left of those.
Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    const std::vector<std::string>& keep = spec.capabilities.bounding;
    TRY(hint(sys::bound_capabilities(keep), [&](const Error&) {
        return spec.stages.has(spec::Stage::user)
                   ? std::string()
                   : std::string("an ordinary user has none to drop: keep the user stage, or "
                                 "--no-caps");
    }));
    TRY(become_user(inside));
    TRY(sys::set_capabilities(keep));
    if (!spec.process.new_privileges)
        TRY(sys::prctl(PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", 1));
    // A change of credentials has cleared it (prctl(2)).
    return die_with_parent();
}

} // namespace caps
} // namespace stages
