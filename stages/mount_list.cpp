// Where each mount goes, and what it is.
//
//   remount          what is there already, given other attributes and options
//   bind             a copy of a tree of the host's (stages/bind.cpp)
//   sysfs, cgroup…   the kernel's own (stages/kernel_trees.cpp)
//   tmpfs            empty, or with what it covers (stages/copy_up.cpp)
//   anything else    a new file system of that type
#include "stages/mount_list.hpp"

#include "spec/path.hpp"
#include "stages/bind.hpp"
#include "stages/causes.hpp"
#include "stages/copy_up.hpp"
#include "stages/kernel_trees.hpp"
#include "stages/rootfs.hpp"
#include "sys/flags.hpp"
#include "sys/mounts.hpp"

#include <linux/magic.h>

#include <algorithm>
#include <cerrno>

namespace stages::mount {

namespace {

using spec::plain_path;
using spec::Stage;

/// The symlink at `destination`, a plain one, itself; invalid when there is none.
Result<Fd> link_at(Inside& inside, const std::string& destination) {
    std::size_t slash = destination.rfind('/');
    auto directory =
        sys::in_root(inside.rootfs.get(), destination.substr(0, slash), sys::Want::existing);
    auto found = directory ? sys::openat(directory->get(), destination.substr(slash + 1),
                                         O_PATH | O_NOFOLLOW)
                           : std::move(directory);
    if (!found && found.error().code == ENOENT)
        return Fd();
    Fd last = TRY(std::move(found));
    return S_ISLNK(TRY(sys::fstat(last.get())).st_mode) ? std::move(last) : Fd();
}

/// The mount of the list that `destination` is in; nullptr: the root filesystem itself.
const spec::Mount* around(const Inside& inside, const std::string& destination) {
    const spec::Mount* found = nullptr;
    std::size_t longest = 0;
    for (const spec::Mount& mount : inside.spec.root.mounts) {
        std::string place = plain_path(mount.destination);
        if (place.size() > longest && destination.starts_with(place + "/")) {
            found = &mount;
            longest = place.size();
        }
    }
    return found;
}

std::string no_place(const Inside& inside, const spec::Mount& wanted, const Error& error) {
    if (error.code == ENOENT && plain_path(wanted.destination).starts_with("/proc/"))
        return "nothing can be made in /proc: name another place";
    if (error.code == ENOTDIR)
        return "\"" + wanted.destination +
               "\" is a file in the root filesystem, or leads through one: name another place";
    return no_mount_point(inside, wanted.destination, error.code);
}

/// The mount point, made when it is missing. Nothing may cover what the kernel shows in /proc, by
/// whatever links the image leads there.
Result<Fd> place_of(Inside& inside, const spec::Mount& wanted, sys::Want want) {
    std::string destination = plain_path(wanted.destination);
    for (const char* name : {"/proc", "/sys", "/dev"})
        if (destination == name && want != sys::Want::existing)
            return real_directory(inside, name + 1);
    Fd link = wanted.over_link ? TRY(link_at(inside, destination)) : Fd();
    Fd place = link.valid()
                   ? std::move(link)
                   : TRY(hint(sys::in_root(inside.rootfs.get(), wanted.destination, want),
                              [&](const Error& error) { return no_place(inside, wanted, error); }));
    if (want != sys::Want::existing && TRY(sys::fstatfs(place.get())).f_type == PROC_SUPER_MAGIC &&
        !covers_proc_harmlessly(destination))
        return sys::wrong("\"" + wanted.destination + "\" is inside /proc",
                          "what programs trust to be the kernel's must not be something else");
    return place;
}

/// Which of the mounts failed: the call says only what the kernel was asked.
template <class T>
Result<T> of_list(const spec::Spec& spec, std::size_t index, Result<T> done) {
    if (done)
        return done;
    const spec::Mount& one = spec.root.mounts[index];
    std::string asked = spec.naming == spec::Naming::properties
                            ? "mounts[" + std::to_string(index) + "]"
                            : std::string("mount: ") + (one.type == "tmpfs" ? "--tmpfs" : "-v");
    done.error().stage = asked + " \"" + one.destination + "\"";
    return done;
}

/// What a file system needs to know of its own options, before the ones that were asked for.
/// `fresh`: the place was made for it.
Result<Fd> make_new(Inside& inside, const spec::Mount& wanted, const Fd& place, bool fresh,
                    std::uint64_t attributes) {
    const spec::Spec& spec = inside.spec;
    std::vector<std::string> options = wanted.options;
    auto has = [&](std::string_view key) {
        return std::ranges::any_of(options, [&](const auto& o) { return o.starts_with(key); });
    };
    if (wanted.type == "sysfs") {
        bool own_net = spec.stages.has(Stage::net) && spec.net.mode != spec::NetMode::host;
        bool own_user = spec.stages.has(Stage::user);
        return sysfs_tree(options, attributes, own_net || !own_user, wanted.source);
    }
    if (wanted.type == "cgroup" || wanted.type == "cgroup2")
        return cgroup_tree(inside, options, attributes, wanted.source);
    if (wanted.type == "proc")
        return new_filesystem("proc", options, attributes, causes::no_proc, wanted.source);
    // gid 5 is "tty" everywhere; where it isn't mapped, a terminal belongs to who opens it.
    if (wanted.type == "devpts" && spec.stages.has(Stage::user) && !inside.facts.gids.empty())
        std::erase_if(options, [&](const std::string& option) {
            return option == "gid=5" && !maps(inside.facts.gids, 5);
        });
    // It stands for the directory that it covers, with that one's permissions. Where there was
    // none it is everybody's, as the kernel has it: of Docker's --tmpfs nothing else is expected.
    if (wanted.type == "tmpfs" && !fresh && !has("mode=")) {
        char mode[16];
        (void)snprintf(mode, sizeof mode, "mode=%o", // can't fail: four digits
                       TRY(sys::fstat(place.get())).st_mode & 07777);
        options.emplace_back(mode);
    }
    // mqueue takes no such option; its files are labelled by who makes them.
    if (!spec.root.mount_label.empty() && wanted.type != "mqueue")
        options.push_back(spec.root.mount_label_type + "=" + spec.root.mount_label);
    auto not_mapped = [&](const Error& error) {
        return error.code == EINVAL && (has("uid=") || has("gid="))
                   ? std::string("uid= and gid= must be ids of the container: see "
                                 "/proc/self/uid_map and gid_map in it")
                   : std::string();
    };
    Fd made = TRY(hint(
        new_filesystem(wanted.type, options, attributes, causes::powerless_root, wanted.source),
        not_mapped));
    if (wanted.copy_up)
        TRY(copy_up(place, made));
    return made;
}

Result<void> change(Inside& inside, const spec::Mount& wanted) {
    Fd place = TRY(place_of(inside, wanted, sys::Want::existing));
    auto no_mount = [&](const Error& error) {
        return error.code == EINVAL ? "nothing is mounted at \"" + wanted.destination + "\""
                                    : std::string();
    };
    // By this a place where nothing is mounted is known, even when nothing is asked of it.
    Fd context = TRY(hint(sys::fspick(place.get()), no_mount));
    if (!wanted.options.empty()) {
        auto explain = [&](auto result) {
            if (!result)
                result.error().detail = sys::fs_message(context.get());
            return result;
        };
        for (const std::string& option : wanted.options) {
            std::size_t equals = option.find('=');
            TRY(explain(equals == std::string::npos
                            ? sys::fsconfig_flag(context.get(), option)
                            : sys::fsconfig_string(context.get(), option.substr(0, equals),
                                                   option.substr(equals + 1))));
        }
        TRY(explain(sys::fsconfig_reconfigure(context.get())));
    }
    return finish_mount(place, wanted, Fd());
}

/// A link of the host's, made anew; one that is there already must say the same.
Result<void> copy_link(Inside& inside, const spec::Mount& wanted, const Fd& link) {
    std::string to = TRY(sys::readlinkat(link.get(), ""));
    std::string destination = plain_path(wanted.destination);
    std::size_t slash = destination.rfind('/');
    Fd directory =
        TRY(sys::in_root(inside.rootfs.get(), destination.substr(0, slash), sys::Want::directory));
    std::string name = destination.substr(slash + 1);
    auto made = sys::symlinkat(to, directory.get(), name);
    if (made || made.error().code != EEXIST)
        return made;
    auto there = sys::readlinkat(directory.get(), name);
    if (there && *there == to)
        return {};
    return sys::wrong("\"" + wanted.destination + "\" is there already, and is not a link to \"" +
                      to + "\"");
}

/// Has `wanted` to be made from the mount as the host has it?
bool propagates(const spec::Mount& wanted) {
    auto passes = [](const std::string& way) { return way == "shared" || way == "slave"; };
    return wanted.type == "bind" && !wanted.remount &&
           (passes(wanted.propagation) || passes(wanted.propagation_below));
}

/// A hierarchy of cgroup v1's for below v2's, where nothing can be made. Podman adds one for
/// systemd on a host that has both: in it, writable, are the cgroups of all the host.
Result<bool> left_to_v2(const Inside& inside, const spec::Mount& wanted, const Fd& tree) {
    if (TRY(sys::fstatfs(tree.get())).f_type != CGROUP_SUPER_MAGIC)
        return false;
    return std::ranges::any_of(inside.spec.root.mounts, [&](const spec::Mount& other) {
        return (other.type == "cgroup" || other.type == "cgroup2") &&
               plain_path(wanted.destination).starts_with(plain_path(other.destination) + "/");
    });
}

/// /proc is the kernel's, or what it shows would be somebody's invention.
Result<void> check_kind(const spec::Mount& wanted, const Fd& tree) {
    if (plain_path(wanted.destination) != "/proc" ||
        TRY(sys::fstatfs(tree.get())).f_type == PROC_SUPER_MAGIC)
        return {};
    return sys::wrong("\"" + (wanted.source.empty() ? wanted.type : wanted.source) +
                      "\" is not a proc file system, and can't be /proc");
}

Result<void> mount_this(Inside& inside, std::size_t index) {
    const spec::Mount& wanted = inside.spec.root.mounts[index];
    if (wanted.remount)
        return change(inside, wanted);
    if (wanted.type == "bind") {
        Fd tree = index < inside.trees.size() && inside.trees[index].valid()
                      ? std::move(inside.trees[index])
                      : TRY(make_bind(wanted, Fd()));
        if (TRY(left_to_v2(inside, wanted, tree))) {
            inside.note("mounts[" + std::to_string(index) + "] \"" + wanted.destination +
                        "\" is left out: it is a hierarchy of cgroup v1's, and the container is "
                        "in v2's alone");
            return {};
        }
        mode_t mode = TRY(sys::fstat(tree.get())).st_mode;
        if (S_ISLNK(mode))
            return copy_link(inside, wanted, tree);
        Fd place =
            TRY(place_of(inside, wanted, S_ISDIR(mode) ? sys::Want::directory : sys::Want::file));
        TRY(check_kind(wanted, tree));
        return hint(attach(tree, place), [&](const Error& error) {
            return error.code == EINVAL && !S_ISDIR(mode)
                       ? "\"" + wanted.source + "\" is not a directory, but \"" +
                             wanted.destination + "\" is one: name a file as its mount point"
                       : std::string();
        });
    }
    bool fresh = false;
    if (wanted.type == "tmpfs") {
        auto there = sys::in_root(inside.rootfs.get(), wanted.destination, sys::Want::existing);
        fresh = !there && there.error().code == ENOENT;
        if (!there && !fresh)
            return hint(Result<void>(std::unexpected(std::move(there).error())),
                        [&](const Error& error) { return no_place(inside, wanted, error); });
    }
    Fd place = TRY(place_of(inside, wanted, sys::Want::directory));
    std::uint64_t attributes = wanted.attributes;
    // What is mounted or made in it comes later, and its mount points have to be made.
    bool later = (attributes & MOUNT_ATTR_RDONLY) != 0 && wanted.type == "tmpfs" &&
                 !inside.spec.root.usual_mounts;
    if (later)
        attributes &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
    Fd tree = TRY(make_new(inside, wanted, place, fresh, attributes));
    TRY(check_kind(wanted, tree));
    spec::Mount rest = wanted;
    rest.attributes = rest.cleared = 0; // a new mount has been made with them
    TRY(finish_mount(tree, rest, Fd()));
    TRY(attach(tree, place));
    if (later)
        inside.read_only_later.push_back(std::move(tree));
    return {};
}

} // namespace

std::string no_mount_point(const Inside& inside, const std::string& destination, int code) {
    const spec::Mount* outer = around(inside, plain_path(destination));
    if (outer == nullptr)
        return causes::rootfs_cannot_hold(inside.spec.root.path, code);
    if (code != EROFS && code != EACCES && code != EPERM && code != ENOSPC && code != EDQUOT)
        return {};
    return "\"" + destination + "\" is missing in what is mounted at \"" + outer->destination +
           "\", and can't be made there: " +
           (outer->type == "bind" ? "make it in \"" + outer->source + "\" first"
                                  : "mount that one so that it can");
}

Result<void> make_propagating(Inside& inside) {
    const std::vector<spec::Mount>& mounts = inside.spec.root.mounts;
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        if (!propagates(mounts[i]))
            continue;
        inside.trees.resize(mounts.size());
        if (!inside.trees[i].valid())
            inside.trees[i] = TRY(of_list(inside.spec, i, make_bind(mounts[i], Fd())));
    }
    return {};
}

Result<void> mount_one(Inside& inside, std::size_t index) {
    return of_list(inside.spec, index, mount_this(inside, index));
}

std::vector<std::uint32_t> parents_part(const spec::Spec& spec) {
    std::vector<std::uint32_t> out;
    // What the caller names may be behind directories that only the caller may search, and ids are
    // only mapped by root of the namespace that a file system was mounted in.
    if (spec.root.usual_mounts || !spec.stages.has(Stage::user) || sys::geteuid() != 0)
        return out;
    for (std::uint32_t i = 0; i < spec.root.mounts.size(); ++i)
        if (const spec::Mount& one = spec.root.mounts[i]; one.type == "bind" && !one.remount)
            out.push_back(i);
    return out;
}

Result<std::vector<Fd>> make_for_child(const spec::Spec& spec,
                                       const std::vector<std::uint32_t>& which, const Fd& owner) {
    std::vector<Fd> out;
    out.reserve(which.size());
    for (std::uint32_t index : which)
        out.push_back(TRY(of_list(spec, index, make_bind(spec.root.mounts[index], owner))));
    return out;
}

} // namespace stages::mount
