// shared-mounts: a mount that shows on the host.
//
// A new mount namespace is a copy, and a copy of a shared mount is its peer: what is mounted in one
// shows in the other (mount_namespaces(7)). The mount stage makes everything private first; and
// mounting takes CAP_SYS_ADMIN, which the caps stage takes away.
#include "sys/mounts.hpp"
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> shared_mounts(const Prey& prey) {
    TRY(sys::unshare(CLONE_NEWNS)); // a copy, as each container gets
    TRY(sys::mount("lab", prey.folder, "tmpfs", "size=4k"));
    return "mounted on " + prey.folder;
}

} // namespace teach
