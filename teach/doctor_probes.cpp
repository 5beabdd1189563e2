// The probes: each makes the calls that a stage would make, and nothing else.
#include "run/parent.hpp"
#include "run/refused.hpp"
#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "stages/net.hpp"
#include "stages/rootfs.hpp"
#include "stages/seccomp_profile.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"
#include "sys/flags.hpp"
#include "sys/path.hpp"
#include "teach/doctor_probe.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

namespace teach {

namespace causes = stages::causes;
using causes::Id;
using sys::Error;
using sys::Fd;
using sys::Result;

namespace {

Result<void> powerful(Result<void> result) {
    return stages::hint(std::move(result),
                        [](const Error& error) { return causes::powerless_root(error.code); });
}

// --- the kernel ----------------------------------------------------------------------------------

Result<void> kernel(const Ground&) {
    std::string release = TRY(sys::kernel_release());
    if (release.ends_with("-Microsoft")) // WSL 2 says "-microsoft-standard-WSL2"
        return causes::wrong(Id::wsl1);
    if (stages::seccomp::kernel_version(release) < stages::seccomp::KernelVersion{5, 12})
        return causes::wrong(Id::old_kernel, {"mount_setattr (it is " + release + ")"});
    return {};
}

// --- namespaces ----------------------------------------------------------------------------------

/// As the launch asks for it: by clone3, and all in one.
Result<void> clone(const Ground& ground, std::uint64_t flag, const char* kind) {
    std::uint64_t flags = flag | (ground.own_user ? CLONE_NEWUSER : 0U);
    int code = run::try_clone(flags);
    if (code == 0)
        return {};
    std::string call = "clone3(" + sys::show(sys::Flags{flags, sys::names::clone}) + ")";
    Error error{.stage = {}, .call = call, .code = code, .detail = {}, .hint = {}};
    bool user = ground.own_user && run::try_clone(CLONE_NEWUSER) == code; // that one already
    error.hint = causes::no_namespace(user ? "user" : kind, code);
    return std::unexpected(std::move(error));
}
Result<void> user_namespace(const Ground&) {
    return clone({.rootfs = {}, .own_user = true}, 0, "user");
}
// This one and time's are unshared from within the user namespace, which has limits of its own and
// shows none of those outside: whether it may be made at all is asked from here.
Result<void> cgroup_namespace(const Ground& ground) {
    TRY(clone(ground, CLONE_NEWCGROUP, "cgroup"));
    TRY(become_root_in(ground, 0));
    Rehearsal rehearsal = TRY(Rehearsal::make());
    stages::Facts facts;
    stages::Inside inside{.spec = rehearsal.spec(), .facts = facts};
    return stages::cgroup::child(inside);
}
Result<void> net_namespace(const Ground& ground) {
    return clone(ground, CLONE_NEWNET, "net");
}
Result<void> uts_namespace(const Ground& ground) {
    return clone(ground, CLONE_NEWUTS, "uts");
}
Result<void> ipc_namespace(const Ground& ground) {
    return clone(ground, CLONE_NEWIPC, "ipc");
}
Result<void> mount_namespace(const Ground& ground) {
    return clone(ground, CLONE_NEWNS, "mnt");
}
Result<void> pid_namespace(const Ground& ground) {
    return clone(ground, CLONE_NEWPID, "pid");
}

// --- ids -----------------------------------------------------------------------------------------

Result<void> id_map(const Ground&) {
    return become_root_in({.rootfs = {}, .own_user = true}, 0);
}

/// The map that a launch would write: of all ids that the caller has.
Result<void> automatic_map(const Ground&) {
    Rehearsal rehearsal = TRY(Rehearsal::make());
    return rehearsal.start_child({.rootfs = {}, .own_user = true}, 0);
}

/// 65536 of them are what images are made for.
Result<void> subordinate_ids(const Ground&) {
    Rehearsal rehearsal = TRY(Rehearsal::make());
    TRY(rehearsal.start_child({.rootfs = {}, .own_user = true}, 0));
    if (rehearsal.has_said_something() && sys::geteuid() != 0)
        return sys::wrong("only one id is mapped");
    const stages::Facts& facts = rehearsal.launch().facts;
    for (const auto& [map, file] :
         {std::pair(&facts.uids, "/etc/subuid"), std::pair(&facts.gids, "/etc/subgid")}) {
        std::uint64_t count = 0;
        for (const spec::IdMap& range : *map)
            count += range.count;
        if (count == 1)
            return causes::wrong(Id::subid_missing, {file, causes::free_ids()});
        if (count < 65536)
            return causes::wrong(Id::subid_small,
                                 {file, std::to_string(count), causes::free_ids()});
    }
    return {};
}

// --- the network
// -----------------------------------------------------------------------------------

Result<void> loopback(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNET));
    return powerful(sys::link_up("lo"));
}

