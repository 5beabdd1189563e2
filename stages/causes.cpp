// Why this machine says no.
#include "stages/causes.hpp"

#include "stages/passwd.hpp"
#include "stages/seccomp_profile.hpp"

#include "sys/path.hpp"

#include <linux/magic.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>

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

/// Of this mount namespace, as far as our root goes; none when /proc can't be read.
std::vector<std::string> mount_points() {
    std::vector<std::string> out;
    // "36 35 98:0 /mnt1 /mnt2 rw …"
    std::istringstream lines(sys::read_file("/proc/self/mountinfo", 1 << 22).value_or(""));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string skipped;
        fields >> skipped >> skipped >> skipped >> skipped >> out.emplace_back();
    }
    return out;
}

/// Are we in a chroot? The kernel then refuses a user namespace (user_namespaces(7)). With a root
/// that is no mount, none is at "/"; with one that another mount covers, as mounting a tree on /
/// leaves it to who has not entered that, two are.
bool in_chroot() {
    std::vector<std::string> points = mount_points();
    return !points.empty() && std::ranges::count(points, "/") != 1;
}

/// Where the file system of `path` is mounted, as far as its path tells.
std::string mount_point_of(const std::string& path) {
    std::string best = "/";
    for (const std::string& point : mount_points())
        if (point.size() > best.size() && (path + "/").starts_with(point + "/"))
            best = point;
    return best;
}

/// Can no program that we start have CAP_SYS_ADMIN, as in a container?
bool lacks_sys_admin() {
    constexpr int kSysAdmin = 21; // linux/capability.h
    std::string bound = status_field("CapBnd");
    return !bound.empty() && (std::strtoull(bound.c_str(), nullptr, 16) >> kSysAdmin & 1) == 0;
}

/// Is `id` one of this user namespace's, as `file`, its map, has them? Yes when that can't be read.
bool has_id(const char* file, std::uint32_t id) {
    auto map = sys::read_file(file, 1 << 16);
    std::istringstream lines(map.value_or(""));
    std::uint64_t inside = 0, outside = 0, count = 0;
    while (lines >> inside >> outside >> count)
        if (id >= inside && id - inside < count)
            return true;
    return !map;
}

bool is_filtered() {
    return status_field("Seccomp") == "2";
}

std::string filtered() {
    return is_filtered() ? hint_of(Id::seccomp_filter) : "";
}

std::string apparmor() {
    if (sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1")
        return hint_of(Id::apparmor_rule);
    std::string name = apparmor_profile();
    if (name.empty())
        return {};
    return hint_of(name == "docker-default" ? Id::apparmor_docker : Id::apparmor_profile, {name});
}

} // namespace

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

std::string kernels_own(long magic) {
    switch (static_cast<unsigned long>(magic)) {
    case PROC_SUPER_MAGIC:
        return "proc";
    case SYSFS_MAGIC:
        return "sysfs";
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
        return "a cgroup hierarchy";
    case DEVPTS_SUPER_MAGIC:
        return "devpts";
    case DEBUGFS_MAGIC:
        return "debugfs";
    case TRACEFS_MAGIC:
        return "tracefs";
    case SECURITYFS_MAGIC:
        return "securityfs";
    case BPF_FS_MAGIC:
        return "bpf";
    default:
        return {};
    }
}

std::string apparmor_profile() {
    auto label = sys::read_file("/proc/self/attr/apparmor/current", 4096);
    // The older file, but it may be SELinux's or any other module's.
    if (!label &&
        sys::read_file("/sys/module/apparmor/parameters/enabled", 16).value_or("").starts_with("Y"))
        label = sys::read_file("/proc/self/attr/current", 4096);
    if (!label || label->starts_with("unconfined"))
        return {};
    return label->substr(0, label->find_first_of(std::string_view("\n\0 ", 3)));
}

/// What a new user namespace has in /proc/sys/user: then the limit is one around it
/// (namespaces(7)).
constexpr std::string_view kNoLimit = "2147483647";

std::string no_namespace(const std::string& kind, int code) {
    if (code == ENOSYS)
        return old_kernel("clone3");
    if (kind == "user" && sysctl("kernel/unprivileged_userns_clone") == "0" && sys::geteuid() != 0)
        return hint_of(Id::debian_switch);
    std::string value = sysctl("user/max_" + kind + "_namespaces");
    if (value == "0")
        return hint_of(Id::no_namespaces, {kind});
    if (code == ENOSPC || code == EUSERS)
        return hint_of(value == kNoLimit ? Id::too_many_around : Id::too_many_namespaces,
                       {kind, value});
    if (code == EPERM || code == EACCES) {
        if (std::string why = apparmor(); !why.empty())
            return why;
        if (std::string why = filtered(); !why.empty())
            return why;
        if (in_chroot())
            return hint_of(Id::in_chroot);
        if (kind == "user" && (!has_id("/proc/self/uid_map", sys::geteuid()) ||
                               !has_id("/proc/self/gid_map", sys::getgid())))
            return hint_of(Id::caller_unmapped);
        if (kind == "user") // a chroot to a mount point looks like any root
            return hint_of(Id::maybe_chroot);
    }
    return code == EINVAL ? hint_of(Id::not_built, {kind}) : "";
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

std::string foreign_proc() {
    // Our numbers from /proc's PID namespace down to ours: one where that is the same (proc(5)).
    return status_field("NSpid").contains('\t') ? hint_of(Id::proc_foreign) : "";
}

std::string missing_proc(int code) {
    return code != ENOENT || sys::read_file("/proc/self/status", 64) ? ""
                                                                     : hint_of(Id::proc_missing);
}

std::string no_proc(int code) {
    if (code != EPERM)
        return powerless_root(code);
    if (std::string why = apparmor(); !why.empty())
        return why;
    return hint_of(Id::proc_masked);
}

std::string no_sandbox() {
    if (std::string why = powerless_root(EPERM); !why.empty())
        return why;
    return lacks_sys_admin() ? hint_of(Id::slirp_bounded) : "";
}

std::string free_ids() {
    std::uint64_t first = 100000; // SUB_UID_MIN of login.defs(5)
    for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
        for (const SubordinateRange& range : subordinate_ranges(file))
            first = std::max(first, std::uint64_t{range.first} + range.count);
    }
    return std::to_string(first) + "-" + std::to_string(first + 65535);
}

