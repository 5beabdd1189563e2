// proc-self-exe: the binary that started the container, opened for writing (CVE-2019-5736).
//
// /proc/self/exe leads to the very file that is executed, whatever root we are in; the lab starts
// this by that name. While it runs the kernel answers ETXTBSY, but who waits for its end can write
// what the host's root executes next; unless it is on a mount of its own that is read-only, or in
// memory that is sealed. Nothing is written.
#include "teach/escapes/escapes.hpp"

#include <sys/statvfs.h>

#include <cerrno>

namespace teach {

sys::Result<std::string> proc_self_exe(const Prey&) {
    std::string name = TRY(sys::readlinkat(AT_FDCWD, "/proc/self/exe"));
    sys::Fd file = TRY(sys::openat(AT_FDCWD, "/proc/self/exe", O_RDONLY));
    if ((TRY(sys::fstatfs(file.get())).f_flags & ST_RDONLY) != 0)
        return sys::wrong("\"" + name + "\" is on a read-only mount");
    if (sys::is_sealed(file.get()))
        return sys::wrong("\"" + name + "\" is in sealed memory");
    auto opened = sys::openat(AT_FDCWD, "/proc/self/exe", O_WRONLY);
    if (opened)
        return name + " is open for writing";
    if (opened.error().code == ETXTBSY)
        return name + " is only busy (ETXTBSY), until nobody runs it";
    return std::unexpected(std::move(opened).error());
}

} // namespace teach
