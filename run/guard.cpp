// The namespaces of the child against ours.
#include "run/guard.hpp"

#include "stages/stages.hpp"

namespace run {

using sys::Error;
using sys::Result;

namespace {

/// Device and inode name a namespace (ioctl_ns(2)). By one look at the directory, for all of them:
/// procfs makes what it shows of a process anew for each path that leads to it.
Result<struct stat> look(const sys::Fd& directory, const stages::Stage& stage) {
    return sys::fstatat(directory.get(), stage.ns, 0);
}

Result<sys::Fd> namespaces_of(const std::string& process) {
    return sys::openat(AT_FDCWD, "/proc/" + process + "/ns", O_PATH | O_DIRECTORY);
}

} // namespace

Result<void> check_namespaces(const stages::Launch& launch) {
    sys::Fd ours = TRY(namespaces_of("self"));
    sys::Fd childs = TRY(namespaces_of(std::to_string(launch.child)));
    for (const stages::Stage& stage : stages::table()) {
        // What is joined, or unshared by the stage itself, is not made by the clone.
        if (stage.ns == nullptr || (stages::clone_flags(launch.spec) & stage.clone_flag) == 0)
            continue;
        struct stat own = TRY(look(ours, stage));
        struct stat child = TRY(look(childs, stage));
        if (child.st_ino == own.st_ino && child.st_dev == own.st_dev)
            return std::unexpected(Error{.stage = std::string(name_of(stage.id)),
                                         .call = {},
                                         .detail = std::string("still in the host's ") + stage.ns +
                                                   " namespace, so nothing was done",
                                         .hint = {}});
    }
    return {};
}

} // namespace run
