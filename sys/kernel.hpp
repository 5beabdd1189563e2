// Every kernel call the product makes, under the kernel's own names.
//
// Each is one line over invoke() (sys/seam.hpp). They return what the call returns; descriptors
// are O_CLOEXEC. The man page of the same name is the documentation, section 2 unless said.
#pragma once

#include "sys/fd.hpp"
#include "sys/result.hpp"
#include "sys/seam.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <termios.h>
#include <unistd.h>

// linux/mount.h and sys/mount.h declare the same enums and can't be mixed; the kernel's is the
// complete one on every libc.
#include <linux/mount.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sys {

// What linux/mount.h leaves to libc (umount2(2)).
constexpr int kDetach = 2;   ///< MNT_DETACH
constexpr int kNoFollow = 8; ///< UMOUNT_NOFOLLOW

using Strings = std::vector<std::string>;

// --- processes ---------------------------------------------------------------------------------
/// clone3 whose child runs `run(argument)`, which must not return, on a stack of its own in our
/// memory. While both run, the child may make system calls and nothing else: no allocation, no
/// change to what we can see. While we wait for its exec or its end, it may do anything.
Result<pid_t> clone3(clone_args args, void (*run)(void*), void* argument);
Result<void> unshare(std::uint64_t flags);
Result<void> setns(int fd, std::uint64_t type);
/// Never returns when it succeeds.
Error execve(const std::string& path, const Strings& argv, const Strings& env);
/// With arrays that are there already: while it succeeds it allocates nothing.
Result<void> execve_ready(const char* path, char* const* argv, char* const* env);
Error execveat(int fd, const Strings& argv, const Strings& env);
Result<Fd> pidfd_open(pid_t pid);
Result<void> pidfd_send_signal(int pidfd, int signal);
Result<void> kill(pid_t pid, int signal);
/// The wait status of `pid` (waitpid(2)); pid 0 of the pair when WNOHANG found nothing.
Result<std::pair<pid_t, int>> waitpid(pid_t pid, int options);
/// What a system call of fewer arguments takes no notice of as its fifth and sixth, and a seccomp
/// filter may ask for.
using Word = std::array<std::uint64_t, 2>;
Result<pid_t> setsid(const Word& word = {});
bool leads_session();
Result<void> prctl(int option, const char* name, unsigned long a = 0, unsigned long b = 0);
Result<void> setresuid(uid_t uid);
Result<void> setresgid(gid_t gid);
Result<void> setgroups(const std::vector<gid_t>& groups);
Result<void> prlimit(pid_t pid, int resource, const rlimit& limit, const char* name);
Result<rlimit> getrlimit(int resource);
/// `program`: struct sock_filter, eight bytes each. It is used in place.
/// With SECCOMP_FILTER_FLAG_NEW_LISTENER: the descriptor that gets the notifications.
Result<Fd> seccomp_set_filter(unsigned flags, std::span<const std::uint64_t> program);
/// Whether this process is under a filter: PR_GET_SECCOMP's 0, 1 or 2; EINVAL without
/// CONFIG_SECCOMP.
Result<int> seccomp_mode();
/// uname(2)'s release: "6.1.0-13-amd64".
Result<std::string> kernel_release();
/// Memory of our own, all zero: whole pages.
Result<void*> map_memory(std::size_t size);
/// The memory of a file of `size` bytes, made that size, shared with whoever maps it too; in the
/// place of `over`, if there is such.
Result<void*> map_shared(int fd, std::size_t size, void* over = nullptr);
void release_memory(void* memory, std::size_t size);
uid_t getuid();
uid_t geteuid();
gid_t getgid();
pid_t getpid();
pid_t getppid();
pid_t getpgrp();
/// Fork without an exec to follow: only for PID 1's --init.
Result<pid_t> fork();
/// The same, as a child of our parent's, by the older call, which has room for a word: flags are
/// kSiblingFlags, and the word is what would be the fifth and the sixth argument.
Result<pid_t> fork_sibling(const Word& word);
inline constexpr std::uint64_t kSiblingFlags = CLONE_PARENT | SIGCHLD;
/// Is it a child of ours that has not been waited for?
bool is_child(pid_t pid);
[[noreturn]] void exit_now(int status);

