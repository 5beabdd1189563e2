// Why this machine says no.
#include "stages/causes.hpp"

#include "stages/seccomp_profile.hpp"

#include "sys/path.hpp"

#include <linux/magic.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <sstream>
#include <utility>

namespace stages::causes {

namespace {

/// The first line of a sysctl, "" when this kernel has none of that name.
std::string sysctl(const std::string& name) {
    auto text = sys::read_file("/proc/sys/" + name, 4096);
    if (!text)
        return {};
    return text->substr(0, text->find('\n'));
}

std::string status_field(const std::string& field) {
    auto text = sys::read_file("/proc/self/status", 1 << 16);
    if (!text)
        return {};
    std::size_t at = text->find("\n" + field + ":\t");
    if (at == std::string::npos)
        return {};
    at += field.size() + 3;
    return text->substr(at, text->find('\n', at) - at);
}

/// Are we in a chroot? The kernel then refuses a user namespace (user_namespaces(7)).
bool in_chroot() {
    auto table = sys::read_file("/proc/self/mountinfo", 1 << 22);
    if (!table)
        return false;
    // "36 35 98:0 /mnt1 /mnt2 rw …": with a root that is no mount, no fifth field is "/".
    std::istringstream lines(*table);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        std::string skipped;
        std::string point;
        fields >> skipped >> skipped >> skipped >> skipped >> point;
        if (point == "/")
            return false;
    }
    return true;
}

std::string filtered() {
    return status_field("Seccomp") == "2"
               ? "a seccomp filter is on this process, as Docker puts on its containers: run with "
                 "--security-opt seccomp=unconfined, or with --privileged"
               : "";
}

std::string apparmor() {
    if (sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1")
        return "AppArmor takes the powers of unprivileged user namespaces away "
               "(kernel.apparmor_restrict_unprivileged_userns=1): give this program a profile with "
               "'userns,' in /etc/apparmor.d, or 'sudo sysctl "
               "kernel.apparmor_restrict_unprivileged_userns=0'";
    auto label = sys::read_file("/proc/self/attr/apparmor/current", 4096);
    // The older file, but it may be SELinux's or any other module's.
    if (!label &&
        sys::read_file("/sys/module/apparmor/parameters/enabled", 16).value_or("").starts_with("Y"))
        label = sys::read_file("/proc/self/attr/current", 4096);
    if (label && !label->empty() && !label->starts_with("unconfined")) {
        std::string name = label->substr(0, label->find_first_of(std::string_view("\n\0 ", 3)));
        if (!name.empty())
            return "AppArmor confines this program with the profile \"" + name +
                   "\": allow 'userns,' (and mounting) in it, or see 'sudo aa-status'";
    }
    return {};
}

std::string file_system(const std::string& path) {
    auto info = sys::statfs(path);
    if (!info)
        return {};
    switch (static_cast<unsigned long>(info->f_type)) {
    case V9FS_MAGIC:
        return "9p";
    case FUSE_SUPER_MAGIC:
        return "a FUSE or virtiofs share";
    case NFS_SUPER_MAGIC:
        return "NFS";
    case MSDOS_SUPER_MAGIC:
        return "FAT";
    case 0x5346544eUL: // ntfs3 (include/uapi has no name for it)
        return "NTFS";
    case OVERLAYFS_SUPER_MAGIC:
        return "overlayfs";
    default:
        return {};
    }
}

} // namespace

std::string no_namespace(const std::string& kind, int code) {
    if (code == ENOSYS)
        return old_kernel("clone3");
    if (kind == "user" && sysctl("kernel/unprivileged_userns_clone") == "0" && sys::geteuid() != 0)
        return "user namespaces are switched off for ordinary users "
               "(kernel.unprivileged_userns_clone=0): 'sudo sysctl "
               "kernel.unprivileged_userns_clone=1'";
    std::string limit = "max_" + kind + "_namespaces";
    std::string value = sysctl("user/" + limit);
    if (value == "0")
        return kind + " namespaces are switched off (user." + limit + "=0): 'sudo sysctl user." +
               limit + "=15000'";
    if (code == ENOSPC || code == EUSERS)
        return "too many " + kind + " namespaces: 32 levels deep, or more than user." + limit +
               "=" + value;
    if (code == EPERM || code == EACCES) {
        if (std::string why = apparmor(); !why.empty())
            return why;
        if (std::string why = filtered(); !why.empty())
            return why;
        if (in_chroot())
            return "the kernel makes no user namespace for a process in a chroot: leave it first";
    }
    if (code == EINVAL)
        return "this kernel is built without " + kind + " namespaces (see /proc/self/ns)";
    return {};
}

std::string powerless_root(int code) {
    if (code == ENOSYS)
        return old_kernel("the new mount API");
    if (code != EPERM && code != EACCES)
        return {};
    if (std::string why = apparmor(); !why.empty())
        return why;
    return filtered();
}

std::string no_proc(int code) {
    if (code != EPERM)
        return powerless_root(code);
    if (std::string why = apparmor(); !why.empty())
        return why;
    return "the /proc that is visible here is partly masked, as inside a container without "
           "--privileged, so the kernel gives no fresh one: --proc bind shows the outer /proc, "
           "--proc none leaves it empty, or run the outer container with --privileged (Docker: "
           "also --security-opt systempaths=unconfined)";
}

std::string no_id_map(const std::string& path, const std::string& said) {
    auto info = sys::fstatat(AT_FDCWD, path, 0);
    // Some distributions give it file capabilities instead of the setuid bit.
    bool capable = sys::has_file_capabilities(path);
    if (info && (info->st_mode & S_ISUID) == 0 && !capable)
        return "\"" + path + "\" has lost its setuid bit: 'sudo chmod u+s " + path +
               "', or go on with --map single";
    if (status_field("NoNewPrivs") == "1")
        return "no_new_privs is set on this process, so the setuid bit of \"" + path +
               "\" has no effect: go on with --map single";
    if (said.find("not allowed") != std::string::npos ||
        said.find("not owned") != std::string::npos) {
        std::string file = path.ends_with("newgidmap") ? "/etc/subgid" : "/etc/subuid";
        return "these ids are not yours: " + file +
               " gives you no such range: 'sudo usermod --add-subuids 100000-165535 "
               "--add-subgids 100000-165535 $USER', or go on with --map single";
    }
    if (std::string why = apparmor(); !why.empty())
        return why;
    return {};
}

std::string no_rootfs(const std::string& path, int code) {
    if (code == ENOENT)
        return "there is no root filesystem at \"" + path +
               "\": make one with 'rootfs-scripts/busybox " + path +
               "' (no network needed) or 'rootfs-scripts/image docker://alpine " + path +
               "', or name another with --rootfs";
    if (code == ENOTDIR)
        return "\"" + path + "\" is not a directory: a root filesystem is one: see rootfs-scripts/";
    if (code == EACCES) {
        // Which directory on the way can't be searched?
        std::size_t slash = path.starts_with('/') ? 1 : 0;
        while ((slash = path.find('/', slash)) != std::string::npos) {
            std::string part = path.substr(0, slash);
            if (!part.empty() && !sys::faccessat(AT_FDCWD, part, X_OK))
                return "uid " + std::to_string(sys::geteuid()) + " may not search \"" + part +
                       "\": 'chmod o+x " + part + "', or move the root filesystem";
            ++slash;
        }
        return "uid " + std::to_string(sys::geteuid()) + " may not search \"" + path +
               "\": 'chmod o+rx " + path + "'";
    }
    return {};
}

std::string rootfs_cannot_hold(const std::string& path, int code) {
    if (std::string kind = file_system(path); !kind.empty() && kind != "overlayfs")
        return "\"" + path + "\" is on " + kind +
               ", which can't hold a root filesystem: make it on a local disk, as in $HOME of the "
               "virtual machine";
    if (code == EROFS)
        return "\"" + path +
               "\" is on a read-only file system, and the mount point is missing in "
               "it: make it there, or use --overlay";
    if (code == EACCES || code == EPERM)
        return "the mount point is missing and container root may not make it: does \"" + path +
               "\" belong to you? --overlay works on anybody's";
    return {};
}

std::string no_overlay(const std::string& path, const std::string& kernel_says, int code) {
    if (code == ENODEV)
        return "this kernel has no overlayfs, or not yet: 'sudo modprobe overlay'";
    std::string release = sys::kernel_release().value_or("");
    if (code == EPERM && !release.empty() &&
        seccomp::kernel_version(release) < seccomp::KernelVersion{5, 11})
        return "this is Linux " + release +
               ", and overlayfs in a user namespace needs 5.11: use a newer one, or go on as root "
               "with --no-user, or with --read-only and --tmpfs DIR for what is written";
    if (code == EPERM)
        if (std::string why = powerless_root(code); !why.empty())
            return why;
    if (std::string kind = file_system(path); !kind.empty())
        return "\"" + path + "\" is on " + kind + ", over which overlayfs does not work" +
               (kernel_says.empty() ? "" : " (" + kernel_says + ")") + ": use one on a local disk";
    return kernel_says;
}

std::string old_kernel(const std::string& call) {
    return "this kernel (or a seccomp filter on this process) does not have " + call +
           ": gocontainer needs Linux 5.12 or newer";
}

std::string install(const std::string& debian, const std::string& fedora,
                    const std::string& alpine) {
    auto release = sys::read_file("/etc/os-release", 1 << 16);
    std::string text = release ? "\n" + *release : "";
    auto like = [&](const char* name) {
        for (const char* key : {"\nID=", "\nID_LIKE="}) {
            std::size_t at = text.find(key);
            if (at != std::string::npos &&
                text.substr(at + 1, text.find('\n', at + 1) - at - 1).find(name) !=
                    std::string::npos)
                return true;
        }
        return false;
    };
    if (like("alpine"))
        return "apk add " + alpine;
    if (like("fedora") || like("rhel"))
        return "dnf install " + fedora;
    return "apt install " + debian;
}

} // namespace stages::causes
