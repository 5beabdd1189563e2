// Lesson 6: the root stage. It runs in the container's mount namespace, with CAP_SYS_ADMIN in it.
//
// inside.rootfs is a descriptor of the mounted root filesystem. sys/kernel.hpp has fchdir,
// pivot_root, umount2 (its flag is sys::kDetach) and chdir.
#include "stages/rootfs.hpp"
#include "stages/stages.hpp"

namespace stages::root {

Result<void> prepare(Launch& launch) {
    // The mount stage has looked already, when it runs.
    return launch.spec.stages.has(spec::Stage::mount) ? Result<void>{} : check_rootfs(launch.spec);
}

Result<void> child(Inside& inside) {
    (void)inside; // yours to use
    return {};
}

} // namespace stages::root
