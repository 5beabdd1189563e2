// The escapes, in the lessons' order.
#include "teach/escapes/escapes.hpp"

#include <algorithm>

namespace teach {

namespace {

constexpr Escape kEscapes[] = {
    {"chroot-fd", "climb out of the root by a directory that is kept open",
     "pivot_root leaves nothing above the root", Proof::word, false, chroot_fd},
    {"pivot-no-umount", "step into the old root that is still mounted on the new one",
     "the old root is unmounted", Proof::word, false, pivot_no_umount},
    {"leaked-fd", "read through a directory that the launcher left open",
     "descriptors are closed before the exec", Proof::word, false, leaked_fd},
    {"host-proc", "see the host's processes in /proc", "a new /proc, of a new PID namespace",
     Proof::word, false, host_proc},
    {"ptrace-host", "read the memory of a host's process",
     "no number for it (pid), no rights over it (user)", Proof::word, false, ptrace_host},
    {"kill-host", "end a host's process by its number", "no number for it (pid)", Proof::killed,
     false, kill_host},
    {"signal-across", "signal the launcher's process group", "a session of its own", Proof::killed,
     false, signal_across},
    {"shared-mounts", "mount where the host sees it",
     "private mounts (mount), no CAP_SYS_ADMIN (caps)", Proof::mount, false, shared_mounts},
    {"fork-bomb", "make a hundred processes", "pids.max (cgroup)", Proof::claim, false, fork_bomb},
    {"raw-socket", "send a forged packet on the host's network", "a network of its own (net)",
     Proof::datagram, false, raw_socket},
    {"mknod", "make a device of the machine's", "a user namespace (user)", Proof::claim, true,
     make_node},
    {"abstract-socket", "connect to a host's program by an abstract name",
     "a network of its own (net)", Proof::connection, false, abstract_socket},
    {"setgroups", "become a member of a host's group",
     "groups that are not mapped can't be named (user)", Proof::word, true, set_groups},
    {"release-agent", "have the kernel run a program as the machine's root",
     "no CAP_SYS_ADMIN over the machine (user, caps)", Proof::claim, true, release_agent},
    {"proc-self-exe", "open the binary that started the container for writing",
     "it is on a read-only mount of its own", Proof::claim, false, proc_self_exe},
};

} // namespace

std::span<const Escape> escapes() {
    return kEscapes;
}

const Escape* escape_named(const std::string& name) {
    auto found = std::ranges::find(kEscapes, name, &Escape::name);
    return found == std::end(kEscapes) ? nullptr : found;
}

} // namespace teach
