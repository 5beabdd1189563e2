// root: the rootfs becomes "/", four ways, of which only the first lets nobody out.
//
//   pivot    the mount at "/" is exchanged for the rootfs's, and the old one is let go: there is
//            nothing left to escape to
//   move     the rootfs's mount covers "/", for a root that can't be pivoted (an initramfs)
//   chroot   only this process's idea of "/" moves; whoever may chroot again gets out
//   chdir    nothing moves; for the lesson on why not
#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "stages/rootfs.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

namespace stages::root {

Result<void> prepare(Launch& launch) {
    // The mount stage has looked already, when it runs.
    return launch.spec.stages.has(spec::Stage::mount) ? Result<void>{} : check_rootfs(launch.spec);
}

namespace {

Result<void> enter(spec::RootMode mode, const Fd& rootfs) {
    TRY(sys::fchdir(rootfs.get()));
    switch (mode) {
    case spec::RootMode::pivot:
        // Both arguments ".": the old root is stacked under the new one, where one detaching
        // umount takes it off, and no directory for it is needed (pivot_root(2), NOTES).
        TRY(hint(sys::pivot_root(".", "."),
                 [](const Error& error) { return causes::powerless_root(error.code); }));
        TRY(sys::umount2(".", sys::kDetach));
        TRY(sys::chdir("/"));
        break;
    case spec::RootMode::move: {
        // The initramfs's root can't be pivoted away: it is covered (switch_root(8) does the same).
        Fd top = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
        TRY(attach(rootfs, top));
        TRY(sys::chroot("."));
        TRY(sys::chdir("/"));
        break;
    }
    case spec::RootMode::chroot:
        TRY(sys::chroot("."));
        TRY(sys::chdir("/"));
        break;
    case spec::RootMode::chdir:
        break;
    }
    return {};
}

} // namespace

// In the container's mount namespace, with CAP_SYS_ADMIN and CAP_SYS_CHROOT in it.
Result<void> child(Inside& inside) {
    const spec::Root& root = inside.spec.root;
    if (!inside.rootfs.valid())
        inside.rootfs = TRY(sys::openat(AT_FDCWD, root.path, O_PATH | O_DIRECTORY));
    // Last, when every mount point has been made, hooks' too.
    if (inside.spec.stages.has(spec::Stage::mount) && !root.usual_mounts) {
        TRY(mask(root.masked, "/", inside.rootfs));
        TRY(make_readonly(root.readonly, "/", inside.rootfs));
    }
    // The last moment to make a working directory; what can't be made, entering it tells.
    if (root.read_only && !inside.spec.process.cwd.empty())
        (void)sys::in_root(inside.rootfs.get(), inside.spec.process.cwd, sys::Want::directory);
    for (const Fd& mount : inside.read_only_later)
        TRY(set_attributes(mount, MOUNT_ATTR_RDONLY));
    inside.read_only_later.clear();
    if (root.read_only)
        TRY(set_attributes(inside.rootfs, MOUNT_ATTR_RDONLY));
    TRY(enter(root.mode, inside.rootfs));
    inside.rootfs.close();
    // A shared mount can't be pivoted to. It is a peer of nobody outside.
    if (root.propagation == "shared" || root.propagation == "unbindable")
        TRY(set_propagation(AT_FDCWD, "/", root.propagation == "shared" ? MS_SHARED : MS_UNBINDABLE,
                            0));
    return {};
}

} // namespace stages::root