/// A way out, as a launch makes it: the program is started, and says that the network is up.
Result<void> way_out(const Ground& ground, spec::NetMode mode) {
    Rehearsal rehearsal = TRY(Rehearsal::make());
    rehearsal.spec().net.mode = mode;
    TRY(stages::net::prepare(rehearsal.launch()));
    TRY(rehearsal.start_child(ground, CLONE_NEWNET));
    return stages::net::parent(rehearsal.launch());
}
Result<void> slirp4netns(const Ground& ground) {
    return way_out(ground, spec::NetMode::slirp);
}
Result<void> pasta(const Ground& ground) {
    return way_out(ground, spec::NetMode::pasta);
}

Result<void> tap(const Ground& ground) {
    auto why = [](const Error& error) { return stages::net::no_tun(error.code); };
    TRY(stages::hint(sys::openat(AT_FDCWD, "/dev/net/tun", O_RDWR), why));
    Rehearsal rehearsal = TRY(Rehearsal::make());
    TRY(rehearsal.start_child(ground, CLONE_NEWNET));
    std::uint64_t namespaces = CLONE_NEWNET | (ground.own_user ? CLONE_NEWUSER : 0U);
    return stages::hint(
        sys::make_tap(rehearsal.launch().pidfd.get(), namespaces, stages::net::kTap), why);
}

/// slirp4netns and pasta send a container's pings by such a socket.
Result<void> ping(const Ground&) {
    auto socket = sys::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    if (socket || socket.error().code != EACCES)
        return socket ? Result<void>{} : std::unexpected(std::move(socket).error());
    std::string range = sys::read_file("/proc/sys/net/ipv4/ping_group_range", 64).value_or("?");
    range = range.substr(0, range.find('\n'));
    std::ranges::replace(range, '\t', ' ');
    return causes::wrong(Id::ping_closed, {std::to_string(sys::getgid()), range});
}

// --- names, clocks
// ---------------------------------------------------------------------------------

Result<void> hostname(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWUTS));
    return powerful(sys::sethostname("doctor"));
}

Result<void> clocks(const Ground& ground) {
    TRY(clone(ground, CLONE_NEWTIME, "time"));
    TRY(become_root_in(ground, 0));
    spec::Spec spec;
    spec.time.boottime = 60;
    stages::Facts facts;
    stages::Inside inside{.spec = spec, .facts = facts};
    return stages::time::child(inside);
}

// --- mounts
// ----------------------------------------------------------------------------------------

/// In a mount namespace of its own, put `type` where "/" is: it covers what is there.
Result<Fd> mount_new(const std::string& type, const std::vector<std::string>& options) {
    Fd made = TRY(stages::new_filesystem(type, options, stages::kQuiet));
    Fd top = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    TRY(powerful(stages::attach(made, top)));
    return made;
}

Result<void> tmpfs(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNS));
    TRY(keep_mounts_private());
    TRY(mount_new("tmpfs", {"size=64k"}));
    return {};
}

