// setns, in an order that works.
#include "run/join.hpp"

#include "stages/cgroup_place.hpp"
#include "stages/stages.hpp"
#include "sys/local.hpp"

#include <algorithm>
#include <cerrno>

namespace run {

using sys::Error;
using sys::Result;

namespace {

/// The child enters these itself: its cgroup and its root directory are its own affair.
constexpr std::uint64_t kRest = CLONE_NEWCGROUP | CLONE_NEWNS;
/// Of a process's, what the child joins by one call. For the machine's root, to name one that is
/// its own already is fine; root of a user namespace has no power over the machine's.
constexpr std::uint64_t kAtOnce = kRest | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;
constexpr const char* kPowerless =
    "joining it takes CAP_SYS_ADMIN in the user namespace that owns it: join that one too, or be "
    "its owner";

Error at(const Join& join, Error error) {
    error.stage = name_of(join.stage);
    error.call = "setns(\"" + join.path + "\")";
    return error;
}

/// What `spec` asks for that is `stage`'s namespace's, and so the host's where that is joined
/// (`--network host`); nullptr: nothing.
const char* would_change(const spec::Spec& spec, spec::Stage stage) {
    constexpr std::string_view kDomainName = "kernel/domainname"; // uts's, among those of ipc
    auto sysctl = [&](std::string_view prefix) {
        return std::ranges::any_of(spec.sysctl, [&](const auto& line) {
            return line.first.starts_with(prefix) &&
                   (prefix == kDomainName || line.first != kDomainName);
        });
    };
    if (spec.inside_already)
        return nullptr;
    switch (stage) {
    case spec::Stage::user:
        return sysctl("user/") ? "a user.* sysctl" : nullptr;
    case spec::Stage::uts:
        return !spec.uts.hostname.empty() || !spec.uts.domainname.empty() || sysctl(kDomainName)
                   ? "its new name"
                   : nullptr;
    case spec::Stage::net:
        return !spec.net_devices.empty() ? "a device that goes there"
               : sysctl("net/")          ? "a net.* sysctl"
                                         : nullptr;
    case spec::Stage::ipc:
        return sysctl("kernel/") || sysctl("fs/mqueue/") ? "a sysctl of it" : nullptr;
    case spec::Stage::mount:
        return "everything that is mounted";
    default:
        return nullptr;
    }
}

Result<void> enter(const Join& join) {
    auto entered = sys::setns(join.fd.get(), join.flag);
    if (!entered) {
        Error error = at(join, std::move(entered).error());
        if (error.code == EPERM)
            error.hint = kPowerless;
        return std::unexpected(std::move(error));
    }
    return {};
}

} // namespace

Result<Joins> Joins::open(const spec::Spec& spec) {
    Joins out;
    for (const spec::Join& wanted : spec.joins) {
        auto row = std::ranges::find(stages::table(), wanted.stage, &stages::Stage::id);
        Join join{wanted.stage, row->clone_flag, wanted.path, {}};
        auto opened = sys::openat(AT_FDCWD, wanted.path, O_RDONLY);
        if (!opened) {
            Error error = std::move(opened).error();
            error.stage = name_of(wanted.stage);
            return std::unexpected(std::move(error));
        }
        join.fd = std::move(*opened);
        auto type = sys::namespace_type(join.fd.get());
        if (!type || *type != join.flag) {
            auto wrong = sys::wrong("\"" + wanted.path + "\" is not a " + row->ns + " namespace");
            wrong.error().stage = name_of(wanted.stage);
            return wrong;
        }
        struct stat theirs = TRY(sys::fstat(join.fd.get()));
        struct stat ours = TRY(sys::fstatat(AT_FDCWD, std::string("/proc/self/ns/") + row->ns, 0));
        if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev) {
            out.all_.push_back(std::move(join));
        } else if (const char* what = would_change(spec, wanted.stage); what != nullptr) {
            auto wrong = sys::wrong("\"" + wanted.path + "\" is the host's own " + row->ns +
                                    " namespace, and " + what + " would change the host");
            wrong.error().stage = name_of(wanted.stage);
            return wrong;
        }
    }
    return out;
}

