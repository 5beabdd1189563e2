// Files: the container's root filesystem and everything that is mounted or made in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace spec {

/// `count` ids from `inside` on are the host's `outside` and following (user_namespaces(7)).
struct IdMap {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 1;
    bool operator==(const IdMap&) const = default;
};

enum class Idmap : std::uint8_t {
    none,
    mount,     ///< the mount alone
    recursive, ///< what is mounted below it too
};

/// Something mounted below the rootfs. Attributes as MOUNT_ATTR_* of mount_setattr(2).
struct Mount {
    std::string type; ///< "bind" or a file system
    std::string source;
    std::string destination;
    std::uint64_t attributes = 0;           ///< to set
    std::uint64_t cleared = 0;              ///< to clear, with "rw", "exec" and so on
    std::uint64_t recursive_attributes = 0; ///< to set on what is mounted below it too ("rro")
    std::uint64_t recursive_cleared = 0;
    bool recursive = true;         ///< of a bind
    bool remount = false;          ///< change what is mounted there already
    std::string propagation;       ///< "", private, slave, shared, unbindable
    std::string propagation_below; ///< of what is mounted below it too; likewise
    Idmap idmap = Idmap::none;
    std::vector<IdMap> uids; ///< of the idmapped mount; empty: the container's own
    std::vector<IdMap> gids;
    bool copy_up = false;   ///< tmpcopyup: a tmpfs that starts with what the rootfs has there
    bool no_follow = false; ///< copy-symlink's source and src-nofollow: the link, not its target
    bool over_link = false; ///< dest-nofollow: covers a link at its destination, not its target
    std::vector<std::string> options; ///< the file system's own: "size=64m", "sync"
    bool operator==(const Mount&) const = default;
};

/// A device node (config-linux.md, "Devices").
struct Device {
    std::string path;
    char type = 'c'; ///< c, b, u or p
    std::int64_t major = 0, minor = 0;
    std::uint32_t mode = 0666; ///< permission bits
    std::uint32_t uid = 0, gid = 0;
    bool operator==(const Device&) const = default;
};

enum class RootMode : std::uint8_t {
    pivot,
    chroot,
    chdir,
    move, ///< MS_MOVE to "/" and chroot: where pivot_root can't work, on an initramfs (--no-pivot)
};

struct Root {
    std::string path = "./rootfs";
    RootMode mode = RootMode::pivot;
    bool read_only = false;
    bool overlay = false; ///< changes go to a tmpfs and vanish
    std::string upper;    ///< changes are kept there
    /// The stages mount /dev, /sys and /proc as people expect. Off: `mounts` has them, in its
    /// order, and /dev gets its nodes and links all the same.
    bool usual_mounts = true;
    std::string propagation; ///< of the container's root: "", private, slave, shared, unbindable
    std::vector<Mount> mounts;
    std::vector<Device> devices; ///< beyond the usual nodes
    std::vector<std::string> masked;
    std::vector<std::string> readonly;
    std::string mount_label; ///< SELinux context of the file systems that are mounted
    std::string mount_label_type = "context"; ///< or fscontext, defcontext, rootcontext: mount(8)
    bool operator==(const Root&) const = default;
};

} // namespace spec
