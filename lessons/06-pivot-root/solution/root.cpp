// Lesson 6: the root stage. It runs in the container's mount namespace, with CAP_SYS_ADMIN in it.
#include "stages/rootfs.hpp"
#include "stages/stages.hpp"

namespace stages::root {

Result<void> prepare(Launch& launch) {
    // The mount stage has looked already, when it runs.
    return launch.spec.stages.has(spec::Stage::mount) ? Result<void>{} : check_rootfs(launch.spec);
}

Result<void> child(Inside& inside) {
    TRY(sys::fchdir(inside.rootfs.get()));
    TRY(sys::pivot_root(".", "."));
    TRY(sys::umount2(".", sys::kDetach));
    TRY(sys::chdir("/"));
    inside.rootfs.close();
    inside.empty.close();
    return {};
}

} // namespace stages::root
