// Who the command is: its user and groups, its streams, and that it dies with us.
#include "stages/caps.hpp"
#include "stages/causes.hpp"
#include "stages/passwd.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <sys/prctl.h>

#include <cerrno>

namespace stages {

namespace {

std::string why_not(const spec::Spec& spec, const spec::Ids& who, const Error& error) {
    if (error.code == EINVAL)
        return "id " + std::to_string(who.uid) + ":" + std::to_string(who.gid) +
               " is not mapped in the container (see /proc/self/uid_map): give the caller a "
               "range in /etc/subuid and /etc/subgid, or use --map";
    if (error.code == EPERM && spec.stages.has(spec::Stage::user))
        return "with a single id mapped, groups can't be set: the container has only user 0";
    return error.code == EPERM ? "only root may become another user: keep the user stage" : "";
}

Result<void> change_ids(const spec::Spec& spec, const spec::Ids& who) {
    auto why = [&](const Error& error) { return why_not(spec, who, error); };
    TRY(hint(sys::setresgid(who.gid), why));
    return hint(sys::setresuid(who.uid), why);
}

Result<void> become(const spec::Spec& spec, const spec::Ids& who) {
    if (!who.keep_groups) {
        auto set = sys::setgroups({who.groups.begin(), who.groups.end()});
        // Where a single id is mapped, nobody's groups can be changed: the caller's stay.
        bool denied = !set && set.error().code == EPERM && spec.stages.has(spec::Stage::user);
        if (!denied || !who.groups.empty() || !spec.process.ids)
            TRY(hint(std::move(set),
                     [&](const Error& error) { return why_not(spec, who, error); }));
    }
    return change_ids(spec, who);
}

} // namespace

// Root filesystem in place; still container root, or the caller itself without a user stage.
Result<void> become_user(const Inside& inside) {
    const spec::Spec& spec = inside.spec;
    if (spec.process.ids)
        return become(spec, *spec.process.ids);
    if (spec.process.user.empty())
        return {};
    Identity named = TRY(identify(spec.process.user));
    spec::Ids who{.uid = named.uid, .gid = named.gid, .groups = std::move(named.groups)};
    bool denied = spec.stages.has(spec::Stage::user) &&
                  TRY(sys::read_file("/proc/self/setgroups", 64)).starts_with("deny");
    if (!denied)
        return become(spec, who);
    // What we are already is fine; its groups can't be changed.
    return who.uid == 0 && who.gid == 0 ? Result<void>{} : change_ids(spec, who);
}

namespace {

Result<void> give(int fd, uid_t uid) {
    auto given = sys::fchown(fd, uid, static_cast<gid_t>(-1));
    // Its owner is nobody in the container, its file system is read-only, or the user is not
    // mapped, which is said where that one is become: the command can use what is open all the
    // same.
    if (!given)
        for (int code : {EPERM, EROFS, EINVAL})
            if (given.error().code == code)
                return {};
    return given;
}

} // namespace

// Root filesystem in place; not yet the user, to whom nothing could be given then.
Result<void> give_streams(const Inside& inside) {
    const spec::Process& process = inside.spec.process;
    if (!process.ids && process.user.empty())
        return {};
    uid_t uid = process.ids ? process.ids->uid : TRY(identify(process.user)).uid;
    if (inside.console.valid()) {
        Fd slave = TRY(sys::pty_peer(inside.console.get()));
        return give(slave.get(), uid);
    }
    for (int stream : {0, 1, 2}) {
        auto info = sys::fstat(stream);
        if (!info && info.error().code != EBADF) // closed, and stays so
            return std::unexpected(std::move(info).error());
        // A pipe is made for whom it is given to. A file may be a person's, who redirects into it,
        // and devices and terminals are the machine's: not ours to give.
        if (info && S_ISFIFO(info->st_mode) && info->st_uid != uid)
            TRY(give(stream, uid));
    }
    return {};
}

Result<void> die_with_parent() {
    return sys::prctl(PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", SIGKILL);
}

} // namespace stages
