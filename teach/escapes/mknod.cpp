// mknod: a device of the machine's, made by hand. A disk's would be all of its files.
//
// A user namespace other than the machine's makes no device nodes, whatever capabilities there are
// in it. This one makes /dev/null's, opens it, and removes it.
#include "sys/mounts.hpp"
#include "teach/escapes/escapes.hpp"

#include <sys/sysmacros.h>

namespace teach {

sys::Result<std::string> make_node(const Prey& prey) {
    // In the lab's folder, where the host's tree is in reach; else in the container's own.
    std::string path = prey.folder + kNode;
    auto made = sys::mknodat(AT_FDCWD, path, S_IFCHR | 0600, makedev(1, 3));
    if (!made) {
        path = kNode;
        TRY(sys::mknodat(AT_FDCWD, path, S_IFCHR | 0600, makedev(1, 3)));
    }
    auto opened = sys::openat(AT_FDCWD, path, O_RDWR);
    (void)sys::unlinkat(AT_FDCWD, path); // the lab removes its folder anyhow
    TRY(std::move(opened));
    return "made and opened the device 1:3 as " + path;
}

} // namespace teach
