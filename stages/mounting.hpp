// What the stages that mount have in common: file systems and binds as descriptors, put in place
// by descriptor, so that no path is looked up twice.
#pragma once

#include "stages/causes.hpp"
#include "stages/stage.hpp"
#include "sys/path.hpp"

namespace stages {

constexpr std::uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// Why it was refused with errno `code`, and what to do; one of stages/causes.hpp.
using Cause = std::string (*)(int code);

/// A new file system, mounted nowhere yet. `options` are its own: "size=64m", "newinstance". An
/// error's detail is what the kernel said, its hint what `cause` finds. `source` is what mountinfo
/// shows, or the device that the file system is on; empty: the type.
Result<Fd> new_filesystem(const std::string& type, const std::vector<std::string>& options,
                          std::uint64_t attributes, Cause cause = causes::powerless_root,
                          const std::string& source = {});

/// A copy of the mount at `source`, mounted nowhere yet. `flags` of open_tree(2).
Result<Fd> clone_mount(int at, const std::string& source, unsigned flags);

/// Put a detached mount on `target`, an O_PATH descriptor.
Result<void> attach(const Fd& mount, const Fd& target);

/// mount_setattr(2) with attributes to set and to clear. Setting takes nothing off that an outer
/// mount namespace has locked.
Result<void> set_attributes(const Fd& mount, std::uint64_t attributes, unsigned flags = 0,
                            std::uint64_t cleared = 0);
Result<void> set_propagation(int at, const std::string& path, std::uint64_t propagation,
                             unsigned flags);

/// Who container root is on this machine.
std::uint32_t outside_root(const Inside& inside);

/// A directory directly below the rootfs that must not be a symlink, made when it is missing:
/// /dev, /proc and /sys of a hostile image could otherwise lead anywhere (CVE-2019-19921).
Result<Fd> real_directory(Inside& inside, const std::string& name);

/// May be mounted on though it is in /proc: single files that lxcfs has a container's own of, and
/// nothing that anybody trusts to be the kernel's (CVE-2019-16884).
bool covers_proc_harmlessly(const std::string& destination);

/// What a stat says of /dev/null, whatever an image may have at that place.
bool is_null_device(const struct stat& info);
/// Hide those of the masked paths that lie below `prefix` ("/proc/"), which is mounted at `top`:
/// files behind the host's /dev/null, directories behind one empty read-only tmpfs.
Result<void> mask(Inside& inside, const std::string& prefix, const Fd& top);

/// Make those of the read-only paths that lie below `prefix` read-only.
Result<void> make_readonly(const Inside& inside, const std::string& prefix, const Fd& top);

} // namespace stages
