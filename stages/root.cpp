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

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ranges>
#include <sstream>

namespace stages::root {

Result<void> prepare(Launch& launch) {
    // The mount stage has looked already, when it runs.
    return launch.spec.stages.has(spec::Stage::mount) ? Result<void>{} : check_rootfs(launch.spec);
}

namespace {

/// A line of mountinfo (proc_pid_mountinfo(5)).
struct MountLine {
    unsigned id = 0, parent = 0;
    std::string point, type;
};

/// "a\\040b" is "a b".
std::string unescaped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned char code = 0;
        auto digits = std::string_view(text).substr(i + 1).substr(0, 3);
        if (text[i] == '\\' && digits.size() == 3 &&
            std::from_chars(digits.begin(), digits.end(), code, 8).ptr == digits.end()) {
            out += static_cast<char>(code);
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

Result<std::vector<MountLine>> mounts() {
    std::vector<MountLine> out;
    std::istringstream lines(TRY(sys::read_file("/proc/self/mountinfo", 64 << 20)));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string device, root, point;
        MountLine one;
        words >> one.id >> one.parent >> device >> root >> point;
        one.point = unescaped(point);
        std::size_t dash = line.find(" - ");
        if (dash == std::string::npos)
            continue;
        one.type = line.substr(dash + 3, line.find(' ', dash + 3) - dash - 3);
        out.push_back(std::move(one));
    }
    return out;
}

Result<unsigned> mount_id(const Fd& fd) {
    constexpr std::string_view kKey = "mnt_id:\t";
    std::string info = TRY(sys::read_file("/proc/self/fdinfo/" + std::to_string(fd.get()), 4096));
    std::size_t at = info.find(kKey);
    unsigned id = 0;
    if (at == std::string::npos ||
        std::from_chars(info.data() + at + kKey.size(), info.data() + info.size(), id).ec !=
            std::errc{})
        return sys::wrong("/proc does not tell of which mount a descriptor is");
    return id;
}

bool is_below(const std::vector<MountLine>& all, MountLine one, unsigned top) {
    for (std::size_t steps = 0; steps <= all.size() && one.id != top; ++steps) {
        auto parent = std::ranges::find(all, one.parent, &MountLine::id);
        if (parent == all.end())
            return false;
        one = *parent;
    }
    return one.id == top;
}

/// What is only covered is still in the mount namespace, and whoever finds a whole /proc or /sys in
/// it may mount one that hides nothing (the kernel's mount_too_revealing()).
Result<void> hide_kernels(const Fd& rootfs) {
    unsigned top = TRY(mount_id(rootfs));
    std::vector<MountLine> all = TRY(mounts());
    for (const MountLine& one : std::views::reverse(all)) {
        if ((one.type != "proc" && one.type != "sysfs") || is_below(all, one, top))
            continue;
        auto gone = sys::umount2(one.point, sys::kDetach | sys::kNoFollow);
        if (gone || (gone.error().code != EINVAL && gone.error().code != EPERM))
            continue; // or it was below another that is gone
        // Locked together with what it is mounted on, by whoever made that.
        Fd place = TRY(sys::openat(AT_FDCWD, one.point, O_PATH | O_NOFOLLOW));
        Fd cover = TRY(new_filesystem("tmpfs", {"size=4k", "nr_inodes=1", "mode=755"},
                                      kQuiet | MOUNT_ATTR_RDONLY));
        TRY(attach(cover, place));
    }
    return {};
}

/// Inside::binary becomes part of the old root, on any file there. Where that fails, it goes by
/// itself.
void add_to_old_root(const Fd& binary) {
    if (auto place = sys::openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW))
        (void)attach(binary, *place);
}

Result<void> enter(spec::RootMode mode, const Fd& rootfs, Fd binary) {
    TRY(sys::fchdir(rootfs.get()));
    switch (mode) {
    case spec::RootMode::pivot:
        if (binary.valid())
            add_to_old_root(binary);
        binary.close();
        // Both arguments ".": the old root is stacked under the new one, where one detaching
        // umount takes it off, and no directory for it is needed (pivot_root(2), NOTES).
        TRY(hint(sys::pivot_root(".", "."),
                 [](const Error& error) { return causes::powerless_root(error.code); }));
        TRY(sys::umount2(".", sys::kDetach));
        TRY(sys::chdir("/"));
        break;
    case spec::RootMode::move: {
        TRY(hide_kernels(rootfs));
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
        TRY(mask(inside, "/", inside.rootfs));
        TRY(make_readonly(inside, "/", inside.rootfs));
    }
    // The last moment to make a working directory; what can't be made, entering it tells.
    if (root.read_only && !inside.spec.process.cwd.empty())
        (void)sys::in_root(inside.rootfs.get(), inside.spec.process.cwd, sys::Want::directory);
    for (const Fd& mount : inside.read_only_later)
        TRY(set_attributes(mount, MOUNT_ATTR_RDONLY));
    inside.read_only_later.clear();
    if (root.read_only)
        TRY(set_attributes(inside.rootfs, MOUNT_ATTR_RDONLY));
    TRY(enter(root.mode, inside.rootfs, std::move(inside.binary)));
    inside.rootfs.close();
    inside.empty.close();
    // A shared mount can't be pivoted to. It is a peer of nobody outside.
    if (root.propagation == "shared" || root.propagation == "unbindable")
        TRY(set_propagation(AT_FDCWD, "/", root.propagation == "shared" ? MS_SHARED : MS_UNBINDABLE,
                            0));
    return {};
}

} // namespace stages::root
