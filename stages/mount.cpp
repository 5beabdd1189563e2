// mount: the container's file tree, put together on the rootfs, seen by nobody else yet.
//
//   before                 after (the host's tree still there around it)
//   /                      /                     propagation private, all of it
//   └─ …/rootfs            └─ …/rootfs           bound to itself (or an overlay over it)
//                             ├─ dev             tmpfs: nodes, pts, shm, mqueue   (stages/dev.cpp)
//                             ├─ sys             read-only, with sys/fs/cgroup
//                             ├─ VOLUME …        binds and tmpfs
//                             └─ proc            the pid stage's
//
// Every target is found inside the rootfs by descriptor; no path leads out (sys::in_root).
#include "stages/causes.hpp"
#include "stages/dev.hpp"
#include "stages/devices.hpp"
#include "stages/kernel_trees.hpp"
#include "stages/mount_list.hpp"
#include "stages/mounting.hpp"
#include "stages/rootfs.hpp"
#include "stages/stages.hpp"
#include "sys/local.hpp"
#include "sys/mounts.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <cerrno>

namespace stages::mount {

namespace {

constexpr std::uint64_t kUp = MS_PRIVATE; // nothing we mount reaches the host, nor the other way

std::string through_proc(const Fd& fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
}

/// Where overlayfs keeps changes, and what it works in; `changes`: --overlay's tmpfs.
struct Layers {
    Fd changes;
    Fd upper;
    Fd work;
};

/// overlayfs takes no layer from a detached mount, so the tmpfs goes onto the rootfs first; the
/// overlay covers it and keeps it alive.
Result<Layers> layers_of_tmpfs(Inside& inside) {
    Layers out;
    out.changes = TRY(new_filesystem("tmpfs", {"mode=755"}, MOUNT_ATTR_NOSUID));
    TRY(attach(out.changes, inside.rootfs));
    struct stat like = TRY(sys::fstat(inside.rootfs.get()));
    TRY(sys::make_directory(out.changes.get(), "upper", like.st_mode & 07777));
    TRY(sys::mkdirat(out.changes.get(), "work", 0700));
    out.upper = TRY(sys::openat(out.changes.get(), "upper", O_PATH | O_DIRECTORY));
    out.work = TRY(sys::openat(out.changes.get(), "work", O_PATH | O_DIRECTORY));
    // Rootless, overlayfs marks what hides a directory below it so (see userxattr).
    if (inside.spec.stages.has(spec::Stage::user) &&
        !sys::setxattr(through_proc(out.upper), "user.overlay.test", "y"))
        inside.note("mount: --overlay: directories of the root filesystem can't be removed nor "
                    "renamed: this kernel's tmpfs keeps no user.* attributes (Linux 6.6 is the "
                    "first): --upper DIR on a disk does without");
    return out;
}

Result<Layers> layers_of_upper(const Inside& inside) {
    const std::string& upper = inside.spec.root.upper;
    Layers out;
    out.upper = TRY(sys::openat(AT_FDCWD, upper, O_PATH | O_DIRECTORY));
    // overlayfs itself would mount it, and then refuse every change.
    TRY(hint(sys::faccessat(AT_FDCWD, upper, W_OK | X_OK), [&](const Error&) {
        std::string outside = std::to_string(outside_root(inside));
        return "container root is uid " + outside + " of this machine: 'chown " + outside + " " +
               upper + "'";
    }));
    std::string beside = TRY(work_directory(out.upper));
    out.work = TRY(sys::openat(AT_FDCWD, beside, O_PATH | O_DIRECTORY));
    return out;
}

/// overlayfs over the rootfs: lower is the rootfs, upper a tmpfs or --upper's directory. Layers
/// are named through /proc/self/fd, so that no character of a path has a meaning to overlayfs.
Result<void> add_overlay(Inside& inside) {
    const spec::Root& root = inside.spec.root;
    const Fd& lower = inside.rootfs;
    Layers layers = TRY(root.overlay ? layers_of_tmpfs(inside) : layers_of_upper(inside));
    std::vector<std::string> options{"lowerdir=" + through_proc(lower),
                                     "upperdir=" + through_proc(layers.upper),
                                     "workdir=" + through_proc(layers.work)};
    // Rootless, whiteouts and the like are marked in user.overlay.*: trusted.* is root's.
    if (inside.spec.stages.has(spec::Stage::user))
        options.emplace_back("userxattr");
    auto merged = new_filesystem("overlay", options, 0);
    if (!merged) {
        Error& error = merged.error();
        std::string said = error.detail.empty() ? error.hint : std::exchange(error.detail, {});
        error.hint = causes::no_overlay(root.overlay ? root.path : root.upper, said, error.code);
        if (error.code == EINVAL && inside.spec.stages.has(spec::Stage::user))
            if (std::string point = causes::mounted_below(sys::path_of(lower.get()).value_or(""));
                !point.empty())
                error.hint = causes::hint_of(causes::Id::overlay_mounts, {root.path, point});
        return std::unexpected(std::move(merged).error());
    }
    TRY(attach(*merged, layers.changes.valid() ? layers.changes : lower));
    inside.rootfs = std::move(*merged);
    return {};
}

/// What is mounted below the rootfs on the host is to follow there: as long as the host's mounts
/// are as they were, a copy can become their slave.
Result<void> take_rootfs(Inside& inside) {
    const spec::Root& root = inside.spec.root;
    if (root.propagation != "slave" || inside.rootfs.valid())
        return {};
    inside.rootfs =
        TRY(hint(clone_mount(AT_FDCWD, root.path, AT_RECURSIVE),
                 [](const Error& error) { return causes::powerless_root(error.code); }));
    return set_propagation(inside.rootfs.get(), "", MS_SLAVE, AT_EMPTY_PATH | AT_RECURSIVE);
}

/// The rootfs becomes a mount of its own, as pivot_root wants it.
Result<void> mount_rootfs(Inside& inside) {
    const spec::Root& root = inside.spec.root;
    auto cannot = [&](const Error& error) {
        return causes::no_rootfs(root.path, error.code, outside_root(inside));
    };
    auto powerless = [](const Error& error) { return causes::powerless_root(error.code); };
    if (inside.rootfs.valid()) {
        // A copy that was made before. Its place in the tree doesn't matter, as pivot_root moves
        // it; "/" is the one directory that container root can surely reach.
        Fd top = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
        TRY(hint(attach(inside.rootfs, top), powerless));
    } else {
        Fd below = TRY(hint(sys::openat(AT_FDCWD, root.path, O_PATH | O_DIRECTORY), cannot));
        inside.rootfs =
            TRY(hint(clone_mount(below.get(), "", AT_EMPTY_PATH | AT_RECURSIVE), powerless));
        TRY(attach(inside.rootfs, below));
    }
    return root.overlay || !root.upper.empty() ? add_overlay(inside) : Result<void>{};
}

/// /sys: our own where the network namespace is ours, else the host's; read-only either way.
Result<void> mount_sys(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    Fd target = TRY(real_directory(inside, "sys"));
    bool own_net = spec.stages.has(spec::Stage::net) && spec.net.mode != spec::NetMode::host;
    Fd sys = TRY(sysfs_tree({}, kQuiet | MOUNT_ATTR_RDONLY, own_net));
    TRY(attach(sys, target));
    if (spec.stages.has(spec::Stage::cgroup)) {
        auto place = sys::openat(sys.get(), "fs/cgroup", O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (place) {
            Fd cgroup = TRY(new_filesystem("cgroup2", {}, kQuiet | MOUNT_ATTR_RDONLY));
            TRY(attach(cgroup, *place));
        } else if (place.error().code != ENOENT) {
            return std::unexpected(std::move(place).error());
        }
    }
    TRY(mask(inside, "/sys/", sys));
    return make_readonly(inside, "/sys/", sys);
}

/// The user namespace that the child is in, or will be in.
Result<Fd> owner_of(const Launch& launch) {
    for (const spec::Join& join : launch.spec.joins)
        if (join.stage == spec::Stage::user)
            return sys::openat(AT_FDCWD, join.path, O_RDONLY);
    return sys::openat(AT_FDCWD, "/proc/" + std::to_string(launch.child) + "/ns/user", O_RDONLY);
}

/// Have the files been given to the container's ids, as rootfs-scripts/ does? Its own directory
/// tells.
Result<bool> given(const Launch& launch, const Fd& tree) {
    struct stat top = TRY(sys::fstat(tree.get()));
    return std::ranges::any_of(launch.facts.uids, [&](const spec::IdMap& range) {
        return top.st_uid >= range.outside && top.st_uid - range.outside < range.count;
    });
}

// An idmapped copy of the mount shows uid 0's files as uid 0's again, without a chown of the tree
// (mount_setattr(2), "ID-mapped mounts"); only the host's root may make it. Whoever makes a bundle
// has given the files to the container's ids already.
Result<void> map_to(Launch& launch, const Fd& tree, const Fd& owner) {
    if (TRY(given(launch, tree)))
        return {};
    mount_attr attr{};
    attr.attr_set = MOUNT_ATTR_IDMAP;
    attr.userns_fd = static_cast<std::uint64_t>(owner.get());
    auto mapped = sys::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, attr);
    if (!mapped && mapped.error().code == EINVAL)
        launch.say("mount: root's files in \"" + launch.spec.root.path +
                   "\" are nobody's inside, since its file system knows no idmapped mounts: ext4, "
                   "xfs and btrfs do");
    else
        TRY(std::move(mapped));
    return {};
}

/// /dev, /sys and volumes as people expect them.
Result<void> mount_usual(Inside& inside) {
    Fd dev = TRY(mount_dev(inside));
    TRY(mount_sys(inside));
    bool proc_follows = inside.spec.stages.has(spec::Stage::pid);
    const std::vector<spec::Mount>& mounts = inside.spec.root.mounts;
    for (std::size_t i = 0; i < mounts.size(); ++i)
        if (!proc_follows || !mounts[i].destination.starts_with("/proc/")) // those wait for /proc
            TRY(mount_one(inside, i));
    auto taken = [&](const char* place) {
        return std::ranges::find(mounts, place, &spec::Mount::destination) != mounts.end();
    };
    // Behind the volumes, of which one may show another /etc; but whoever names this very file has
    // the last word.
    if (!inside.facts.resolv_conf.empty() && !taken("/etc/resolv.conf"))
        TRY(bind_resolv_conf(inside, dev));
    if (!proc_follows && !taken("/proc") && inside.spec.stages.has(spec::Stage::root))
        inside.note("mount: /proc is empty, since it is the pid stage that mounts one: -v "
                    "/proc:/proc shows this machine's");
    return {};
}

/// Nothing but what a bundle lists, in its order.
Result<void> mount_listed(Inside& inside) {
    for (std::size_t i = 0; i < inside.spec.root.mounts.size(); ++i)
        TRY(mount_one(inside, i));
    if (!inside.facts.resolv_conf.empty()) // only `run --net` has one for it
        TRY(bind_resolv_conf(inside));
    return fill_dev(inside);
}

} // namespace

Result<void> prepare(Launch& launch) {
    const spec::Spec& spec = launch.spec;
    TRY(check_rootfs(spec));
    launch.facts.sent_rootfs = sys::geteuid() == 0 && spec.stages.has(spec::Stage::user) &&
                               (launch.facts.uids.empty() ? !spec.root.usual_mounts
                                                          : launch.facts.uids.front().outside != 0);
    launch.facts.sent_mounts = parents_part(spec);
    if (!spec.root.mount_label.empty() && !sys::exists("/sys/fs/selinux/enforce"))
        return sys::wrong("linux.mountLabel: SELinux is not on here");
    if (!spec.root.upper.empty())
        TRY(make_work_directory(launch));
    return {};
}

// Root with a subordinate range: container root is an ordinary uid of the host, to which root's
// files are somebody else's, and directories that only root may search lie on the way to them.
Result<void> parent(Launch& launch) {
    const spec::Spec& spec = launch.spec;
    if (!launch.facts.sent_rootfs && launch.facts.sent_mounts.empty())
        return {};
    Fd owner = TRY(owner_of(launch));
    launch.trees = TRY(make_for_child(spec, launch.facts.sent_mounts, owner));
    if (!launch.facts.sent_rootfs)
        return {};
    Fd tree = TRY(clone_mount(AT_FDCWD, spec.root.path, AT_RECURSIVE));
    // A copy of a shared mount is shared with it, and pivot_root wants a private one.
    TRY(set_propagation(tree.get(), "", spec.root.propagation == "slave" ? MS_SLAVE : MS_PRIVATE,
                        AT_EMPTY_PATH | AT_RECURSIVE));
    if (spec.root.usual_mounts)
        TRY(map_to(launch, tree, owner));
    launch.rootfs = std::move(tree);
    return {};
}

// In the mount namespace of our own (a copy of the host's), container root, host tree visible.
Result<void> child(Inside& inside) {
    TRY(make_propagating(inside));
    TRY(take_rootfs(inside));
    TRY(hint(set_propagation(AT_FDCWD, "/", kUp, AT_RECURSIVE),
             [](const Error& error) { return causes::powerless_root(error.code); }));
    TRY(mount_rootfs(inside));
    return inside.spec.root.usual_mounts ? mount_usual(inside) : mount_listed(inside);
}

void undo(Ledger& ledger) {
    remove_work_directory(ledger);
}

Result<void> mount_below_proc(Inside& inside) {
    const std::vector<spec::Mount>& mounts = inside.spec.root.mounts;
    for (std::size_t i = 0; i < mounts.size(); ++i)
        if (mounts[i].destination.starts_with("/proc/"))
            TRY(mount_one(inside, i));
    return {};
}

} // namespace stages::mount
