// The container's /dev: a small tmpfs with what programs count on, and nothing of the host's
// hardware. Nodes are bound from the host one by one: mknod of a device needs real root.
#include "stages/dev.hpp"

#include "stages/devices.hpp"
#include "stages/mount_list.hpp"

#include <cerrno>

namespace stages {

namespace {

Result<Fd> mount_at(const Fd& dev, const char* name, const char* type,
                    const std::vector<std::string>& options, std::uint64_t attributes) {
    Fd mounted = TRY(new_filesystem(type, options, attributes));
    TRY(sys::mkdirat(dev.get(), name, 0755));
    Fd target = TRY(sys::openat(dev.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    TRY(attach(mounted, target));
    return mounted;
}

} // namespace

Result<Fd> mount_dev(Inside& inside) {
    Fd place = TRY(real_directory(inside, "dev"));
    Fd dev = TRY(new_filesystem("tmpfs", {"mode=755", "size=65536k"},
                                MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME));
    TRY(attach(dev, place));
    for (const UsualNode& node : usual_nodes())
        TRY(bind_node(dev, node.name, std::string("/dev/") + node.name));
    for (const DevLink& link : usual_links())
        TRY(sys::symlinkat(link.to, dev.get(), link.name));

    // gid 5 is "tty" on every distribution; without it mapped, the slave belongs to its opener.
    bool tty_group = !inside.spec.stages.has(spec::Stage::user) || maps(inside.facts.gids, 5);
    std::vector<std::string> options{"newinstance", "ptmxmode=0666", "mode=0620"};
    if (tty_group)
        options.emplace_back("gid=5");
    TRY(mount_at(dev, "pts", "devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    TRY(mount_at(dev, "shm", "tmpfs", {"mode=1777", "size=65536k"}, kQuiet));
    // A queue file system shows the IPC namespace that it is mounted from: not the host's.
    if (inside.spec.stages.has(spec::Stage::ipc))
        TRY(mount_at(dev, "mqueue", "mqueue", {}, kQuiet));
    if (inside.spec.process.terminal)
        TRY(make_console(inside, dev));
    return dev;
}

// The file is made in a mounted tmpfs, bound to where it is wanted, and its first name removed.
Result<void> bind_resolv_conf(Inside& inside, const Fd& tmpfs) {
    constexpr const char* kName = ".bound";
    Fd file = TRY(sys::openat(tmpfs.get(), kName, O_CREAT | O_EXCL | O_RDWR, 0644));
    TRY(sys::write(file.get(), inside.facts.resolv_conf));
    TRY(sys::fchmod(file.get(), 0644)); // whatever the umask was
    Fd copy = TRY(clone_mount(tmpfs.get(), kName, AT_SYMLINK_NOFOLLOW));
    Fd target = TRY(hint(sys::in_root(inside.rootfs.get(), "/etc/resolv.conf", sys::Want::file),
                         [&](const Error& error) {
                             return mount::no_mount_point(inside, "/etc/resolv.conf", error.code);
                         }));
    TRY(attach(copy, target));
    return sys::unlinkat(tmpfs.get(), kName); // not before: what has no name can't be mounted
}

Result<void> bind_resolv_conf(Inside& inside) {
    Fd tmpfs = TRY(new_filesystem("tmpfs", {"mode=755", "size=64k"}, kQuiet));
    // Only what is mounted somewhere can be bound elsewhere: it covers the root for a moment, from
    // which we look for no path meanwhile.
    TRY(attach(tmpfs, inside.rootfs));
    TRY(bind_resolv_conf(inside, tmpfs));
    return sys::umount2("/proc/self/fd/" + std::to_string(tmpfs.get()), sys::kDetach);
}

} // namespace stages
