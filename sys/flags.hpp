// Names of the kernel's flag bits, for errors and the narrator.
#pragma once

#include "sys/kernel.hpp"

#include <linux/seccomp.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/wait.h>

namespace sys::names {

#define NAMED(flag) {static_cast<std::uint64_t>(flag), #flag}

inline constexpr FlagName clone[] = {
    NAMED(CLONE_NEWUSER),        NAMED(CLONE_NEWNS),       NAMED(CLONE_NEWPID),
    NAMED(CLONE_NEWNET),         NAMED(CLONE_NEWUTS),      NAMED(CLONE_NEWIPC),
    NAMED(CLONE_NEWCGROUP),      NAMED(CLONE_NEWTIME),     NAMED(CLONE_PIDFD),
    NAMED(CLONE_PARENT_SETTID),  NAMED(CLONE_INTO_CGROUP), NAMED(CLONE_VM),
    NAMED(CLONE_CHILD_CLEARTID),
};
inline constexpr FlagName open[] = {
    NAMED(O_PATH),   NAMED(O_DIRECTORY), NAMED(O_NOFOLLOW), NAMED(O_CREAT),
    NAMED(O_EXCL),   NAMED(O_WRONLY),    NAMED(O_RDWR),     NAMED(O_TRUNC),
    NAMED(O_NOCTTY), NAMED(O_CLOEXEC),   NAMED(O_NONBLOCK), NAMED(O_APPEND),
};
inline constexpr std::uint64_t kResolveNoXdev = 1, kResolveNoMagiclinks = 2, kResolveNoSymlinks = 4,
                               kResolveBeneath = 8, kResolveInRoot = 16;
inline constexpr FlagName resolve[] = {
    {kResolveNoXdev, "RESOLVE_NO_XDEV"},         {kResolveNoMagiclinks, "RESOLVE_NO_MAGICLINKS"},
    {kResolveNoSymlinks, "RESOLVE_NO_SYMLINKS"}, {kResolveBeneath, "RESOLVE_BENEATH"},
    {kResolveInRoot, "RESOLVE_IN_ROOT"},
};
inline constexpr FlagName open_tree[] = {
    NAMED(OPEN_TREE_CLONE),           {AT_RECURSIVE, "AT_RECURSIVE"},
    {AT_EMPTY_PATH, "AT_EMPTY_PATH"}, {AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"},
    NAMED(OPEN_TREE_CLOEXEC),
};
inline constexpr FlagName move_mount[] = {
    NAMED(MOVE_MOUNT_F_EMPTY_PATH),
    NAMED(MOVE_MOUNT_T_EMPTY_PATH),
};
inline constexpr FlagName mount_attr[] = {
    NAMED(MOUNT_ATTR_RDONLY), NAMED(MOUNT_ATTR_NOSUID),      NAMED(MOUNT_ATTR_NODEV),
    NAMED(MOUNT_ATTR_NOEXEC), NAMED(MOUNT_ATTR_NOATIME),     NAMED(MOUNT_ATTR_STRICTATIME),
    NAMED(MOUNT_ATTR_IDMAP),  NAMED(MOUNT_ATTR_NOSYMFOLLOW),
};
inline constexpr FlagName propagation[] = {
    {MS_PRIVATE, "MS_PRIVATE"},
    {MS_SLAVE, "MS_SLAVE"},
    {MS_SHARED, "MS_SHARED"},
    {MS_UNBINDABLE, "MS_UNBINDABLE"},
};
inline constexpr FlagName umount[] = {{kDetach, "MNT_DETACH"}, {kNoFollow, "UMOUNT_NOFOLLOW"}};
inline constexpr FlagName at[] = {{AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"},
                                  {AT_EMPTY_PATH, "AT_EMPTY_PATH"}};
inline constexpr FlagName seal[] = {NAMED(F_SEAL_SEAL), NAMED(F_SEAL_SHRINK), NAMED(F_SEAL_GROW),
                                    NAMED(F_SEAL_WRITE)};
inline constexpr FlagName link[] = {
    NAMED(IFF_UP),      NAMED(IFF_BROADCAST), NAMED(IFF_LOOPBACK),  NAMED(IFF_POINTOPOINT),
    NAMED(IFF_RUNNING), NAMED(IFF_NOARP),     NAMED(IFF_MULTICAST),
};
inline constexpr FlagName resource[] = {
    NAMED(RLIMIT_AS),     NAMED(RLIMIT_CORE),   NAMED(RLIMIT_CPU),        NAMED(RLIMIT_DATA),
    NAMED(RLIMIT_FSIZE),  NAMED(RLIMIT_LOCKS),  NAMED(RLIMIT_MEMLOCK),    NAMED(RLIMIT_MSGQUEUE),
    NAMED(RLIMIT_NICE),   NAMED(RLIMIT_NOFILE), NAMED(RLIMIT_NPROC),      NAMED(RLIMIT_RSS),
    NAMED(RLIMIT_RTPRIO), NAMED(RLIMIT_RTTIME), NAMED(RLIMIT_SIGPENDING), NAMED(RLIMIT_STACK),
};
inline constexpr FlagName unlink[] = {NAMED(AT_REMOVEDIR)};
inline constexpr FlagName access[] = {NAMED(R_OK), NAMED(W_OK), NAMED(X_OK)};
inline constexpr FlagName close_range[] = {{2, "CLOSE_RANGE_UNSHARE"}, {4, "CLOSE_RANGE_CLOEXEC"}};
inline constexpr FlagName domain[] = {NAMED(AF_UNIX), NAMED(AF_INET), NAMED(AF_INET6),
                                      NAMED(AF_NETLINK)};
inline constexpr FlagName socket_type[] = {NAMED(SOCK_STREAM), NAMED(SOCK_DGRAM), NAMED(SOCK_RAW),
                                           NAMED(SOCK_SEQPACKET)};
inline constexpr FlagName mask_how[] = {NAMED(SIG_BLOCK), NAMED(SIG_UNBLOCK), NAMED(SIG_SETMASK)};
inline constexpr FlagName wait[] = {NAMED(WNOHANG), NAMED(WUNTRACED)};
inline constexpr FlagName lock[] = {NAMED(LOCK_SH), NAMED(LOCK_EX), NAMED(LOCK_NB), NAMED(LOCK_UN)};
inline constexpr FlagName seccomp[] = {
    NAMED(SECCOMP_FILTER_FLAG_TSYNC),
    NAMED(SECCOMP_FILTER_FLAG_LOG),
    NAMED(SECCOMP_FILTER_FLAG_SPEC_ALLOW),
    NAMED(SECCOMP_FILTER_FLAG_NEW_LISTENER),
};

#undef NAMED

} // namespace sys::names
