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

Result<std::string> work_directory(const Fd& upper) {
    std::string path = TRY(sys::path_of(upper.get()));
    std::size_t slash = path.rfind('/');
    return path.substr(0, slash + 1) + "." + path.substr(slash + 1) + ".work";
}

namespace {

/// Opened, and such that overlayfs can take it for `rootfs`.
Result<Fd> open_upper(const std::string& upper, const std::string& rootfs) {
    Fd directory =
        TRY(hint(sys::openat(AT_FDCWD, upper, O_PATH | O_DIRECTORY), [&](const Error& error) {
            if (error.code == ENOENT)
                return "--upper keeps changes in a directory that is there already: 'mkdir " +
                       upper + "'";
            if (error.code == EACCES)
                return "you may not search \"" + causes::closed_on_the_way(upper) +
                       "\": name a directory of your own";
            return error.code == ENOTDIR
                       ? "--upper wants a directory, and \"" + upper + "\" is none"
                       : "";
        }));
    Fd lower = TRY(sys::openat(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY));
    std::string above = TRY(sys::path_of(directory.get()));
    std::string below = TRY(sys::path_of(lower.get()));
    if ((below + "/").starts_with(above == "/" ? above : above + "/"))
        return sys::wrong("--upper \"" + upper + "\" " + (above == below ? "is" : "holds") +
                              " the root filesystem",
                          "name a directory beside \"" + rootfs + "\" for what is changed");
    Fd parent = TRY(sys::openat(directory.get(), "..", O_PATH | O_DIRECTORY));
    if (TRY(sys::fstat(parent.get())).st_dev != TRY(sys::fstat(directory.get())).st_dev)
        return sys::wrong("--upper \"" + upper +
                              "\" is a mount point, and overlayfs needs a work directory beside it "
                              "on the same file system",
                          "name a directory in it: 'mkdir " + sys::join(upper, "changes") + "'");
    return directory;
}

} // namespace

Result<void> make_work_directory(Launch& launch) {
    const std::string& upper = launch.spec.root.upper;
    Fd directory = TRY(open_upper(upper, launch.spec.root.path));
    std::string work = TRY(work_directory(directory));
    if (work.size() >= sizeof launch.ledger->work)
        return sys::wrong("the path \"" + work + "\" is too long");
    TRY(launch.keep());
    memcpy(launch.ledger->work, work.c_str(), work.size() + 1);
    auto made = sys::mkdirat(AT_FDCWD, work, 0700);
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
        Fd opened = TRY(sys::openat(AT_FDCWD, work, O_RDONLY | O_DIRECTORY));
        TRY(sys::fchown(opened.get(), launch.facts.uids.front().outside,
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