std::string no_id_map(const std::string& path, const std::string& said) {
    auto info = sys::fstatat(AT_FDCWD, path, 0);
    // Some distributions give it file capabilities instead of the setuid bit.
    bool capable = sys::has_file_capabilities(path);
    if (info && (info->st_mode & S_ISUID) == 0 && !capable)
        return hint_of(Id::uidmap_powerless, {path});
    if (status_field("NoNewPrivs") == "1")
        return hint_of(Id::no_new_privs, {path});
    if (auto where = sys::statfs(path); where && (where->f_flags & ST_NOSUID) != 0)
        return hint_of(Id::uidmap_nosuid, {path, mount_point_of(path)});
    if (std::string why = foreign_proc(); !why.empty())
        return why;
    std::string ranges = path.ends_with("newgidmap") ? "/etc/subgid" : "/etc/subuid";
    // Only the machine's own user namespace has all ids (user_namespaces(7)).
    if (said.find("map failed") != std::string::npos && !has_id("/proc/self/uid_map", ~0U - 1))
        return hint_of(Id::subid_elsewhere, {ranges});
    if (said.find("not allowed") != std::string::npos ||
        said.find("not owned") != std::string::npos)
        return hint_of(Id::subid_missing, {ranges, free_ids()});
    // Whose map it is, is not root: root then needs the capability itself (user_namespaces(7)).
    if (std::string why = apparmor(); !why.empty() || capable || !lacks_sys_admin())
        return why;
    return hint_of(Id::uidmap_bounded,
                   {path, path.ends_with("newgidmap") ? "cap_setgid" : "cap_setuid"});
}

std::string closed_on_the_way(const std::string& path) {
    std::size_t slash = path.starts_with('/') ? 1 : 0;
    if (slash != 0 && !sys::faccessat(AT_FDCWD, "/", X_OK))
        return "/";
    while ((slash = path.find('/', slash)) != std::string::npos) {
        std::string part = path.substr(0, slash);
        if (!part.empty() && !sys::faccessat(AT_FDCWD, part, X_OK))
            return part;
        ++slash;
    }
    return {};
}

std::string search_right(const std::string& directory) {
    auto info = sys::fstatat(AT_FDCWD, directory, 0);
    return info && info->st_uid == sys::geteuid() ? "u+x" : "o+x";
}

std::string no_rootfs(const std::string& path, int code, std::uint32_t uid) {
    if (code == ENOENT)
        return hint_of(Id::rootfs_missing, {path});
    if (code == ENOTDIR)
        return hint_of(Id::rootfs_no_directory, {path});
    if (code != EACCES)
        return {};
    std::string who = std::to_string(uid);
    if (std::string closed = closed_on_the_way(path); !closed.empty())
        return hint_of(search_right(closed) == "u+x" ? Id::rootfs_closed_to_owner
                                                     : Id::rootfs_closed,
                       {who, closed});
    return hint_of(Id::rootfs_unreadable, {who, path});
}

std::string rootfs_cannot_hold(const std::string& path, int code) {
    if (std::string kind = file_system(path); !kind.empty() && kind != "overlayfs")
        return hint_of(Id::rootfs_on_share, {path, kind});
    if (code == EROFS)
        return hint_of(Id::rootfs_read_only, {path});
    if (code == ENOSPC || code == EDQUOT)
        return hint_of(Id::rootfs_full, {path});
    return code == EACCES || code == EPERM ? hint_of(Id::rootfs_foreign, {path}) : "";
}

std::string mounted_below(const std::string& path) {
    std::string inside = path == "/" ? path : path + "/";
    for (const std::string& point : mount_points())
        if (point.size() > inside.size() && point.starts_with(inside))
            return point;
    return {};
}

std::string no_overlay(const std::string& path, const std::string& kernel_says, int code) {
    if (code == ENODEV)
        return hint_of(Id::overlay_missing);
    std::string release = sys::kernel_release().value_or("");
    if (code == EPERM && !release.empty() &&
        seccomp::kernel_version(release) < seccomp::KernelVersion{5, 11})
        return hint_of(Id::overlay_too_old, {release});
    if (code == EPERM)
        if (std::string why = powerless_root(code); !why.empty())
            return why;
    if (std::string kind = file_system(path); !kind.empty())
        return hint_of(Id::overlay_on,
                       {path, kind, kernel_says.empty() ? "" : " (" + kernel_says + ")"});
    return kernel_says;
}

std::string old_kernel(const std::string& call) {
    std::string release = sys::kernel_release().value_or("");
    bool new_enough =
        !release.empty() && !(seccomp::kernel_version(release) < seccomp::KernelVersion{5, 12});
    return new_enough && is_filtered() ? hint_of(Id::seccomp_hides, {call, release})
                                       : hint_of(Id::old_kernel, {call});
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