// --- files -------------------------------------------------------------------------------------
struct Resolve {
    std::uint64_t flags = 0; ///< RESOLVE_* of openat2(2)
};
/// O_NOCTTY too: a file of a hostile image that is a terminal must not become ours.
Result<Fd> openat(int at, const std::string& path, int flags, mode_t mode = 0);
Result<Fd> openat2(int at, const std::string& path, std::uint64_t flags, Resolve resolve,
                   mode_t mode = 0);
Result<std::size_t> read(int fd, std::span<char> into);
Result<std::size_t> write(int fd, std::string_view from);
Result<void> mkdirat(int at, const std::string& path, mode_t mode);
Result<void> symlinkat(const std::string& to, int at, const std::string& path);
Result<std::string> readlinkat(int at, const std::string& path);
Result<void> unlinkat(int at, const std::string& path, int flags = 0);
Result<struct stat> fstat(int fd);
Result<struct stat> fstatat(int at, const std::string& path, int flags);
Result<struct statfs> fstatfs(int fd);
Result<struct statfs> statfs(const std::string& path);
Result<void> faccessat(int at, const std::string& path, int mode);
Result<void> fchmod(int fd, mode_t mode);
Result<void> chmod(const std::string& path, mode_t mode);
Result<void> fchown(int fd, uid_t uid, gid_t gid);
/// AT_SYMLINK_NOFOLLOW.
Result<void> fchownat(int at, const std::string& path, uid_t uid, gid_t gid);
/// `count` random bytes as hex digits.
Result<std::string> random_hex(std::size_t count);
Result<Fd> memfd_create(const std::string& name);
Result<void> seal(int memfd);
/// Can nothing write to the file of `fd` any more? Only memfds have seals.
bool is_sealed(int fd);
Result<void> ftruncate(int fd, std::int64_t size);
/// Give a memfd the size that it has for good: a program that writes to it can't fill the memory.
Result<void> seal_size(int memfd);
Result<void> lseek_start(int fd);
Result<Fd> dup_above(int fd, int lowest);
Result<void> dup2(int from, int to);
/// /dev/null in the place of those of 0, 1 and 2 that are closed.
Result<void> open_standard_streams();
Result<void> set_cloexec(int fd, bool on);
Result<void> set_nonblocking(int fd);
Result<void> close_range(unsigned first, unsigned last, unsigned flags);
Result<std::uint64_t> getrandom();
Result<std::pair<Fd, Fd>> pipe();
Result<void> chdir(const std::string& path);
Result<void> fchdir(int fd);
/// The absolute path of the working directory; an error when it is not below the root.
Result<std::string> getcwd();
struct Entry {
    std::string name;
    unsigned char type; ///< DT_DIR and so on, where the file system tells
};
/// What is in an open directory, without "." and ".." (getdents64(2)).
Result<std::vector<Entry>> entries(int fd);
Result<void> flock(int fd, int operation);
Result<void> setxattr(const std::string& path, const std::string& name, std::string_view value);
/// Does it have the extended attribute at all?
Result<void> getxattr(const std::string& path, const std::string& name);
Result<void> removexattr(const std::string& path, const std::string& name);

// --- mounts ------------------------------------------------------------------------------------
Result<Fd> open_tree(int at, const std::string& path, unsigned flags);
Result<void> move_mount(int from, int to_at, const std::string& to_path, unsigned flags);
Result<void> mount_setattr(int at, const std::string& path, unsigned flags, const mount_attr& attr);
Result<Fd> fsopen(const std::string& type);
Result<void> fsconfig_string(int fs, const std::string& key, const std::string& value);
Result<void> fsconfig_flag(int fs, const std::string& key);
Result<void> fsconfig_create(int fs);
Result<Fd> fsmount(int fs, std::uint64_t attributes);
/// What the kernel said about the last failed fsconfig (it can be read from the fs descriptor).
std::string fs_message(int fs);
Result<void> umount2(const std::string& path, int flags);
Result<void> pivot_root(const std::string& new_root, const std::string& put_old);
Result<void> chroot(const std::string& path);