Result<void> bind(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNS));
    TRY(keep_mounts_private());
    auto copy = stages::clone_mount(AT_FDCWD, "/", AT_RECURSIVE);
    if (!copy)
        return powerful(std::unexpected(std::move(copy).error()));
    Fd top = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    TRY(powerful(stages::attach(*copy, top)));
    return powerful(stages::set_attributes(*copy, MOUNT_ATTR_RDONLY));
}

Result<void> terminals(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNS));
    TRY(keep_mounts_private());
    TRY(mount_new("devpts", {"newinstance", "ptmxmode=0666", "mode=0620"}));
    return {};
}

Result<void> queues(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNS | CLONE_NEWIPC));
    TRY(keep_mounts_private());
    TRY(mount_new("mqueue", {}));
    return {};
}

Result<void> overlay(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNS));
    TRY(keep_mounts_private());
    Fd rootfs = sys::openat(AT_FDCWD, ground.rootfs, O_PATH | O_DIRECTORY).value_or(Fd());
    std::vector<std::string> options;
    Fd layers = TRY(stages::new_filesystem("tmpfs", {"size=64k"}, MOUNT_ATTR_NOSUID));
    Fd top = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    TRY(powerful(stages::attach(layers, top)));
    std::vector<Fd> open;
    for (const char* layer : {"lower", "upper", "work"}) {
        TRY(sys::mkdirat(layers.get(), layer, 0755));
        open.push_back(TRY(sys::openat(layers.get(), layer, O_PATH | O_DIRECTORY)));
        const Fd& fd = layer == std::string_view("lower") && rootfs.valid() ? rootfs : open.back();
        options.push_back(std::string(layer) + "dir=/proc/self/fd/" + std::to_string(fd.get()));
    }
    if (ground.own_user)
        options.emplace_back("userxattr");
    auto merged = stages::new_filesystem("overlay", options, 0);
    if (merged)
        return {};
    Error error = std::move(merged).error();
    error.hint = causes::no_overlay(ground.rootfs, std::exchange(error.detail, {}), error.code);
    return std::unexpected(std::move(error));
}

/// Where there is none, what it takes to make one.
Result<void> rootfs(const Ground& ground) {
    if (!sys::exists(ground.rootfs) && sys::find_program("busybox").empty() &&
        sys::find_program("busybox.static").empty())
        return causes::wrong(Id::busybox_missing,
                             {causes::install("busybox-static", "busybox", "busybox-static")});
    spec::Spec spec;
    spec.root.path = ground.rootfs;
    return stages::check_rootfs(spec);
}

/// Or that of the directory in which one would be made.
Result<void> rootfs_disk(const Ground& ground) {
    std::string path = sys::exists(ground.rootfs) ? ground.rootfs : ".";
    std::string kind = causes::file_system(path);
    if (kind.empty() || kind == "overlayfs")
        return {};
    return causes::wrong(Id::rootfs_maybe_on_share, {path, kind});
}

/// A new PID namespace is for children: one of them mounts it.
Result<void> proc(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNS | CLONE_NEWPID));
    TRY(keep_mounts_private());
    Finding found = try_in_child("proc", []() -> Result<void> {
        Fd proc = TRY(stages::new_filesystem("proc", {}, stages::kQuiet, causes::no_proc));
        Fd place = TRY(sys::openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
        return powerful(stages::attach(proc, place));
    });
    if (found.works)
        return {};
    causes::hear(found.cause);
    return std::unexpected(std::move(found.error));
}

Result<void> pivot_root(const Ground& ground) {
    TRY(become_root_in(ground, CLONE_NEWNS));
    TRY(keep_mounts_private());
    Fd root = TRY(mount_new("tmpfs", {"size=64k"}));
    TRY(sys::fchdir(root.get()));
    TRY(powerful(sys::pivot_root(".", ".")));
    return powerful(sys::umount2(".", sys::kDetach));
}

// --- powers
// ----------------------------------------------------------------------------------------

Result<void> capabilities(const Ground& ground) {
    TRY(become_root_in(ground, 0));
    auto all = sys::held_capabilities();
    if (!all)
        return std::unexpected(std::move(all).error());
    std::vector<std::string> some{"cap_chown"};
    TRY(powerful(sys::bound_capabilities(some)));
    return powerful(sys::set_capabilities(
        {.permitted = some, .effective = some, .inheritable = {}, .ambient = {}}));
}

