// A node is made by mknod, or where only real root may do that, bound from the host. One that is
// there already must be what is wanted: an image's own file is nobody's null device.
#include "stages/devices.hpp"

#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "sys/flags.hpp"
#include "sys/mounts.hpp"
#include "sys/path.hpp"

#include <linux/magic.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

namespace stages {

namespace {

constexpr UsualNode kNodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                                {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
constexpr DevLink kLinks[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},      {"ptmx", "pts/ptmx"},
};
constexpr sys::Resolve kNoLinks{sys::names::kResolveBeneath | sys::names::kResolveNoSymlinks};

mode_t kind_of(char type) {
    return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO : S_IFCHR; // u is c
}

bool is(const struct stat& info, mode_t kind, dev_t number) {
    return (info.st_mode & S_IFMT) == kind && (kind == S_IFIFO || info.st_rdev == number);
}

std::string spelled(const spec::Device& device) {
    return device.type == 'p'
               ? "a FIFO"
               : std::string("device ") + device.type + " " + std::to_string(device.major) + ":" +
                     std::to_string(device.minor);
}

/// `name` in `at`, which is below /dev or wherever the path has led inside the rootfs.
Result<void> make_node(const Fd& at, const std::string& name, const spec::Device& device) {
    mode_t kind = kind_of(device.type);
    dev_t number = device.type == 'p' ? 0
                                      : makedev(static_cast<unsigned>(device.major),
                                                static_cast<unsigned>(device.minor));
    auto made = sys::mknodat(at.get(), name, kind | (device.mode & 07777), number);
    if (made)
        return sys::fchownat(at.get(), name, device.uid, device.gid);
    if (made.error().code == EEXIST) {
        if (is(TRY(sys::fstatat(at.get(), name, AT_SYMLINK_NOFOLLOW)), kind, number))
            return {};
        return sys::wrong("\"" + device.path + "\" is there already, and is not " +
                          spelled(device));
    }
    if (made.error().code != EPERM)
        return made;
    // In a user namespace. The host has it under the same name, or not at all.
    auto hosts = sys::fstatat(AT_FDCWD, device.path, AT_SYMLINK_NOFOLLOW);
    if (!hosts || !is(*hosts, kind, number))
        return hint(std::move(made), [&](const Error&) {
            return "a user namespace can only have devices of this machine, and \"" + device.path +
                   "\" here is not " + spelled(device);
        });
    return bind_node(at, name, device.path);
}

Result<void> make_link(const Fd& dev, const DevLink& link) {
    auto made = sys::symlinkat(link.to, dev.get(), link.name);
    // An image's own will do, but for ptmx: with the host's devices on it, the wrong terminals.
    if (made || made.error().code != EEXIST || std::string_view(link.name) != "ptmx")
        return made || made.error().code == EEXIST ? Result<void>{} : std::move(made);
    TRY(sys::unlinkat(dev.get(), link.name));
    return sys::symlinkat(link.to, dev.get(), link.name);
}

/// Not through a link of the image's, nor onto anything that it is not for.
Result<Fd> console_place(const Fd& dev) {
    auto made = sys::openat(dev.get(), "console", O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (made || made.error().code != EEXIST)
        return made;
    Fd there = TRY(sys::openat2(dev.get(), "console", O_PATH | O_NOFOLLOW, kNoLinks));
    mode_t mode = TRY(sys::fstat(there.get())).st_mode;
    if (!S_ISREG(mode) && !S_ISCHR(mode))
        return sys::wrong("\"/dev/console\" in the root filesystem is neither a file nor a device");
    return there;
}

} // namespace

std::span<const UsualNode> usual_nodes() {
    return kNodes;
}
std::span<const DevLink> usual_links() {
    return kLinks;
}

Result<void> bind_node(const Fd& dev, const std::string& name, const std::string& path) {
    Fd node = TRY(hint(clone_mount(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW), [](const Error& error) {
        return error.code != ENOENT
                   ? std::string()
                   : "this machine's is missing, as in a chroot with an empty /dev: from "
                     "outside of that, 'mount --rbind /dev CHROOT/dev'";
    }));
    mode_t mode = TRY(sys::fstat(node.get())).st_mode;
    if (!S_ISCHR(mode) && !S_ISBLK(mode))
        return sys::wrong("\"" + path + "\" of this machine is not a device");
    // Which keeps nobody from writing to the device, only from changing the machine's node.
    TRY(set_attributes(node, MOUNT_ATTR_RDONLY));
    Fd target = TRY(sys::openat(dev.get(), name, O_CREAT | O_EXCL | O_WRONLY, 0644));
    return attach(node, target);
}

Result<void> make_console(Inside& inside, const Fd& dev) {
    Fd pts =
        TRY(hint(sys::openat2(dev.get(), "pts", O_PATH | O_DIRECTORY, kNoLinks), [](const Error&) {
            return std::string("a terminal needs a devpts at /dev/pts");
        }));
    if (TRY(sys::fstatfs(pts.get())).f_type != DEVPTS_SUPER_MAGIC)
        return sys::wrong("\"/dev/pts\" is not a devpts", "a terminal needs one there");
    inside.console = TRY(sys::openat(pts.get(), "ptmx", O_RDWR | O_NOCTTY));
    Fd slave = TRY(sys::pty_peer(inside.console.get()));
    Fd tree = TRY(clone_mount(slave.get(), "", AT_EMPTY_PATH));
    Fd target = TRY(console_place(dev));
    return attach(tree, target);
}

Result<void> fill_dev(Inside& inside) {
    const spec::Root& root = inside.spec.root;
    auto dev_is = [](const spec::Mount& mount) {
        return mount.type == "bind" && !mount.remount &&
               (mount.destination == "/dev" || mount.destination == "/dev/");
    };
    // A /dev of the host's is taken as it is.
    bool ours = std::ranges::none_of(root.mounts, dev_is);
    Fd dev = TRY(real_directory(inside, "dev"));
    if (ours) {
        for (const UsualNode& node : kNodes) {
            std::string path = std::string("/dev/") + node.name;
            // One of the bundle's own in its place says what it is to be.
            if (std::ranges::find(root.devices, path, &spec::Device::path) == root.devices.end())
                TRY(make_node(dev, node.name,
                              {.path = path, .major = node.major, .minor = node.minor}));
        }
        for (const DevLink& link : kLinks)
            TRY(make_link(dev, link));
    }
    for (const spec::Device& device : root.devices) {
        bool in_dev = device.path.starts_with("/dev/");
        std::size_t slash = device.path.rfind('/');
        std::size_t from = in_dev ? 4 : 0;
        Fd directory =
            TRY(sys::in_root(in_dev ? dev.get() : inside.rootfs.get(),
                             device.path.substr(from, slash - from), sys::Want::directory));
        TRY(make_node(directory, device.path.substr(slash + 1), device));
    }
    return inside.spec.process.terminal ? make_console(inside, dev) : Result<void>{};
}

} // namespace stages
