// The numbers of calls that libc may not know stand in linux/mount.h and sys/syscall.h.
#include "sys/mounts.hpp"

#include "sys/seam.hpp"

#include <sys/syscall.h>
#include <sys/sysmacros.h>

namespace sys {

Result<Fd> fspick(int mount) {
    return descriptor(invoke(
        "fspick",
        [&] { return syscall(SYS_fspick, mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH); }, mount,
        ""));
}

Result<void> fsconfig_reconfigure(int fs) {
    return done(invoke(
        "fsconfig",
        [&] { return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0); },
        fs, Shown{"FSCONFIG_CMD_RECONFIGURE"}));
}

Result<void> mount(const std::string& source, const std::string& target, const std::string& type,
                   const std::string& options) {
    return done(invoke(
        "mount",
        [&] {
            return syscall(SYS_mount, source.c_str(), target.c_str(), type.c_str(), 0,
                           options.c_str());
        },
        source, target, type, options));
}

Result<void> mknodat(int at, const std::string& path, mode_t mode, dev_t device) {
    return done(invoke(
        "mknodat",
        [&] {
            mode_t before = ::umask(0);
            int result = ::mknodat(at, path.c_str(), mode, device);
            int code = errno;
            (void)::umask(before); // can't fail
            errno = code;
            return static_cast<long>(result);
        },
        At{at}, path, Mode{mode},
        Shown{std::to_string(major(device)) + ":" + std::to_string(minor(device))}));
}

Result<mode_t> umask(mode_t mask) {
    return static_cast<mode_t>(
        TRY(invoke("umask", [&] { return static_cast<long>(::umask(mask)); }, Mode{mask})));
}

} // namespace sys
