// The namespaces of the child against ours.
#include "run/guard.hpp"

#include "stages/stages.hpp"

namespace run {

using sys::Error;
using sys::Result;

namespace {

/// "uts:[4026531838]" (namespaces(7)). The link is read, not followed: that would make an inode for
/// each. By one look at the directory, for all of them: procfs makes what it shows of a process
/// anew for each path that leads to it.
Result<std::string> look(const sys::Fd& directory, const stages::Stage& stage) {
    return sys::readlinkat(directory.get(), stage.ns);
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
        if (TRY(look(childs, stage)) == TRY(look(ours, stage)))
            return std::unexpected(Error{.stage = std::string(name_of(stage.id)),
                                         .call = {},
                                         .detail = std::string("still in the host's ") + stage.ns +
                                                   " namespace, so nothing was done",
                                         .hint = {}});
    }
    return {};
}

} // namespace run
