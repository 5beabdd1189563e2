// Calls that a container's tree needs beyond sys/kernel.hpp's: file systems that are mounted
// already, and nodes.
#pragma once

#include "sys/kernel.hpp"

namespace sys {

/// The file system of the mount behind `mount`, to be given other options.
Result<Fd> fspick(int mount);
Result<void> fsconfig_reconfigure(int fs);

/// mount(2) of a new file system: all of its options in one text, of less than a page.
Result<void> mount(const std::string& source, const std::string& target, const std::string& type,
                   const std::string& options);

/// `device` as of makedev(3). The umask takes nothing off `mode`.
Result<void> mknodat(int at, const std::string& path, mode_t mode, dev_t device);
/// mkdirat(2), but the umask takes nothing off `mode`: it is the caller's, for what the command
/// makes, while a mount point is for all of the container's users.
Result<void> make_directory(int at, const std::string& path, mode_t mode);
Result<mode_t> umask(mode_t mask);

} // namespace sys
