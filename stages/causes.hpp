// Why this machine says no: each function looks at what is really there, and answers with the
// cause's row of stages/cause_table.hpp, as an Error's hint; "" when it finds nothing. Nothing here
// changes anything.
#pragma once

#include "stages/cause_table.hpp"

#include <string>

namespace stages::causes {

/// clone3 or unshare refused a namespace with errno `code`: "user", "net", as in /proc/self/ns.
std::string no_namespace(const std::string& kind, int code);
/// Something that a user namespace's root may do was refused: is it AppArmor, seccomp, a chroot?
std::string powerless_root(int code);
/// A process of ours was not found in /proc, or not as ours.
std::string foreign_proc();
/// Something of ours in /proc could not be opened.
std::string missing_proc(int code);
/// A new /proc was refused.
std::string no_proc(int code);
/// Root's slirp4netns was refused the mount namespace for its sandbox.
std::string no_sandbox();
/// 65536 ids that /etc/subuid and /etc/subgid give nobody yet, above all that they give, as
/// usermod(8) takes them: "165536-231071".
std::string free_ids();
/// newuidmap or newgidmap at `path` failed and said `said`.
std::string no_id_map(const std::string& path, const std::string& said);
/// The rootfs at `path` can't be used by `uid` of this machine; `code` is what opening it said.
std::string no_rootfs(const std::string& path, int code, std::uint32_t uid);
/// The first directory on the way to `path` that the caller may not search; "" when he may.
std::string closed_on_the_way(const std::string& path);
/// What `directory` would have to let the caller search it, as chmod(1) has it: "o+x", or "u+x"
/// when it is his own.
std::string search_right(const std::string& directory);
/// Something could not be made in the rootfs at `path`: is it its file system?
std::string rootfs_cannot_hold(const std::string& path, int code);
/// overlayfs was refused over `path`, with errno `code` and perhaps some words of the kernel's.
std::string no_overlay(const std::string& path, const std::string& kernel_says, int code);
/// The first mount point inside of the directory `path`; "": there is none.
std::string mounted_below(const std::string& path);
/// A call that this kernel does not have.
std::string old_kernel(const std::string& call);

/// The kind of file system that `path` is on, when it is one that can't hold a root filesystem, or
/// overlayfs: "9p"; else "".
std::string file_system(const std::string& path);

/// The file system that statfs(2) calls `magic`, when it is one of those that show what the kernel
/// has and keep nothing: "sysfs"; else "".
std::string kernels_own(long magic);

/// The AppArmor profile that confines this process; "" for none.
std::string apparmor_profile();

/// The package that has `program` on this distribution, as a command to type.
std::string install(const std::string& debian, const std::string& fedora,
                    const std::string& alpine);

} // namespace stages::causes
