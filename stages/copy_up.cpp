// Name by name and never through a link: the image may be hostile.
#include "stages/copy_up.hpp"

#include "sys/local.hpp"
#include "sys/mounts.hpp"

namespace stages {

namespace {

// An image's directories can be nested deeper than a stack is long.
constexpr int kDeepest = 256;

Result<void> copy_owner(const Fd& to, const struct stat& info) {
    TRY(sys::fchown(to.get(), info.st_uid, info.st_gid));
    return sys::fchmod(to.get(), info.st_mode & 07777); // after: a chown takes setuid away
}

Result<void> copy_directory(const Fd& from, const Fd& to, int depth);

Result<void> copy_entry(const Fd& from, const Fd& to, const std::string& name, int depth) {
    struct stat info = TRY(sys::fstatat(from.get(), name, AT_SYMLINK_NOFOLLOW));
    if (S_ISDIR(info.st_mode)) {
        TRY(sys::mkdirat(to.get(), name, 0700));
        constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
        Fd below = TRY(sys::openat(from.get(), name, flags));
        Fd copy = TRY(sys::openat(to.get(), name, flags));
        TRY(copy_directory(below, copy, depth + 1));
        return copy_owner(copy, info);
    }
    if (S_ISREG(info.st_mode)) {
        Fd file = TRY(sys::openat(from.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        Fd copy = TRY(sys::openat(to.get(), name, O_WRONLY | O_CREAT | O_EXCL, 0600));
        TRY(sys::copy_file(copy.get(), file.get()));
        return copy_owner(copy, info);
    }
    if (S_ISSOCK(info.st_mode))
        return {};
    if (S_ISLNK(info.st_mode)) {
        std::string leads_to = TRY(sys::readlinkat(from.get(), name));
        TRY(sys::symlinkat(leads_to, to.get(), name));
    } else {
        TRY(sys::mknodat(to.get(), name, info.st_mode, info.st_rdev));
    }
    return sys::fchownat(to.get(), name, info.st_uid, info.st_gid);
}

Result<void> copy_directory(const Fd& from, const Fd& to, int depth) {
    if (depth > kDeepest)
        return sys::wrong("more than " + std::to_string(kDeepest) +
                          " directories within each other can't be copied");
    for (const sys::Entry& entry : TRY(sys::entries(from.get())))
        TRY(copy_entry(from, to, entry.name, depth));
    return {};
}

} // namespace

Result<void> copy_up(const Fd& from, const Fd& to) {
    Fd directory = TRY(sys::openat(from.get(), ".", O_RDONLY | O_DIRECTORY));
    Fd top = TRY(sys::openat(to.get(), ".", O_RDONLY | O_DIRECTORY));
    TRY(copy_directory(directory, top, 0));
    struct stat info = TRY(sys::fstat(from.get()));
    return sys::fchown(top.get(), info.st_uid, info.st_gid);
}

} // namespace stages
