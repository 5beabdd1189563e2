// Mounts by descriptor.
#include "stages/mounting.hpp"

#include "stages/causes.hpp"
#include "sys/flags.hpp"
#include "sys/mounts.hpp"
#include "sys/path.hpp"

#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

namespace stages {

namespace {

std::string link_of(const Fd& place) {
    return "/proc/self/fd/" + std::to_string(place.get());
}

/// "a=1,b", for mount(2): a comma of a value's own is in quotes, as the kernel's security modules
/// read them, or behind a backslash already, as overlayfs does.
std::string as_text(const std::vector<std::string>& options) {
    std::string text;
    for (const std::string& option : options) {
        if (!text.empty())
            text += ',';
        std::size_t equals = option.find('=');
        if (option.contains(',') && option.substr(0, equals).ends_with("context"))
            text += option.substr(0, equals + 1) + "\"" + option.substr(equals + 1) + "\"";
        else
            text += option;
    }
    return text;
}

/// fsconfig(2) takes values of up to 255 characters, of which a list of overlayfs's layers has
/// more. mount(2) takes a page, but wants a place: one in a file system of our own, covered by "/",
/// where nobody else comes to. A copy of the mount is mounted nowhere, and the place is given up.
Result<Fd> new_by_text(const std::string& type, const std::vector<std::string>& options,
                       std::uint64_t attributes, const std::string& source) {
    std::string text = as_text(options);
    constexpr std::size_t kPage = 4096;
    if (text.size() >= kPage)
        return sys::wrong("the options of \"" + type + "\" have " + std::to_string(text.size()) +
                              " characters together, and the kernel takes " +
                              std::to_string(kPage - 1),
                          "give its directories shorter paths, symlinks for one");
    Fd scratch = TRY(new_filesystem("tmpfs", {"size=4k", "mode=700"}, kQuiet));
    TRY(sys::mkdirat(scratch.get(), "at", 0700));
    Fd top = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    TRY(attach(scratch, top));
    auto made = [&]() -> Result<Fd> {
        Fd place = TRY(sys::openat(scratch.get(), "at", O_PATH | O_DIRECTORY));
        TRY(sys::mount(source.empty() ? type : source, link_of(place), type, text));
        Fd tree = TRY(clone_mount(scratch.get(), "at", 0));
        if (attributes != 0)
            TRY(set_attributes(tree, attributes));
        return tree;
    }();
    auto gone = sys::umount2(link_of(scratch), sys::kDetach);
    return gone ? std::move(made) : std::unexpected(std::move(gone).error());
}

} // namespace

Result<Fd> new_filesystem(const std::string& type, const std::vector<std::string>& options,
                          std::uint64_t attributes, Cause cause, const std::string& source) {
    auto because = [cause](const Error& error) { return cause(error.code); };
    constexpr std::size_t kMost = 255; // of fsconfig(2)
    for (const std::string& option : options)
        if (std::size_t equals = option.find('=');
            equals != std::string::npos && option.size() - equals - 1 > kMost)
            return hint(new_by_text(type, options, attributes, source), because);
    auto unknown = [&](const Error& error) {
        return error.code != ENODEV ? std::string()
                                    : "this kernel has no file system \"" + type +
                                          "\": /proc/filesystems lists what it has";
    };
    Fd context = TRY(hint(hint(sys::fsopen(type), because), unknown));
    // What the kernel says tells what was wrong; what to do about it is ours to find out.
    auto explain = [&](auto result) {
        if (!result)
            result.error().detail = sys::fs_message(context.get());
        return hint(std::move(result), because);
    };
    TRY(explain(sys::fsconfig_string(context.get(), "source", source.empty() ? type : source)));
    for (const std::string& option : options) {
        std::size_t equals = option.find('=');
        auto set = explain(equals == std::string::npos
                               ? sys::fsconfig_flag(context.get(), option)
                               : sys::fsconfig_string(context.get(), option.substr(0, equals),
                                                      option.substr(equals + 1)));
        if (!set)
            set.error().call = "fsconfig(\"" + type + "\", " + sys::show(option) + ")";
        TRY(std::move(set));
    }
    // Some kernels refuse at the one, some at the other.
    auto created = explain(sys::fsconfig_create(context.get()));
    auto mounted = created ? explain(sys::fsmount(context.get(), attributes))
                           : std::unexpected(std::move(created).error());
    if (!mounted)
        mounted.error().call = "mount(\"" + type + "\")"; // what a person knows it as
    return mounted;
}

Result<Fd> clone_mount(int at, const std::string& source, unsigned flags) {
    return sys::open_tree(at, source, flags | OPEN_TREE_CLONE);
}

Result<void> attach(const Fd& mount, const Fd& target) {
    return sys::move_mount(mount.get(), target.get(), "", MOVE_MOUNT_T_EMPTY_PATH);
}

Result<void> set_attributes(const Fd& mount, std::uint64_t attributes, unsigned flags,
                            std::uint64_t cleared) {
    mount_attr attr{};
    attr.attr_set = attributes;
    attr.attr_clr = cleared;
    // The kernel wants the access-time bits cleared before one of them is set.
    if ((attributes & MOUNT_ATTR__ATIME) != 0)
        attr.attr_clr |= MOUNT_ATTR__ATIME;
    return sys::mount_setattr(mount.get(), "", flags | AT_EMPTY_PATH, attr);
}

Result<void> set_propagation(int at, const std::string& path, std::uint64_t propagation,
                             unsigned flags) {
    mount_attr attr{};
    attr.propagation = propagation;
    return sys::mount_setattr(at, path, flags, attr);
}

std::uint32_t outside_root(const Inside& inside) {
    return inside.facts.uids.empty() ? sys::geteuid() : inside.facts.uids.front().outside;
}

namespace {

/// A folder that was named by mistake is left as it is: before it gets its first mount point, is
/// there anything in it that could run?
Result<void> has_programs(const Inside& inside) {
    const spec::Spec& spec = inside.spec;
    bool elsewhere = !spec.root.mounts.empty() || !spec.stages.has(spec::Stage::root) ||
                     std::ranges::any_of(spec.process.env, [](const std::string& variable) {
                         return variable.starts_with("PATH=");
                     });
    if (elsewhere || !spec.root.usual_mounts)
        return {};
    std::vector<std::string> places{"bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"};
    if (!spec.process.args.empty() && spec.process.args.front().contains('/'))
        places.push_back(spec.process.args.front());
    for (const std::string& place : places)
        if (sys::in_root(inside.rootfs.get(), place, sys::Want::existing))
            return {};
    return causes::wrong(causes::Id::rootfs_without_programs, {spec.root.path});
}

} // namespace

Result<Fd> real_directory(Inside& inside, const std::string& name) {
    constexpr std::uint64_t flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
    constexpr sys::Resolve inner{sys::names::kResolveBeneath | sys::names::kResolveNoSymlinks};
    auto found = sys::openat2(inside.rootfs.get(), name, flags, inner);
    if (found || found.error().code != ENOENT) {
        if (!found && (found.error().code == ELOOP || found.error().code == ENOTDIR))
            return sys::wrong("\"/" + name + "\" in the root filesystem is not a real directory",
                              found.error().code == ELOOP
                                  ? "a symlink there could lead mounts out of it: remove it"
                                  : "remove what is there: a directory is made in its place");
        return hint(std::move(found), [&](const Error& error) {
            return causes::no_rootfs(inside.spec.root.path, error.code, outside_root(inside));
        });
    }
    TRY(has_programs(inside));
    auto cannot = [&](const Error& error) {
        return causes::rootfs_cannot_hold(inside.spec.root.path, error.code);
    };
    TRY(hint(sys::make_directory(inside.rootfs.get(), name, 0755), cannot));
    return sys::openat2(inside.rootfs.get(), name, flags, inner);
}

bool covers_proc_harmlessly(const std::string& destination) {
    constexpr std::string_view kFiles[] = {"/proc/cpuinfo",
                                           "/proc/diskstats",
                                           "/proc/loadavg",
                                           "/proc/meminfo",
                                           "/proc/slabinfo",
                                           "/proc/stat",
                                           "/proc/swaps",
                                           "/proc/uptime",
                                           "/proc/sys/kernel/ns_last_pid",
                                           "/proc/sys/crypto/fips_enabled"};
    return std::ranges::find(kFiles, destination) != std::end(kFiles);
}

namespace {

constexpr sys::Resolve kBelow{sys::names::kResolveInRoot | sys::names::kResolveNoMagiclinks};

/// `path` less `prefix`, below `top`; an invalid Fd when there is no such thing here.
Result<Fd> find(const Fd& top, const std::string& prefix, const std::string& path) {
    auto found = [&] {
        sys::Expecting absent(ENOENT); // half of Docker's list is, on most machines
        return sys::openat2(top.get(), path.substr(prefix.size()), O_PATH, kBelow);
    }();
    if (!found && (found.error().code == ENOENT || found.error().code == ENOTDIR))
        return Fd();
    return hint(std::move(found), [&](const Error& error) {
        return error.code == EACCES
                   ? "\"" + path +
                         "\" has to be masked or read-only, and lies behind a directory that the "
                         "container's root can't search: it belongs to an id that is not mapped"
                   : std::string();
    });
}

/// The host's /dev/null, proven to be it: an image can't put its own file in its place. Read-only,
/// or who owns it inside could change its mode and owner for the whole machine.
Result<Fd> read_only_null() {
    Fd null = TRY(sys::openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW));
    if (!is_null_device(TRY(sys::fstat(null.get()))))
        return sys::wrong("\"/dev/null\" of this machine is not the null device");
    Fd cover = TRY(clone_mount(null.get(), "", AT_EMPTY_PATH));
    TRY(set_attributes(cover, MOUNT_ATTR_RDONLY));
    return cover;
}

} // namespace

