// Order: what is below first, so that what was said of the mount alone has the last word on it.
#include "stages/bind.hpp"

#include "stages/causes.hpp"
#include "sys/path.hpp"

#include <cerrno>

namespace stages {

namespace {

std::uint64_t propagation_named(const std::string& name) {
    if (name == "shared")
        return MS_SHARED;
    if (name == "slave")
        return MS_SLAVE;
    return name == "unbindable" ? MS_UNBINDABLE : MS_PRIVATE;
}

Result<void> apply_attributes(const Fd& tree, std::uint64_t set, std::uint64_t clear,
                              unsigned flags) {
    if (set == 0 && clear == 0)
        return {};
    return hint(set_attributes(tree, set, flags, clear), [&](const Error& error) {
        if (error.code != EPERM)
            return causes::powerless_root(error.code);
        if ((clear & ~std::uint64_t{MOUNT_ATTR__ATIME}) != 0)
            return std::string("the mount has it from this machine, and a user namespace can't "
                               "take it off: leave out rw, suid, dev or exec");
        if (((set | clear) & MOUNT_ATTR__ATIME) != 0)
            return std::string("a user namespace can't change how access times are kept on a mount "
                               "of this machine: leave noatime out");
        return causes::powerless_root(error.code);
    });
}

std::string as_text(const std::vector<spec::IdMap>& maps) {
    std::string text;
    for (const spec::IdMap& map : maps)
        text += std::to_string(map.inside) + " " + std::to_string(map.outside) + " " +
                std::to_string(map.count) + "\n";
    return text;
}

/// /proc may be of an outer pid namespace, where a process that is ours has another number.
Result<std::string> number_in_proc(const Fd& process) {
    constexpr std::string_view key = "\nPid:\t";
    std::string text =
        TRY(sys::read_file("/proc/self/fdinfo/" + std::to_string(process.get()), 4096));
    std::size_t at = text.find(key);
    if (at == std::string::npos)
        return sys::wrong("/proc does not tell the number of a process");
    at += key.size();
    return text.substr(at, text.find('\n', at) - at);
}

struct Pipe {
    int hears, says;
};

// In a user namespace of its own, in our memory: waits to be killed, or for our end.
void wait_for_maps(void* with) {
    const Pipe& pipe = *static_cast<const Pipe*>(with);
    Fd(pipe.says).close(); // else it would never see the other one's end
    char none = 0;
    (void)sys::read(pipe.hears, std::span(&none, 1)); // whatever it says
    sys::exit_now(0);
}

Result<void> map_ids(const Fd& tree, const spec::Mount& wanted, const Fd& owner) {
    Fd made;
    if (!wanted.uids.empty())
        made = TRY(namespace_with(wanted.uids, wanted.gids));
    else if (!owner.valid())
        made = TRY(sys::openat(AT_FDCWD, "/proc/self/ns/user", O_RDONLY));
    mount_attr attr{};
    attr.attr_set = MOUNT_ATTR_IDMAP;
    attr.userns_fd = static_cast<std::uint64_t>(made.valid() ? made.get() : owner.get());
    unsigned below = wanted.idmap == spec::Idmap::recursive ? AT_RECURSIVE : 0;
    return hint(sys::mount_setattr(tree.get(), "", AT_EMPTY_PATH | below, attr),
                [&](const Error& error) -> std::string {
                    if (error.code == EINVAL)
                        return "the file system of \"" + wanted.source +
                               "\" knows no idmapped mounts: ext4, xfs, btrfs do, and tmpfs since "
                               "Linux 6.3";
                    if (error.code == EPERM)
                        return "only root of the user namespace that a file system was mounted in "
                               "can map its ids, once";
                    return {};
                });
}

std::string no_source(const std::string& path, int code) {
    if (code == ENOENT)
        return "the volume's source must exist: make it first";
    if (code == ENOTDIR)
        return "what is before a \"/\" in it must be a directory";
    if (code != EACCES)
        return {};
    std::string closed = causes::closed_on_the_way(path);
    return "container root may not search " +
           (closed.empty() ? "a directory on the way to it" : "\"" + closed + "\"") + ": 'chmod " +
           causes::search_right(closed) + "' it, or use a copy elsewhere";
}

} // namespace

Result<Fd> namespace_with(const std::vector<spec::IdMap>& uids,
                          const std::vector<spec::IdMap>& gids) {
    auto [hears, says] = TRY(sys::pipe());
    Pipe pipe{hears.get(), says.get()};
    clone_args args{};
    int pidfd = -1;
    args.flags = CLONE_NEWUSER | CLONE_PIDFD;
    args.exit_signal = SIGCHLD;
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    pid_t pid = TRY(sys::clone3(args, wait_for_maps, &pipe));
    Fd process(pidfd);
    auto opened = [&]() -> Result<Fd> {
        std::string proc = "/proc/" + TRY(number_in_proc(process));
        TRY(sys::write_proc(proc + "/uid_map", as_text(uids)));
        TRY(sys::write_proc(proc + "/gid_map", as_text(gids)));
        return sys::openat(AT_FDCWD, proc + "/ns/user", O_RDONLY);
    }();
    (void)sys::pidfd_send_signal(process.get(), SIGKILL); // it does nothing but wait
    (void)sys::waitpid(pid, 0);
    return opened;
}

Result<void> finish_mount(const Fd& tree, const spec::Mount& wanted, const Fd& owner) {
    TRY(apply_attributes(tree, wanted.recursive_attributes, wanted.recursive_cleared,
                         AT_RECURSIVE));
    TRY(apply_attributes(tree, wanted.attributes, wanted.cleared, 0));
    if (wanted.idmap != spec::Idmap::none)
        TRY(map_ids(tree, wanted, owner));
    if (!wanted.propagation_below.empty())
        TRY(set_propagation(tree.get(), "", propagation_named(wanted.propagation_below),
                            AT_EMPTY_PATH | AT_RECURSIVE));
    if (wanted.propagation != wanted.propagation_below)
        TRY(set_propagation(tree.get(), "", propagation_named(wanted.propagation), AT_EMPTY_PATH));
    return {};
}

Result<Fd> make_bind(const spec::Mount& wanted, const Fd& owner) {
    unsigned recursive = wanted.recursive ? AT_RECURSIVE : 0;
    Fd source =
        TRY(hint(sys::openat(AT_FDCWD, wanted.source, O_PATH | (wanted.no_follow ? O_NOFOLLOW : 0)),
                 [&](const Error& error) { return no_source(wanted.source, error.code); }));
    if (wanted.no_follow && S_ISLNK(TRY(sys::fstat(source.get())).st_mode))
        return source;
    Fd tree =
        TRY(hint(clone_mount(source.get(), "", AT_EMPTY_PATH | recursive), [](const Error& error) {
            return error.code == EINVAL
                       ? "something mounted below it is locked: bind it recursively"
                       : causes::powerless_root(error.code);
        }));
    TRY(finish_mount(tree, wanted, owner));
    // A copy of a shared mount is its peer: unless that is wanted, nothing passes between them.
    if (wanted.propagation.empty() && wanted.propagation_below.empty())
        TRY(set_propagation(tree.get(), "", MS_PRIVATE, AT_EMPTY_PATH | AT_RECURSIVE));
    return tree;
}

} // namespace stages
