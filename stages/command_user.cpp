// Who the command is: its user and groups, its streams, and that it dies with us.
#include "stages/caps.hpp"
#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "stages/passwd.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace stages {

namespace {

/// "0 to 65536, 100000": ranges that follow each other as one.
std::string ids_of(const std::vector<spec::IdMap>& map) {
    std::string text;
    for (std::size_t i = 0; i < map.size(); ++i) {
        std::uint32_t first = map[i].inside;
        while (i + 1 < map.size() && map[i + 1].inside == map[i].inside + map[i].count)
            ++i;
        std::uint32_t last = map[i].inside + map[i].count - 1;
        text += (text.empty() ? "" : ", ") + std::to_string(first);
        if (last != first)
            text += " to " + std::to_string(last);
    }
    return text;
}

std::string not_mapped(const Inside& inside, std::uint32_t id, bool group) {
    const spec::Spec& spec = inside.spec;
    const auto& map = group ? inside.facts.gids : inside.facts.uids;
    std::string what =
        (group ? "gid " : "uid ") + std::to_string(id) + " is not mapped in the container";
    if (map.empty()) // another made its user namespace
        return what + ": use an id that stands in " +
               (group ? "/proc/self/gid_map" : "/proc/self/uid_map");
    what += ", which has " + ids_of(map) + ": ";
    if (spec.naming == spec::Naming::properties)
        return what + "add it to linux." + (group ? "gid" : "uid") + "Mappings";
    bool alone = map.size() == 1 && map.front().count == 1;
    if (alone && spec.user.mapping == spec::Mapping::single)
        return what + "leave out --map single";
    if (alone && spec.user.mapping == spec::Mapping::automatic)
        return what + "the caller needs a range in /etc/subuid and /etc/subgid: 'gocontainer "
                      "doctor' has the command";
    return what + "use one that is, or map it with a --map C:H:N more";
}

std::uint32_t first_not_in(const std::vector<spec::IdMap>& map,
                           const std::vector<std::uint32_t>& ids) {
    auto mapped = [&map](std::uint32_t id) {
        return std::ranges::any_of(map, [id](const spec::IdMap& range) {
            return id >= range.inside && id - range.inside < range.count;
        });
    };
    auto first = std::ranges::find_if_not(ids, mapped);
    return first == ids.end() ? ids.front() : *first;
}

std::string why_not(const Inside& inside, const spec::Ids& who, const Error& error) {
    const spec::Spec& spec = inside.spec;
    if (error.code == EINVAL && error.call.starts_with("setgroups"))
        return not_mapped(inside, first_not_in(inside.facts.gids, who.groups), true);
    if (error.code == EINVAL && error.call.starts_with("setresgid"))
        return not_mapped(inside, who.gid, true);
    if (error.code == EINVAL)
        return not_mapped(inside, who.uid, false);
    if (error.code == EPERM && spec.stages.has(spec::Stage::user))
        return "with a single id mapped, groups can't be set: the container has only user 0";
    return error.code == EPERM ? "only root may become another user: keep the user stage" : "";
}

Result<void> change_ids(const Inside& inside, const spec::Ids& who) {
    auto why = [&](const Error& error) { return why_not(inside, who, error); };
    TRY(hint(sys::setresgid(who.gid), why));
    return hint(sys::setresuid(who.uid), why);
}

Result<void> become(const Inside& inside, const spec::Ids& who) {
    const spec::Spec& spec = inside.spec;
    if (!who.keep_groups) {
        auto set = sys::setgroups({who.groups.begin(), who.groups.end()});
        // Where a single id is mapped, nobody's groups can be changed: the caller's stay.
        bool denied = !set && set.error().code == EPERM && spec.stages.has(spec::Stage::user);
        if (!denied || !who.groups.empty() || !spec.process.ids)
            TRY(hint(std::move(set),
                     [&](const Error& error) { return why_not(inside, who, error); }));
    }
    return change_ids(inside, who);
}

/// Is setgroups off in our user namespace? Without a /proc the call itself says so: of no groups,
/// which is what container root has.
Result<bool> groups_denied() {
    auto said = sys::read_file("/proc/self/setgroups", 64);
    if (said || said.error().code != ENOENT)
        return TRY(std::move(said)).starts_with("deny");
    auto none = sys::setgroups({});
    if (!none && none.error().code != EPERM)
        return std::unexpected(std::move(none).error());
    return !none;
}

} // namespace

// Root filesystem in place; still container root, or the caller itself without a user stage.
Result<void> become_user(const Inside& inside) {
    const spec::Spec& spec = inside.spec;
    if (spec.process.ids)
        return become(inside, *spec.process.ids);
    if (spec.process.user.empty())
        return {};
    Identity named = TRY(identify(spec.process.user));
    spec::Ids who{.uid = named.uid, .gid = named.gid, .groups = std::move(named.groups)};
    bool denied = spec.stages.has(spec::Stage::user) && TRY(asked_by("-u", groups_denied()));
    if (!denied)
        return asked_by("-u", become(inside, who));
    // What we are already is fine; its groups can't be changed.
    return who.uid == 0 && who.gid == 0 ? Result<void>{} : asked_by("-u", change_ids(inside, who));
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

/// The container's null device; an image may have any other thing there, which is left alone.
Result<Fd> own_null() {
    constexpr const char* kNull = "/dev/null";
    if (!is_null_device(TRY(sys::fstatat(AT_FDCWD, kNull, AT_SYMLINK_NOFOLLOW))))
        return Fd();
    Fd own = TRY(sys::openat(AT_FDCWD, kNull, O_RDWR | O_NOFOLLOW));
    return is_null_device(TRY(sys::fstat(own.get()))) ? std::move(own) : Fd();
}

} // namespace

// Root filesystem in place; not yet the user, to whom nothing could be given then.
Result<void> take_streams(const Inside& inside) {
    const spec::Process& process = inside.spec.process;
    std::optional<uid_t> uid;
    if (process.ids)
        uid = process.ids->uid;
    else if (!process.user.empty())
        uid = TRY(identify(process.user)).uid;
    if (inside.console.valid()) {
        if (!uid)
            return {};
        Fd slave = TRY(sys::pty_peer(inside.console.get()));
        return give(slave.get(), *uid);
    }
    std::optional<Fd> null;
    for (int stream : {0, 1, 2}) {
        auto info = sys::fstat(stream);
        if (!info && info.error().code != EBADF) // closed, and stays so
            return std::unexpected(std::move(info).error());
        // The machine's, whose mode and owner the command could change.
        if (info && is_null_device(*info)) {
            if (!null)
                null = own_null().value_or(Fd());
            if (null->valid())
                TRY(sys::dup2(null->get(), stream));
        }
        // A pipe is made for whom it is given to. A file may be a person's, who redirects into it,
        // and other devices and terminals are the machine's: not ours to give.
        if (uid && info && S_ISFIFO(info->st_mode) && info->st_uid != *uid)
            TRY(give(stream, *uid));
    }
    return {};
}

Result<void> die_with_parent() {
    return sys::prctl(PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", SIGKILL);
}

} // namespace stages
