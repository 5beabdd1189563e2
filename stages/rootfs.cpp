// Looking at the root filesystem before anything is made.
#include "stages/rootfs.hpp"

#include "stages/causes.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace stages {

Result<void> check_rootfs(const spec::Spec& spec) {
    const std::string& path = spec.root.path;
    auto cannot = [&](const Error& error) {
        return causes::no_rootfs(path, error.code, sys::geteuid());
    };
    Fd rootfs = TRY(hint(sys::openat(AT_FDCWD, path, O_PATH | O_DIRECTORY), cannot));
    struct statfs info = TRY(sys::fstatfs(rootfs.get()));
    // Before the noexec that they mostly have: a remount would not help.
    if (std::string kind = causes::kernels_own(info.f_type); !kind.empty())
        return causes::wrong(causes::Id::rootfs_of_the_kernel, {path, kind});
    if ((info.f_flags & ST_NOEXEC) != 0)
        return causes::wrong(causes::Id::rootfs_noexec, {path});
    return {};
}

std::string work_directory(const std::string& upper) {
    std::string path = upper;
    while (path.size() > 1 && path.back() == '/')
        path.pop_back();
    std::size_t slash = path.rfind('/');
    std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    return (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + "." + name + ".work";
}

Result<void> make_work_directory(Launch& launch) {
    const std::string& upper = launch.spec.root.upper;
    TRY(hint(sys::openat(AT_FDCWD, upper, O_PATH | O_DIRECTORY), [&](const Error& error) {
        if (error.code == ENOENT)
            return "--upper keeps changes in a directory that is there already: 'mkdir " + upper +
                   "'";
        return error.code == ENOTDIR ? "--upper wants a directory, and \"" + upper + "\" is none"
                                     : "";
    }));
    std::string work = work_directory(upper);
    std::string absolute = work.starts_with('/') ? work : sys::join(TRY(sys::getcwd()), work);
    if (absolute.size() >= sizeof launch.ledger->work)
        return sys::wrong("the path \"" + absolute + "\" is too long");
    TRY(launch.keep());
    memcpy(launch.ledger->work, absolute.c_str(), absolute.size() + 1);
    auto made = sys::mkdirat(AT_FDCWD, absolute, 0700);
    if (!made) {
        launch.ledger->work[0] = '\0'; // it's not ours to remove
        return hint(std::move(made), [&](const Error& error) {
            return error.code == EEXIST
                       ? "another container is using \"" + upper +
                             "\", or one was left behind by "
                             "a crash: then remove the directory"
                       : "overlayfs needs a work directory beside \"" + upper +
                             "\": give --upper a directory in one that you may write to";
        });
    }
    // The kernel makes its own directories in it as container root.
    if (launch.facts.sent_rootfs) {
        Fd directory = TRY(sys::openat(AT_FDCWD, absolute, O_RDONLY | O_DIRECTORY));
        TRY(sys::fchown(directory.get(), launch.facts.uids.front().outside,
                        launch.facts.gids.front().outside));
    }
    return {};
}

namespace {

/// What overlayfs makes in its work directory.
constexpr const char* kInner[] = {"/work", "/index"};

/// One try, as far as it goes; false when somebody was filling it meanwhile.
bool remove_once(const std::string& path) {
    bool stays = false;
    for (const char* inner : kInner) {
        auto removed = sys::remove_tree(AT_FDCWD, path + inner);
        int code = removed ? 0 : removed.error().code;
        stays |= code != 0 && code != ENOTEMPTY && code != ENOENT; // another's files
    }
    if (sys::unlinkat(AT_FDCWD, path, AT_REMOVEDIR) || stays)
        return true;
    auto there = [&](const char* inner) { return sys::exists(path + inner); };
    return std::ranges::none_of(kInner, there); // what else is in it is somebody's
}

} // namespace

// overlayfs makes an inner "work" (and may make "index") of mode 0. In it stay a whiteout that it
// keeps for the next use, and what a kill has interrupted. A child that was killed in the midst of
// a mount yet finishes that call, and may make them again while we remove them.
void remove_work_directory(Ledger& ledger) {
    if (ledger.work[0] == '\0')
        return;
    constexpr std::chrono::milliseconds kTurn{10};
    for (int turn = 0; turn < 500 && !remove_once(ledger.work); ++turn)
        (void)sys::poll({}, kTurn);
    ledger.work[0] = '\0';
}

} // namespace stages