Result<std::optional<Joins>> Joins::of_process(int pidfd, pid_t pid) {
    auto ours = TRY(sys::openat(AT_FDCWD, "/proc/self/ns", O_PATH | O_DIRECTORY));
    auto theirs =
        TRY(sys::openat(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns", O_PATH | O_DIRECTORY));
    auto is_ours = [&](const char* name) -> Result<bool> {
        struct stat own = TRY(sys::fstatat(ours.get(), name, 0));
        struct stat its = TRY(sys::fstatat(theirs.get(), name, 0));
        return own.st_ino == its.st_ino && own.st_dev == its.st_dev;
    };
    if (!TRY(is_ours("user")))
        return std::nullopt;
    Joins out;
    out.process_ = pidfd;
    out.at_once_ = kAtOnce;
    if (stages::cgroup::rootless())
        for (auto [name, flag] : {std::pair("cgroup", CLONE_NEWCGROUP),
                                  {"mnt", CLONE_NEWNS},
                                  {"net", CLONE_NEWNET},
                                  {"uts", CLONE_NEWUTS},
                                  {"ipc", CLONE_NEWIPC}})
            if (TRY(is_ours(name)))
                out.at_once_ &= ~static_cast<std::uint64_t>(flag);
    auto time = is_ours("time");
    if (!time && time.error().code != ENOENT) // this kernel has none
        return std::unexpected(std::move(time).error());
    if (time && !*time)
        out.all_.push_back({spec::Stage::time, CLONE_NEWTIME, "time",
                            TRY(sys::openat(theirs.get(), "time", O_RDONLY))});
    return out;
}

bool Joins::has(std::uint64_t flag) const {
    if (process_ >= 0 && (flag & (kAtOnce | CLONE_NEWPID)) != 0)
        return true;
    return std::ranges::any_of(all_, [flag](const Join& join) { return (join.flag & flag) != 0; });
}

bool Joins::need_joiner(std::uint64_t made) const {
    // Root of a user namespace can't go back into the PID namespace of the machine: rootless
    // Podman's exec is such a one.
    return any() && (has(CLONE_NEWUSER) || (made & CLONE_NEWUSER) != 0 ||
                     (has(CLONE_NEWPID) && stages::cgroup::rootless()));
}

// With the caller's privileges, until the user namespace is joined. What those are not enough for
// belongs to that user namespace, in which we then have every capability.
Result<void> Joins::join_first() const {
    std::vector<const Join*> later;
    const Join* user = nullptr;
    for (const Join& join : all_) {
        if (join.flag == CLONE_NEWUSER)
            user = &join;
        else if ((join.flag & (kRest | CLONE_NEWPID | CLONE_NEWTIME)) == 0 &&
                 (!has(CLONE_NEWUSER) || !sys::setns(join.fd.get(), join.flag)))
            later.push_back(&join);
    }
    if (user != nullptr)
        TRY(enter(*user));
    for (const Join* join : later)
        TRY(enter(*join));
    return {};
}

// The last before the child is born, so that nothing of ours is in it before.
Result<void> Joins::join_pid() const {
    if (process_ >= 0)
        return sys::setns(process_, CLONE_NEWPID);
    for (const Join& join : all_)
        if (join.flag == CLONE_NEWPID)
            return enter(join);
    return {};
}

Result<void> Joins::join_tree() const {
    if (process_ >= 0)
        return sys::setns(process_, CLONE_NEWNS);
    for (const Join& join : all_)
        if (join.flag == CLONE_NEWNS)
            return enter(join);
    return {};
}

// In the child: in the joined user and PID namespaces. The mount namespace is the last, since the
// host's tree is out of reach from there.
Result<void> Joins::join_rest(bool born_late) const {
    if (process_ >= 0) {
        auto entered = sys::setns(process_, at_once_ | (born_late ? CLONE_NEWPID : 0));
        if (!entered && entered.error().code == EPERM)
            entered.error().hint = kPowerless;
        return entered;
    }
    for (std::uint64_t flag : {CLONE_NEWCGROUP, CLONE_NEWNS})
        for (const Join& join : all_)
            if (join.flag == flag)
                TRY(enter(join));
    return {};
}

int Joins::time() const {
    for (const Join& join : all_)
        if (join.flag == CLONE_NEWTIME)
            return join.fd.get();
    return -1;
}

} // namespace run