// --- names, terminals, sockets -----------------------------------------------------------------
Result<void> sethostname(const std::string& name);
Result<void> setdomainname(const std::string& name);
Result<std::pair<Fd, Fd>> socketpair(int type);
Result<Fd> socket(int domain, int type, int protocol = 0);
Result<void> connect_unix(int fd, const std::string& path);
/// Bind to an IPv4 or IPv6 address and forget: is it free? Tells why a port was not published.
Result<void> bind_inet(int fd, const std::string& address, std::uint16_t port);
Result<void> send(int fd, std::string_view bytes, std::optional<int> passed_fd = std::nullopt);
struct Received {
    std::string bytes; ///< empty at end of file
    Fd fd;             ///< the descriptor that came along, if one did
};
/// One message of a SOCK_SEQPACKET socket.
Result<Received> receive(int fd, std::size_t most);
/// Has the other end of a SOCK_SEQPACKET socket been closed, with nothing left to receive?
Result<bool> at_end(int fd);
/// SIOCGIFFLAGS, then SIOCSIFFLAGS with IFF_UP (netdevice(7)).
Result<void> link_up(const std::string& name);
/// ETHTOOL_GLINK: has it a carrier? Asking makes the kernel draw its conclusions from it at once.
Result<bool> link_has_carrier(const std::string& name);
bool isatty(int fd);
Result<termios> tcgetattr(int fd);
Result<void> tcsetattr(int fd, const termios& mode);
Result<winsize> get_winsize(int fd);
Result<void> set_winsize(int fd, const winsize& size);
Result<void> make_controlling_terminal(int fd, const Word& word = {});
/// The pty slave of a master, without any path (TIOCGPTPEER, ioctl_tty(2)); unlocks it first.
Result<Fd> pty_peer(int master);
/// Foreground process group of a terminal, in our pid namespace.
Result<pid_t> tcgetpgrp(int fd);
/// The session that a terminal belongs to, likewise.
Result<pid_t> tcgetsid(int fd);
/// Make a tap device in `namespaces` (CLONE_NEWNET, CLONE_NEWUSER) of the process behind `pidfd`.
/// It persists until its network namespace goes. Our own namespaces stay as they are.
Result<void> make_tap(int pidfd, std::uint64_t namespaces, const std::string& name);

// --- waiting and signals -----------------------------------------------------------------------
Result<int> poll(std::span<pollfd> fds);
Result<int> poll(std::span<pollfd> fds, std::chrono::milliseconds most);
Result<Fd> signalfd(const sigset_t& set);
/// By which a person, or a service manager, ends a program.
sigset_t ending_signals();
struct SignalInfo {
    int number;
    pid_t sender;
};
Result<SignalInfo> read_signal(int signalfd);
Result<sigset_t> sigprocmask(int how, const sigset_t& set);
/// Take a blocked signal away that may have come to us.
void forget_signal(int signal);
Result<int> sigwait(const sigset_t& set);
void default_signal(int signal);
/// Every one of them: those that are ignored outlive an exec. System calls only.
void default_signals();
/// "SIGKILL"; "signal 63" for one without a name.
std::string signal_name(int signal);

// --- the only program starter: posix_spawn's job, with our descriptors in place ------------------
struct Spawn {
    Strings argv;
    std::string path; ///< the program; empty: argv[0]
    Strings env;
    std::vector<std::pair<int, int>> fds; ///< {ours, the program's}; stdin is /dev/null if absent
    pid_t* note = nullptr; ///< where the child writes its pid before it execs; 0 if that fails
    int death_signal = 0;  ///< sent to it by the kernel when we end (prctl(2))
    /// A mount namespace of its own, from which nothing reaches ours.
    bool own_mounts = false;
    /// Its stdin is a terminal, which becomes the one of its session.
    bool terminal = false;
};
/// Start the program, an absolute path, in a session of its own and with no signal ignored.
/// vfork, so an exec error comes back as ours.
Result<pid_t> start(const Spawn& spawn);

} // namespace sys
