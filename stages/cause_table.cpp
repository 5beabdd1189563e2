// The one table of causes, and how a row becomes text.
#include "stages/cause_table.hpp"

#include <algorithm>
#include <iterator>

namespace stages::causes {

namespace {

// What is said more than once.
#define NOTHING "nothing"
#define USERNS_OPENS                                                                               \
    "every user can reach parts of the kernel that are root's otherwise (mounting, netfilter), "   \
    "which have had flaws: the reason why it was switched off"
#define DOCKER_OPENS                                                                               \
    "--privileged makes root of that container root of the machine; the narrower options let its " \
    "programs use system calls that Docker's filter keeps from them"
#define UNFILTERED                                                                                 \
    "run with --security-opt seccomp=unconfined, or with --privileged (gocontainer's own inside "  \
    "another: that one with --seccomp none)"
#define DOCKER_RUN                                                                                 \
    "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "             \
    "--security-opt systempaths=unconfined --device /dev/net/tun …"
#define V1_OPENS                                                                                   \
    "nothing, but programs that know only cgroup v1 (old Docker, old Java) find no limits any "    \
    "more"
#define DELEGATE_OPENS                                                                             \
    "this user can divide the CPU time and memory of the user's own cgroup, and no more than that"

// clang-format off
constexpr Row kRows[] = {
    // --- user namespaces ---
    {Id::debian_switch, "debian-switch",
     "user namespaces are switched off for ordinary users (kernel.unprivileged_userns_clone=0)",
     "'sudo sysctl kernel.unprivileged_userns_clone=1'",
     "sudo sysctl kernel.unprivileged_userns_clone=1", USERNS_OPENS},
    {Id::no_namespaces, "namespaces-off",
     "@1 namespaces are switched off (user.max_@1_namespaces=0)",
     "'sudo sysctl user.max_@1_namespaces=15000'",
     "sudo sysctl user.max_@1_namespaces=15000", USERNS_OPENS},
    {Id::too_many_namespaces, "namespaces-used-up",
     "too many @1 namespaces: 32 levels deep, or more than user.max_@1_namespaces=@2", "", "",
     "processes can use more of the kernel's memory"},
    {Id::too_many_around, "namespaces-used-up",
     "a user namespace around the one that we are in allows no more @1 namespaces, as in 'bwrap "
     "--disable-userns', or we are 32 levels deep",
     "start outside of it", "", NOTHING},
    {Id::apparmor_rule, "apparmor-rule",
     "AppArmor takes the powers of unprivileged user namespaces away "
     "(kernel.apparmor_restrict_unprivileged_userns=1)",
     "give this program a profile with 'userns,' in /etc/apparmor.d, or 'sudo sysctl "
     "kernel.apparmor_restrict_unprivileged_userns=0'",
     "printf '%s\\n' 'abi <abi/4.0>,' 'include <tunables/global>' \\\n"
     "  'profile gocontainer \"@program\" flags=(unconfined) {' \\\n"
     "  '  userns,' '}' | sudo tee /etc/apparmor.d/gocontainer >/dev/null\n"
     "sudo apparmor_parser -r /etc/apparmor.d/gocontainer",
     "whatever this one program starts can be root of a user namespace again, and so can what "
     "replaces the file: keep it where only you can write. Other programs stay as they are"},
    {Id::apparmor_profile, "apparmor-profile",
     "AppArmor confines this program with the profile \"@1\"",
     "allow 'userns,' (and mounting) in it, or see 'sudo aa-status'", "",
     "whatever runs under that profile may do so, too"},
    {Id::apparmor_docker, "apparmor-profile",
     "AppArmor confines this program with the profile \"@1\", as Docker puts on its containers",
     "run with --security-opt apparmor=unconfined, or with --privileged", DOCKER_RUN, DOCKER_OPENS},
    {Id::seccomp_filter, "seccomp-filter",
     "a seccomp filter is on this process, as Docker puts on its containers",
     UNFILTERED, DOCKER_RUN, DOCKER_OPENS},
    {Id::seccomp_hides, "seccomp-hides",
     "a seccomp filter on this process (as Docker puts on its containers) hides @1, which this "
     "kernel (@2) has; gocontainer needs Linux 5.12 or newer, all of it",
     UNFILTERED, DOCKER_RUN, DOCKER_OPENS},
    {Id::in_chroot, "in-chroot",
     "the kernel makes no user namespace for a process in a chroot, or whose / another mount covers",
     "leave it first", "", NOTHING},
    {Id::maybe_chroot, "in-chroot",
     "the kernel makes no user namespace for a process in a chroot, which this may be, nor where a "
     "security module forbids it",
     "leave the chroot first, or go on as root with --no-user", "", NOTHING},
    {Id::caller_unmapped, "caller-unmapped",
     "the user namespace that we are in has no id for its caller, and nobody without one makes another",
     "map yourself in it, as 'unshare --map-root-user' does", "", NOTHING},
    {Id::not_built, "not-built", "this kernel is built without @1 namespaces (see /proc/self/ns)",
     "", "", NOTHING},
    {Id::old_kernel, "old-kernel", "this kernel (or a seccomp filter on this process) does not have @1",
     "gocontainer needs Linux 5.12 or newer", "", NOTHING},
    {Id::userns_needed, "user-namespace-needed",
     "only root may make this namespace without a user namespace of its own",
     "keep the user stage", "", NOTHING},
    {Id::wsl1, "wsl1", "this is WSL 1, which has no Linux kernel and so no namespaces",
     "in PowerShell: wsl --set-version NAME 2", "wsl.exe --set-version \"$WSL_DISTRO_NAME\" 2",
     "nothing: the distribution then runs in a small virtual machine"},
    // --- /proc ---
    {Id::proc_masked, "proc-masked",
     "the /proc that is visible here is partly masked, as inside a container without --privileged, "
     "so the kernel gives no fresh one",
     "--proc bind shows the outer /proc, --proc none leaves it empty, or run the outer container "
     "with --privileged (Docker: also --security-opt systempaths=unconfined)",
     DOCKER_RUN, "that container's root can write to the machine's settings below /proc/sys"},
    {Id::proc_foreign, "proc-foreign",
     "/proc is another PID namespace's, where our processes have other numbers",
     "mount one of ours first: 'mount -t proc proc /proc', which unshare(1) has --mount-proc for",
     "unshare --fork --pid --mount-proc …", NOTHING},
    {Id::proc_missing, "proc-missing", "/proc is not mounted here",
     "'mount -t proc proc /proc'", "mount -t proc proc /proc", NOTHING},
    // --- more than one id ---
    {Id::uidmap_missing, "newuidmap-missing",
     "only id 0 is mapped, since newuidmap is missing", "'@1'", "sudo @1",
     "nothing: it lets users map the ids that /etc/subuid gives them, and no others"},
    {Id::uidmap_powerless, "newuidmap-powerless", "\"@1\" has lost its setuid bit",
     "'sudo chmod u+s @1', or go on with --map single", "sudo chmod u+s @1",
     "it runs as root then, as it is meant to"},
    {Id::uidmap_nosuid, "newuidmap-nosuid",
     "\"@1\" is on a file system that is mounted nosuid, so its setuid bit has no effect",
     "'sudo mount -o remount,suid @2', or go on with --map single", "sudo mount -o remount,suid @2",
     "every setuid program there has its effect again"},
    {Id::uidmap_bounded, "newuidmap-bounded",
     "\"@1\" is a setuid program, which needs CAP_SYS_ADMIN to write a map, and the container that we "
     "are in was not given that",
     "as root, give it a file capability instead ('chmod u-s @1 && setcap @2=ep @1'), or go on with "
     "--map single",
     "chmod u-s @1 && setcap @2=ep @1   # as root of the container",
     "nothing: it can do less than before"},
    {Id::no_new_privs, "no-new-privs",
     "no_new_privs is set on this process, so the setuid bit of \"@1\" has no effect",
     "go on with --map single", "", NOTHING},
    {Id::subid_missing, "subid-missing", "these ids are not yours: @1 gives you no such range",
     "'sudo usermod --add-subuids @2 --add-subgids @2 $USER', or go on with --map auto (what is "
     "yours) or --map single (you alone)",
     "sudo usermod --add-subuids @2 --add-subgids @2 @user",
     "this user's containers own these 65536 ids of the machine: give them to nobody else"},
    {Id::subid_elsewhere, "subid-elsewhere",
     "@1 speaks of ids that the user namespace that we are in does not have",
     "start outside of it, or go on with --map single", "", NOTHING},
    {Id::subid_small, "subid-small",
     "@1 gives you only @2 ids: files of other users of an image can't be made",
     "make it 65536, see subuid(5)",
     "sudo usermod --add-subuids @3 --add-subgids @3 @user",
     "this user's containers own these 65536 ids of the machine: give them to nobody else"},
    // --- root filesystems ---
    {Id::rootfs_missing, "rootfs-missing", "there is no root filesystem at \"@1\"",
     "make one with 'rootfs-scripts/busybox @1' (no network needed) or 'rootfs-scripts/image "
     "docker://alpine @1', or name another (--rootfs, or root.path of a bundle)",
     "rootfs-scripts/busybox @1", NOTHING},
    {Id::rootfs_no_directory, "rootfs-no-directory", "\"@1\" is not a directory",
     "a root filesystem is one: see rootfs-scripts/", "", NOTHING},
    {Id::rootfs_of_the_kernel, "rootfs-of-the-kernel",
     "\"@1\" is on @2, which shows things of the kernel's and can't hold a root filesystem",
     "name another (--rootfs, or root.path of a bundle), or make one with 'rootfs-scripts/busybox "
     "./rootfs'",
     "rootfs-scripts/busybox ./rootfs", NOTHING},
    {Id::rootfs_without_programs, "rootfs-without-programs",
     "\"@1\" is no root filesystem: neither the command nor any of /bin, /sbin, /usr/bin, /usr/sbin "
     "and /usr/local/bin is in it",
     "name another (--rootfs, or root.path of a bundle), make one with 'rootfs-scripts/busybox "
     "./rootfs', or bring programs in with -v",
     "rootfs-scripts/busybox ./rootfs", NOTHING},
    {Id::rootfs_closed, "rootfs-closed", "uid @1 may not search \"@2\"",
     "'chmod o+x @2', or move the root filesystem", "chmod o+x @2",
     "every user may pass through that directory, to files whose names are known"},
    {Id::rootfs_closed_to_owner, "rootfs-closed-to-owner", "uid @1 may not search \"@2\"",
     "'chmod u+x @2'", "chmod u+x @2", NOTHING},
    {Id::rootfs_unreadable, "rootfs-unreadable", "uid @1 may not search \"@2\"", "'chmod o+rx @2'",
     "chmod o+rx @2", "every user may look into that directory"},
    {Id::rootfs_noexec, "rootfs-noexec",
     "\"@1\" is mounted noexec, so no command in it can run",
     "move it to another file system, or remount this one with exec", "",
     "remounting lets every program on that file system run"},
    {Id::rootfs_on_share, "rootfs-on-share",
     "\"@1\" is on @2, which can't hold a root filesystem",
     "make it on a local disk, as in $HOME of the virtual machine", "rootfs-scripts/busybox ~/rootfs",
     NOTHING},
    {Id::rootfs_maybe_on_share, "rootfs-on-a-share",
     "\"@1\" is on @2, which may refuse files of the container's other users",
     "make it on a local disk, as in $HOME of the virtual machine", "rootfs-scripts/busybox ~/rootfs",
     NOTHING},
    {Id::rootfs_read_only, "rootfs-read-only",
     "\"@1\" is on a read-only file system, and the mount point is missing in it",
     "make it there, or use --overlay", "", NOTHING},
    {Id::rootfs_full, "rootfs-full",
     "the mount point is missing, and no more fits into the file system of \"@1\"",
     "make room ('df -h @1' and 'df -i @1' show what is used), or use --overlay", "", NOTHING},
    {Id::rootfs_foreign, "rootfs-foreign",
     "the mount point is missing and container root may not make it",
     "does \"@1\" belong to you? --overlay works on anybody's", "", NOTHING},
    {Id::busybox_missing, "busybox-missing",
     "rootfs-scripts/busybox needs a static busybox, and none is installed", "'@1'", "sudo @1",
     NOTHING},
    // --- overlayfs ---
    {Id::overlay_missing, "overlay-missing", "this kernel has no overlayfs, or not yet",
     "'sudo modprobe overlay'", "sudo modprobe overlay", "one more file system of the kernel's"},
    {Id::overlay_too_old, "overlay-too-old",
     "this is Linux @1, and overlayfs in a user namespace needs 5.11",
     "use a newer one, or go on as root with --no-user, or with --read-only and --tmpfs DIR for "
     "what is written",
     "", NOTHING},
    {Id::overlay_on, "overlay-on-share", "\"@1\" is on @2, over which overlayfs does not work@3",
     "use one on a local disk", "", NOTHING},
    {Id::overlay_mounts, "overlay-over-mounts",
     "something is mounted in \"@1\" (\"@2\"), and in a user namespace overlayfs takes no directory "
     "that covers a mount",
     "name a root filesystem in which nothing is mounted, or go on with --read-only, and --tmpfs DIR "
     "for what is written",
     "", NOTHING},
    // --- the network ---
    {Id::tun_missing, "tun-missing", "slirp4netns and pasta need this device",
     "'sudo modprobe tun', inside another container start that one with '--device /dev/net/tun', "
     "or go on with --net none",
     "sudo modprobe tun", "users can make tap devices, in network namespaces of their own"},
    {Id::tun_missing_inside, "tun-missing", "slirp4netns and pasta need this device",
     "'sudo modprobe tun', inside another container start that one with '--device /dev/net/tun', "
     "or go on with --net none",
     "docker run --device /dev/net/tun …", "that container's root can make tap devices in its network namespace"},
    {Id::tun_no_driver, "tun-no-driver", "its driver is not loaded",
     "'sudo modprobe tun', or go on with --net none", "sudo modprobe tun",
     "users can make tap devices, in network namespaces of their own"},
    {Id::tun_forbidden, "tun-forbidden", "the container around us may not use this device",
     "start that one with '--device /dev/net/tun', or go on with --net none",
     "docker run --device /dev/net/tun …",
     "that container's root can make tap devices in its network namespace"},
    {Id::tun_closed, "tun-closed", "everybody should be allowed to use this device",
     "'sudo chmod 666 /dev/net/tun', or go on with --net none", "sudo chmod 666 /dev/net/tun",
     "nothing: to make a device with it takes CAP_NET_ADMIN, and udev gives it this mode anyway"},
    {Id::tun_other, "tun-refused", "--net none goes without it", "", "", NOTHING},
    {Id::slirp_missing, "slirp4netns-missing", "slirp4netns is not installed",
     "'@1', or go on with --net none", "sudo @1",
     "nothing: it makes ordinary connections as the user who runs it"},
    {Id::pasta_missing, "pasta-missing", "pasta is not installed", "'@1', or go on with --net none",
     "sudo @1", "nothing: it makes ordinary connections as the user who runs it"},
    {Id::slirp_bounded, "slirp4netns-bounded",
     "root's slirp4netns needs CAP_SYS_ADMIN for its sandbox, and the container that we are in was "
     "not given that",
     "be an ordinary user in it, whose sandbox is in a user namespace, or go on with --net pasta or "
     "--net none",
     "setpriv --reuid 1000 --regid 1000 --clear-groups @program …   # as root of the container",
     "nothing: it can do less than before"},
    {Id::ping_closed, "ping-closed",
     "group @1 may not ping (net.ipv4.ping_group_range=@2), so nothing outside answers a ping from "
     "the container",
     "'sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"'",
     "sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'",
     "every user can send pings, and nothing else"},
    // --- cgroups ---
    {Id::cgroup_none, "cgroup-none", "this kernel has no cgroups, or /proc is not mounted",
     "boot a kernel with CONFIG_CGROUPS, or mount /proc", "", NOTHING},
    {Id::cgroup_v1, "cgroup-v1", "only cgroup v1 is mounted here",
     "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all on the kernel's command line",
     "", V1_OPENS},
    {Id::cgroup_v1_wsl, "cgroup-v1", "only cgroup v1 is mounted here",
     "put \"kernelCommandLine = cgroup_no_v1=all\" below [wsl2] in .wslconfig and run "
     "wsl --shutdown",
     "", V1_OPENS},
    {Id::cgroup_unmounted, "cgroup-unmounted", "no cgroup v2 is mounted at \"/sys/fs/cgroup\"",
     "as root: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
     "sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup", NOTHING},
    {Id::controller_v1, "controller-v1", "\"@1\" is a cgroup v1 controller here@2",
     "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all on the kernel's command line",
     "", V1_OPENS},
    {Id::controller_v1_wsl, "controller-v1", "\"@1\" is a cgroup v1 controller here@2",
     "put \"kernelCommandLine = cgroup_no_v1=all\" below [wsl2] in .wslconfig and run "
     "wsl --shutdown",
     "", V1_OPENS},
    {Id::controller_off, "controller-off", "\"@1\" is switched off",
     "boot without it, or with cgroup_enable=@1", "", "the controller costs a little memory"},
    {Id::controller_not_given, "controller-not-given",
     "the container that we are in was not given the \"@1\" controller",
     "run on the host, or start that container with its cgroup delegated",
     "docker run --privileged --cgroupns=private …", DOCKER_OPENS},
    {Id::controller_not_built, "controller-not-built", "this kernel has no \"@1\" controller",
     "boot one with @2", "", NOTHING},
    {Id::cgroup_read_only, "cgroup-read-only", "\"@1\" is mounted read-only",
     "run on the host, or start the container that we are in with docker run --privileged",
     "docker run --privileged --cgroupns=private …", DOCKER_OPENS},
    {Id::controller_not_handed, "controller-not-handed-down",
     "the \"@1\" controller is not handed down to \"@2\"", "@3", "@4", DELEGATE_OPENS},
    {Id::cgroup_has_processes, "cgroup-has-processes", "\"@1\" has processes in it", "@2", "@3",
     NOTHING},
    {Id::cgroup_refused, "cgroup-refused", "@1", "@2", "", NOTHING},
    {Id::cgroup_not_delegated, "cgroup-not-delegated", "no cgroup v2 delegated to uid @1", "@2",
     "@3", DELEGATE_OPENS},
    {Id::cgroup_managed, "cgroup-managed", "\"@1\" is systemd's to manage", "@2", "@3",
     DELEGATE_OPENS},
    {Id::cgroup_no_place, "cgroup-no-place", "no place for a leaf", "", "", NOTHING},
};
// clang-format on

std::string filled(const char* text, const std::vector<std::string>& found) {
    std::string out;
    for (; *text != '\0'; ++text) {
        auto number = static_cast<std::size_t>(text[1] - '1'); // text[1] may be the end
        if (*text == '@' && number < 9) {
            if (number < found.size())
                out += found[number];
            ++text;
        } else {
            out += *text;
        }
    }
    return out;
}

const Ear* ear = nullptr;

} // namespace

std::span<const Row> rows() {
    return kRows;
}

std::string Cause::hint() const {
    std::string text = what;
    for (const std::string* part : {&why, &fix})
        if (!part->empty())
            text += (text.empty() ? "" : ": ") + *part;
    return text;
}

Cause cause(Id id, const std::vector<std::string>& found) {
    const Row& row = *std::ranges::find(kRows, id, &Row::id);
    return {.name = row.name,
            .what = filled(row.what, found),
            .why = {},
            .fix = filled(row.fix, found),
            .command = filled(row.command, found),
            .opens = row.opens};
}

std::string hint_of(Id id, const std::vector<std::string>& found) {
    Cause it = cause(id, found);
    hear(it);
    return it.hint();
}

std::unexpected<sys::Error> wrong(Id id, const std::vector<std::string>& found) {
    Cause it = cause(id, found);
    hear(it);
    return sys::wrong(std::move(it.what), std::move(it.fix));
}

void hear(const Cause& cause) {
    if (ear != nullptr)
        ear->hears(cause);
}

Ear::Ear(std::function<void(const Cause&)> hearing) : hears(std::move(hearing)) {
    ear = this;
}

Ear::~Ear() {
    ear = nullptr;
}

} // namespace stages::causes
