// The numbers of calls that libc may not know stand in linux/mount.h and sys/syscall.h.
#include "sys/mounts.hpp"

#include "sys/flags.hpp"
#include "sys/seam.hpp"
#include "sys/structures.hpp"

#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <array>

namespace sys {

Result<Fd> open_tree(int at, const std::string& path, unsigned flags) {
    return descriptor(invoke(
        "open_tree",
        [&] { return syscall(SYS_open_tree, at, path.c_str(), flags | OPEN_TREE_CLOEXEC); }, At{at},
        path, Heard{Flags{flags, names::open_tree}, [&](long) {
                        return show(Flags{flags | OPEN_TREE_CLOEXEC, names::open_tree});
                    }}));
}

Result<void> move_mount(int from, int to_at, const std::string& to_path, unsigned flags) {
    return done(invoke(
        "move_mount",
        [&] {
            return syscall(SYS_move_mount, from, "", to_at, to_path.c_str(),
                           flags | MOVE_MOUNT_F_EMPTY_PATH);
        },
        from, "", At{to_at}, to_path, Flags{flags | MOVE_MOUNT_F_EMPTY_PATH, names::move_mount}));
}

Result<void> mount_setattr(int at, const std::string& path, unsigned flags,
                           const mount_attr& attr) {
    auto spelled = [&] {
        std::string out = "{";
        if (attr.attr_set != 0)
            out += "set " + show(Flags{attr.attr_set, names::mount_attr});
        if (attr.attr_clr != 0)
            out += " clear " + show(Flags{attr.attr_clr, names::mount_attr});
        if (attr.propagation != 0)
            out += show(Flags{attr.propagation, names::propagation});
        return out + "}";
    };
    return done(invoke(
        "mount_setattr",
        [&] { return syscall(SYS_mount_setattr, at, path.c_str(), flags, &attr, sizeof attr); },
        At{at}, path, Flags{flags, names::open_tree},
        Heard{spelled,
              [&](long) {
                  return "{attr_set=" + show(Flags{attr.attr_set, names::mount_attr}) +
                         ", attr_clr=" + show(Flags{attr.attr_clr, names::mount_attr}) +
                         ", propagation=" + show(Flags{attr.propagation, names::propagation}) +
                         ", userns_fd=" + std::to_string(attr.userns_fd) + "}";
              }},
        also([] { return std::to_string(sizeof(mount_attr)); })));
}

Result<Fd> fsopen(const std::string& type) {
    return descriptor(invoke(
        "fsopen", [&] { return syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC); }, type,
        also([] { return "FSOPEN_CLOEXEC"; })));
}

Result<void> fsconfig_string(int fs, const std::string& key, const std::string& value) {
    return done(invoke(
        "fsconfig",
        [&] {
            return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
        },
        fs, Shown{"FSCONFIG_SET_STRING"}, key, value, also([] { return "0"; })));
}

Result<void> fsconfig_flag(int fs, const std::string& key) {
    return done(invoke(
        "fsconfig",
        [&] { return syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0); }, fs,
        Shown{"FSCONFIG_SET_FLAG"}, key, also([] { return "NULL, 0"; })));
}

Result<void> fsconfig_create(int fs) {
    return done(invoke(
        "fsconfig",
        [&] { return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0); }, fs,
        Shown{"FSCONFIG_CMD_CREATE"}, also([] { return "NULL, NULL, 0"; })));
}

Result<Fd> fsmount(int fs, std::uint64_t attributes) {
    return descriptor(invoke(
        "fsmount", [&] { return syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes); }, fs,
        also([] { return "FSMOUNT_CLOEXEC"; }), Flags{attributes, names::mount_attr}));
}

std::string fs_message(int fs) {
    std::array<char, 512> buffer{};
    auto length = invoke(
        "read", [&] { return ::read(fs, buffer.data(), buffer.size()); }, fs,
        Out{buffer.data(), buffer.size()}, filled([&](long got) {
            return show_bytes({buffer.data(), static_cast<std::size_t>(got)});
        }),
        buffer.size());
    if (!length)
        return {}; // ENODATA: it has said nothing
    std::string_view text(buffer.data(), static_cast<std::size_t>(*length));
    if (text.size() > 2 && text[1] == ' ') // "e overlay: missing 'lowerdir'"
        text.remove_prefix(2);
    while (!text.empty() && text.back() == '\n')
        text.remove_suffix(1);
    return std::string(text);
}

Result<void> umount2(const std::string& path, int flags) {
    return done(invoke(
        "umount2", [&] { return syscall(SYS_umount2, path.c_str(), flags); }, path,
        Flags{static_cast<std::uint64_t>(flags), names::umount}));
}

Result<void> pivot_root(const std::string& new_root, const std::string& put_old) {
    return done(invoke(
        "pivot_root", [&] { return syscall(SYS_pivot_root, new_root.c_str(), put_old.c_str()); },
        new_root, put_old));
}

Result<void> chroot(const std::string& path) {
    return done(invoke("chroot", [&] { return ::chroot(path.c_str()); }, path));
}

// --- what sys/mounts.hpp adds -------------------------------------------------------------------

Result<Fd> fspick(int mount) {
    return descriptor(invoke(
        "fspick",
        [&] { return syscall(SYS_fspick, mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH); }, mount,
        "", also([] { return "FSPICK_CLOEXEC|FSPICK_EMPTY_PATH"; })));
}

Result<void> fsconfig_reconfigure(int fs) {
    return done(invoke(
        "fsconfig",
        [&] { return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0); },
        fs, Shown{"FSCONFIG_CMD_RECONFIGURE"}, also([] { return "NULL, NULL, 0"; })));
}

Result<void> mount(const std::string& source, const std::string& target, const std::string& type,
                   const std::string& options) {
    return done(invoke(
        "mount",
        [&] {
            return syscall(SYS_mount, source.c_str(), target.c_str(), type.c_str(), 0,
                           options.c_str());
        },
        source, target, type, also([] { return "0"; }), options));
}

namespace {

/// A call that makes something with just the mode it is given.
long unmasked(auto call) {
    mode_t before = ::umask(0);
    long result = call();
    int code = errno;
    (void)::umask(before); // can't fail
    errno = code;
    return result;
}

} // namespace

Result<void> mknodat(int at, const std::string& path, mode_t mode, dev_t device) {
    return done(invoke(
        "mknodat",
        [&] { return unmasked([&] { return ::mknodat(at, path.c_str(), mode, device); }); }, At{at},
        path, Heard{Mode{mode}, [&](long) { return show_file_mode(mode); }},
        Heard{[&] { return std::to_string(major(device)) + ":" + std::to_string(minor(device)); },
              [&](long) { return show_device(device); }}));
}

Result<void> make_directory(int at, const std::string& path, mode_t mode) {
    return done(invoke(
        "mkdirat", [&] { return unmasked([&] { return ::mkdirat(at, path.c_str(), mode); }); },
        At{at}, path, Mode{mode}));
}

Result<mode_t> umask(mode_t mask) {
    return static_cast<mode_t>(
        TRY(invoke("umask", [&] { return static_cast<long>(::umask(mask)); }, Mode{mask})));
}

} // namespace sys