Result<void> filter(const Ground& ground) {
    TRY(become_root_in(ground, 0));
    spec::Spec spec;
    spec.stages.remove(spec::Stage::caps); // then the stage sets no_new_privs itself
    stages::Facts facts;
    stages::Inside inside{.spec = spec, .facts = facts};
    return stages::seccomp::child(inside); // what it says after that, its own filter lets pass
}

// --- all together
// ----------------------------------------------------------------------------------

/// A whole container, whose changes vanish. Nothing is started in it that it does not have.
Result<void> launch(const Ground& ground) {
    spec::Spec spec;
    spec.quiet = true;
    spec.root.path = ground.rootfs;
    spec.root.overlay = true;
    spec.root.masked = spec::default_masked_paths();
    spec.root.readonly = spec::default_readonly_paths();
    auto usual = spec::default_capabilities();
    spec.capabilities.bounding = spec.capabilities.permitted = spec.capabilities.effective = usual;
    spec.net.mode = spec::NetMode::none;
    spec.process.args = {"/bin/true"};
    if (!ground.own_user)
        spec.stages.remove(spec::Stage::user);
    auto status = run::launch(std::move(spec), [](const std::string&) {});
    constexpr int kNotThere = 127;
    if (!status && status.error().status != kNotThere)
        return std::unexpected(std::move(status).error());
    return {};
}

constexpr Probe kProbes[] = {
    {"kernel", "have Linux 5.12 or newer", kernel},
    {"user-namespace", "make a user namespace", user_namespace},
    {"id-map", "be root in it, by a map of one id", id_map},
    {"automatic-map", "map the ids that a launch would map", automatic_map},
    {"subordinate-ids", "map 65536 ids of /etc/subuid", subordinate_ids},
    {"cgroup-namespace", "make a cgroup namespace", cgroup_namespace},
    {"cgroup-leaf", "make a cgroup for a container", try_leaf},
    {"limit-memory", "limit its memory", try_memory_limit},
    {"limit-pids", "limit its processes", try_pids_limit},
    {"limit-cpu", "limit its CPU time", try_cpu_limit},
    {"limit-cpuset", "choose its CPUs", try_cpuset},
    {"limit-io", "weigh its disk accesses", try_io_limit},
    {"net-namespace", "make a network namespace", net_namespace},
    {"loopback", "bring its loopback up", loopback},
    {"tap", "make a tap device through /dev/net/tun", tap},
    {"slirp4netns", "connect it by slirp4netns", slirp4netns},
    {"pasta", "connect it by pasta", pasta},
    {"ping", "send pings for it", ping},
    {"uts-namespace", "make a UTS namespace", uts_namespace},
    {"hostname", "set its host name", hostname},
    {"ipc-namespace", "make an IPC namespace", ipc_namespace},
    {"time-namespace", "make a time namespace, with other clocks", clocks},
    {"mount-namespace", "make a mount namespace", mount_namespace},
    {"tmpfs", "mount a tmpfs", tmpfs},
    {"bind", "bind a tree, read-only", bind},
    {"devpts", "mount new terminals", terminals},
    {"mqueue", "mount new message queues", queues},
    {"overlay", "mount an overlay", overlay},
    {"rootfs", "find a root filesystem", rootfs},
    {"rootfs-disk", "be sure that its file system can hold it", rootfs_disk},
    {"pid-namespace", "make a PID namespace", pid_namespace},
    {"proc", "mount its /proc", proc},
    {"pivot-root", "pivot_root, and drop the old root", pivot_root},
    {"capabilities", "drop capabilities", capabilities},
    {"seccomp-filter", "load a filter of system calls", filter},
    {"launch", "start a whole container", launch},
};

} // namespace

std::span<const Probe> probes() {
    return kProbes;
}

} // namespace teach