bool is_null_device(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
}

Result<void> mask(Inside& inside, const std::string& prefix, const Fd& top) {
    Fd null;
    for (const std::string& path : inside.spec.root.masked) {
        if (!path.starts_with(prefix))
            continue;
        Fd target = TRY(find(top, prefix, path));
        if (!target.valid())
            continue;
        if (!S_ISDIR(TRY(sys::fstat(target.get())).st_mode)) {
            bool first = !null.valid();
            Fd cover = TRY(first ? read_only_null() : clone_mount(null.get(), "", AT_EMPTY_PATH));
            TRY(attach(cover, target));
            if (first)
                null = std::move(cover);
            continue;
        }
        if (!inside.empty.valid()) {
            inside.empty = TRY(new_filesystem("tmpfs", {"size=4k", "nr_inodes=1", "mode=755"},
                                              kQuiet | MOUNT_ATTR_RDONLY));
            TRY(attach(inside.empty, target));
            continue;
        }
        Fd cover = TRY(clone_mount(inside.empty.get(), "", AT_EMPTY_PATH));
        TRY(attach(cover, target));
    }
    return {};
}

Result<void> make_readonly(const Inside& inside, const std::string& prefix, const Fd& top) {
    for (const std::string& path : inside.spec.root.readonly) {
        if (!path.starts_with(prefix))
            continue;
        Fd target = TRY(find(top, prefix, path));
        if (!target.valid())
            continue;
        Fd copy = TRY(clone_mount(target.get(), "", AT_EMPTY_PATH | AT_RECURSIVE));
        TRY(set_attributes(copy, MOUNT_ATTR_RDONLY, AT_RECURSIVE));
        TRY(attach(copy, target));
    }
    return {};
}

} // namespace stages
