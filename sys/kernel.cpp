// The calls themselves. Where libc has a wrapper that does no more than the call, we use it;
// where it has none, or an old libc may lack it, syscall(2) with the kernel's own number.
#include "sys/kernel.hpp"

#include "sys/flags.hpp"

#include <dirent.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <array>
#include <climits>
#include <cstring>

namespace sys {

namespace {

std::vector<char*> pointers(const Strings& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const std::string& string : strings)
        out.push_back(const_cast<char*>(string.c_str())); // execve(2) never writes to them
    out.push_back(nullptr);
    return out;
}

std::string show_list(const Strings& strings) {
    std::string out = "[";
    for (const std::string& string : strings)
        out += (out.size() > 1 ? ", " : "") + show(string);
    return out + "]";
}

} // namespace

void Fd::close() {
    if (number_ >= 0)
        (void)::close(number_); // nothing to do about a failed close: the number is gone either way
    number_ = -1;
}

// --- processes ---------------------------------------------------------------------------------

Result<pid_t> fork() {
    long pid = TRY(invoke("fork", [] { return static_cast<long>(::fork()); }));
    return static_cast<pid_t>(pid);
}

Result<void> unshare(std::uint64_t flags) {
    return done(invoke(
        "unshare", [&] { return ::unshare(static_cast<int>(flags)); }, Flags{flags, names::clone}));
}

Result<void> setns(int fd, std::uint64_t type) {
    return done(invoke(
        "setns", [&] { return ::setns(fd, static_cast<int>(type)); }, fd,
        Flags{type, names::clone}));
}

Error execve(const std::string& path, const Strings& argv, const Strings& env) {
    auto args = pointers(argv);
    auto vars = pointers(env);
    return invoke(
               "execve", [&] { return ::execve(path.c_str(), args.data(), vars.data()); }, path,
               Shown{show_list(argv)})
        .error();
}

Result<void> execve_ready(const char* path, char* const* argv, char* const* env) {
    return done(invoke("execve", [&] { return ::execve(path, argv, env); }, path));
}

Error execveat(int fd, const Strings& argv, const Strings& env) {
    auto args = pointers(argv);
    auto vars = pointers(env);
    return invoke(
               "execveat",
               [&] {
                   return syscall(SYS_execveat, fd, "", args.data(), vars.data(), AT_EMPTY_PATH);
               },
               fd, "", Shown{show_list(argv)})
        .error();
}

Result<Fd> pidfd_open(pid_t pid) {
    return descriptor(invoke("pidfd_open", [&] { return syscall(SYS_pidfd_open, pid, 0); }, pid));
}

Result<void> pidfd_send_signal(int pidfd, int signal) {
    return done(invoke(
        "pidfd_send_signal",
        [&] { return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0); }, pidfd,
        Signal{signal}));
}

Result<void> kill(pid_t pid, int signal) {
    return done(invoke("kill", [&] { return ::kill(pid, signal); }, pid, Signal{signal}));
}

Result<std::pair<pid_t, int>> waitpid(pid_t pid, int options) {
    int status = 0;
    long got = TRY(invoke(
        "waitpid",
        [&] {
            long result = 0;
            do
                result = ::waitpid(pid, &status, options);
            while (result == -1 && errno == EINTR);
            return result;
        },
        pid, Out{&status, sizeof status}, Flags{static_cast<std::uint64_t>(options), names::wait}));
    return std::pair{static_cast<pid_t>(got), status};
}

Result<pid_t> setsid() {
    return static_cast<pid_t>(TRY(invoke("setsid", [] { return static_cast<long>(::setsid()); })));
}

bool leads_session() {
    return ::getsid(0) == ::getpid();
}

Result<void> prctl(int option, const char* name, unsigned long a, unsigned long b) {
    auto call = [&] { return ::prctl(option, a, b, 0UL, 0UL); };
    if (option == PR_SET_PDEATHSIG)
        return done(invoke("prctl", call, Shown{name}, Signal{static_cast<int>(a)}));
    return done(invoke("prctl", call, Shown{name}, a));
}

// The raw calls change only this thread's ids, which is all there is: we are single-threaded, and
// glibc's wrappers would drag in its thread signalling.
Result<void> setresuid(uid_t uid) {
    return done(
        invoke("setresuid", [&] { return syscall(SYS_setresuid, uid, uid, uid); }, uid, uid, uid));
}

Result<void> setresgid(gid_t gid) {
    return done(
        invoke("setresgid", [&] { return syscall(SYS_setresgid, gid, gid, gid); }, gid, gid, gid));
}

Result<void> setgroups(const std::vector<gid_t>& groups) {
    std::string list = "[";
    for (gid_t group : groups)
        list += (list.size() > 1 ? ", " : "") + std::to_string(group);
    list += "]";
    return done(invoke(
        "setgroups", [&] { return syscall(SYS_setgroups, groups.size(), groups.data()); },
        groups.size(), Shown{list}));
}

Result<void> prlimit(pid_t pid, int resource, const rlimit& limit, const char* name) {
    return done(invoke(
        "prlimit",
        [&] { return ::prlimit(pid, static_cast<__rlimit_resource>(resource), &limit, nullptr); },
        pid, Shown{name}, limit.rlim_cur, limit.rlim_max));
}

Result<rlimit> getrlimit(int resource) {
    rlimit limit{};
    TRY(invoke(
        "getrlimit", [&] { return ::getrlimit(static_cast<__rlimit_resource>(resource), &limit); },
        resource));
    return limit;
}

Result<Fd> seccomp_set_filter(unsigned flags, std::span<const std::uint64_t> program) {
    static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));
    if (program.size() > BPF_MAXINSNS) // the length is 16 bits: a longer one would be cut short
        return wrong("a filter of " + std::to_string(program.size()) +
                     " instructions is too long: the kernel takes " + std::to_string(BPF_MAXINSNS));
    static_assert(alignof(sock_filter) <= alignof(std::uint64_t));
    // Only the kernel reads it as what it is, and never writes to it.
    auto* filter = const_cast<sock_filter*>(reinterpret_cast<const sock_filter*>(program.data()));
    sock_fprog prog{static_cast<unsigned short>(program.size()), filter};
    long result = TRY(invoke(
        "seccomp", [&] { return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog); },
        Shown{"SECCOMP_SET_MODE_FILTER"}, Flags{flags, names::seccomp},
        Shown{"[" + std::to_string(program.size()) + " instructions]"}));
    return (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0 ? Fd(static_cast<int>(result)) : Fd();
}

Result<int> seccomp_mode() {
    return static_cast<int>(TRY(invoke(
        "prctl", [] { return ::prctl(PR_GET_SECCOMP, 0L, 0L, 0L, 0L); }, Shown{"PR_GET_SECCOMP"})));
}

Result<std::string> kernel_release() {
    utsname name{};
    TRY(invoke("uname", [&] { return ::uname(&name); }, Out{&name, sizeof name}));
    return std::string(name.release);
}

namespace {

Result<void*> mmap(void* at, std::size_t size, int flags, const char* shown, int fd) {
    void* memory = nullptr;
    TRY(invoke(
        "mmap",
        [&]() -> long {
            memory = ::mmap(at, size, PROT_READ | PROT_WRITE, flags, fd, 0);
            return memory == MAP_FAILED ? -1 : 0;
        },
        size, Shown{shown}, fd));
    return memory;
}

} // namespace

Result<void*> map_memory(std::size_t size) {
    return mmap(nullptr, size, MAP_PRIVATE | MAP_ANONYMOUS, "MAP_PRIVATE|MAP_ANONYMOUS", -1);
}

Result<void*> map_shared(int fd, std::size_t size, void* over) {
    TRY(invoke("ftruncate", [&] { return ::ftruncate(fd, static_cast<off_t>(size)); }, fd, size));
    return over == nullptr ? mmap(nullptr, size, MAP_SHARED, "MAP_SHARED", fd)
                           : mmap(over, size, MAP_SHARED | MAP_FIXED, "MAP_SHARED|MAP_FIXED", fd);
}

void release_memory(void* memory, std::size_t size) {
    (void)::munmap(memory, size); // our own mapping: can't fail
}

uid_t getuid() {
    return ::getuid();
}
uid_t geteuid() {
    return ::geteuid();
}
gid_t getgid() {
    return ::getgid();
}
pid_t getpid() {
    return ::getpid();
}
pid_t getppid() {
    return ::getppid();
}
void exit_now(int status) {
    ::_exit(status);
}

// --- files -------------------------------------------------------------------------------------

Result<Fd> openat(int at, const std::string& path, int flags, mode_t mode) {
    return descriptor(invoke(
        "openat", [&] { return ::openat(at, path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); },
        At{at}, path, Flags{static_cast<std::uint64_t>(flags), names::open, "O_RDONLY"}));
}

Result<Fd> openat2(int at, const std::string& path, std::uint64_t flags, Resolve resolve,
                   mode_t mode) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve.flags;
    return descriptor(invoke(
        "openat2",
        [&] {
            // EAGAIN: somebody moved or mounted something meanwhile; ask again (openat2(2)).
            long fd = 0;
            for (int tries = 0; tries < 64; ++tries)
                if (fd = syscall(SYS_openat2, at, path.c_str(), &how, sizeof how);
                    fd != -1 || errno != EAGAIN)
                    break;
            return fd;
        },
        At{at}, path, Flags{flags, names::open, "O_RDONLY"}, Flags{resolve.flags, names::resolve}));
}

Result<std::size_t> read(int fd, std::span<char> into) {
    return static_cast<std::size_t>(TRY(invoke(
        "read",
        [&] {
            long got = 0;
            do
                got = ::read(fd, into.data(), into.size());
            while (got == -1 && errno == EINTR);
            return got;
        },
        fd, Out{into.data(), into.size()}, into.size())));
}

Result<std::size_t> write(int fd, std::string_view from) {
    return static_cast<std::size_t>(TRY(invoke(
        "write",
        [&] {
            long put = 0;
            do
                put = ::write(fd, from.data(), from.size());
            while (put == -1 && errno == EINTR);
            return put;
        },
        fd, Shown{from.size() <= 64 ? show(std::string(from)) : "…"}, from.size())));
}

Result<void> mkdirat(int at, const std::string& path, mode_t mode) {
    return done(invoke(
        "mkdirat", [&] { return ::mkdirat(at, path.c_str(), mode); }, At{at}, path, Mode{mode}));
}

Result<void> symlinkat(const std::string& to, int at, const std::string& path) {
    return done(invoke(
        "symlinkat", [&] { return ::symlinkat(to.c_str(), at, path.c_str()); }, to, At{at}, path));
}

Result<std::string> readlinkat(int at, const std::string& path) {
    std::array<char, PATH_MAX> buffer; // NOLINT: filled by the call
    long length = TRY(invoke(
        "readlinkat", [&] { return ::readlinkat(at, path.c_str(), buffer.data(), buffer.size()); },
        At{at}, path, Out{buffer.data(), buffer.size()}));
    return std::string(buffer.data(), static_cast<std::size_t>(length));
}

Result<void> unlinkat(int at, const std::string& path, int flags) {
    return done(invoke(
        "unlinkat", [&] { return ::unlinkat(at, path.c_str(), flags); }, At{at}, path,
        Flags{static_cast<std::uint64_t>(flags), names::unlink}));
}

Result<struct stat> fstat(int fd) {
    struct stat info{};
    TRY(invoke("fstat", [&] { return ::fstat(fd, &info); }, fd, Out{&info, sizeof info}));
    return info;
}

Result<struct stat> fstatat(int at, const std::string& path, int flags) {
    struct stat info{};
    TRY(invoke(
        "fstatat", [&] { return ::fstatat(at, path.c_str(), &info, flags); }, At{at}, path,
        Out{&info, sizeof info}));
    return info;
}

Result<struct statfs> fstatfs(int fd) {
    struct statfs info{};
    TRY(invoke("fstatfs", [&] { return ::fstatfs(fd, &info); }, fd, Out{&info, sizeof info}));
    return info;
}

Result<struct statfs> statfs(const std::string& path) {
    struct statfs info{};
    TRY(invoke(
        "statfs", [&] { return ::statfs(path.c_str(), &info); }, path, Out{&info, sizeof info}));
    return info;
}

Result<void> faccessat(int at, const std::string& path, int mode) {
    return done(invoke(
        "faccessat", [&] { return ::faccessat(at, path.c_str(), mode, 0); }, At{at}, path,
        Flags{static_cast<std::uint64_t>(mode), names::access, "F_OK"}));
}

Result<void> fchmod(int fd, mode_t mode) {
    return done(invoke("fchmod", [&] { return ::fchmod(fd, mode); }, fd, Mode{mode}));
}

Result<void> chmod(const std::string& path, mode_t mode) {
    return done(invoke("chmod", [&] { return ::chmod(path.c_str(), mode); }, path, Mode{mode}));
}

Result<void> fchown(int fd, uid_t uid, gid_t gid) {
    return done(invoke("fchown", [&] { return ::fchown(fd, uid, gid); }, fd, uid, gid));
}

Result<void> fchownat(int at, const std::string& path, uid_t uid, gid_t gid) {
    return done(invoke(
        "fchownat", [&] { return ::fchownat(at, path.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW); },
        At{at}, path, uid, Shown{gid == static_cast<gid_t>(-1) ? "-1" : std::to_string(gid)}));
}

Result<std::string> random_hex(std::size_t count) {
    std::string bytes(count, '\0');
    TRY(invoke("getrandom", [&] { return ::getrandom(bytes.data(), count, 0); }, count));
    std::string out;
    for (char byte : bytes) {
        out += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
        out += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
    }
    return out;
}

Result<Fd> memfd_create(const std::string& name) {
    return descriptor(invoke(
        "memfd_create",
        [&] { return ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING); }, name));
}

Result<void> seal(int memfd) {
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    return done(invoke(
        "fcntl", [&] { return ::fcntl(memfd, F_ADD_SEALS, seals); }, memfd, Shown{"F_ADD_SEALS"}));
}

Result<void> ftruncate(int fd, std::int64_t size) {
    return done(invoke("ftruncate", [&] { return ::ftruncate(fd, size); }, fd, size));
}

bool is_sealed(int fd) {
    auto seals =
        invoke("fcntl", [&] { return ::fcntl(fd, F_GET_SEALS); }, fd, Shown{"F_GET_SEALS"});
    return seals && (*seals & F_SEAL_WRITE) != 0;
}

Result<void> seal_size(int memfd) {
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
    return done(invoke(
        "fcntl", [&] { return ::fcntl(memfd, F_ADD_SEALS, seals); }, memfd, Shown{"F_ADD_SEALS"}));
}

Result<void> lseek_start(int fd) {
    return done(invoke("lseek", [&] { return ::lseek(fd, 0, SEEK_SET); }, fd, 0));
}

Result<Fd> dup_above(int fd, int lowest) {
    return descriptor(invoke(
        "fcntl", [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, lowest); }, fd, Shown{"F_DUPFD_CLOEXEC"},
        lowest));
}

Result<void> dup2(int from, int to) {
    return done(invoke("dup2", [&] { return ::dup2(from, to); }, from, to));
}

Result<void> open_standard_streams() {
    for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) != -1)
            continue;
        // The lowest free number, which is this one: those below are open by now.
        Fd null = TRY(openat(AT_FDCWD, "/dev/null", O_RDWR));
        TRY(set_cloexec(null.get(), false));
        (void)null.release(); // for the process's whole life
    }
    return {};
}

Result<void> set_cloexec(int fd, bool on) {
    return done(invoke(
        "fcntl", [&] { return ::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0); }, fd, Shown{"F_SETFD"},
        on ? FD_CLOEXEC : 0));
}

Result<void> set_nonblocking(int fd) {
    return done(invoke(
        "fcntl", [&] { return ::fcntl(fd, F_SETFL, O_NONBLOCK); }, fd, Shown{"F_SETFL"},
        Shown{"O_NONBLOCK"}));
}

Result<void> close_range(unsigned first, unsigned last, unsigned flags) {
    return done(invoke(
        "close_range", [&] { return syscall(SYS_close_range, first, last, flags); }, first, last,
        Flags{flags, names::close_range}));
}

Result<std::uint64_t> getrandom() {
    std::uint64_t number = 0;
    TRY(invoke("getrandom", [&] { return ::getrandom(&number, sizeof number, 0); }, sizeof number));
    return number;
}

Result<std::pair<Fd, Fd>> pipe() {
    int ends[2] = {-1, -1};
    TRY(invoke("pipe2", [&] { return ::pipe2(ends, O_CLOEXEC); }, Shown{"O_CLOEXEC"}));
    return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Result<void> chdir(const std::string& path) {
    return done(invoke("chdir", [&] { return ::chdir(path.c_str()); }, path));
}

Result<void> fchdir(int fd) {
    return done(invoke("fchdir", [&] { return ::fchdir(fd); }, fd));
}

Result<std::string> getcwd() {
    std::array<char, PATH_MAX> buffer; // NOLINT: filled by the call
    buffer[0] = '\0';
    // The raw call, not libc's: outside the root it answers "(unreachable)/…" instead of failing.
    TRY(invoke(
        "getcwd", [&] { return syscall(SYS_getcwd, buffer.data(), buffer.size()); },
        Out{buffer.data(), buffer.size()}));
    if (buffer[0] != '/')
        return wrong("the working directory is outside the root: \"" + std::string(buffer.data()) +
                     "\"");
    return std::string(buffer.data());
}

Result<std::vector<Entry>> entries(int fd) {
    std::vector<Entry> found;
    alignas(dirent64) std::array<char, 8192> buffer{};
    TRY(lseek_start(fd)); // a second look at the same descriptor starts over
    for (;;) {
        long length = TRY(invoke(
            "getdents64", [&] { return ::getdents64(fd, buffer.data(), buffer.size()); }, fd));
        if (length == 0)
            return found;
        for (long at = 0; at < length;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
            std::string_view name = entry->d_name;
            if (name != "." && name != "..")
                found.push_back({std::string(name), entry->d_type});
            at += entry->d_reclen;
        }
    }
}

Result<void> flock(int fd, int operation) {
    return done(invoke(
        "flock", [&] { return ::flock(fd, operation); }, fd,
        Flags{static_cast<std::uint64_t>(operation), names::lock}));
}

Result<void> setxattr(const std::string& path, const std::string& name, std::string_view value) {
    return done(invoke(
        "setxattr",
        [&] { return ::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0); }, path,
        name, std::string(value)));
}

Result<void> getxattr(const std::string& path, const std::string& name) {
    return done(invoke(
        "getxattr", [&] { return ::getxattr(path.c_str(), name.c_str(), nullptr, 0); }, path,
        name));
}

// --- mounts ------------------------------------------------------------------------------------

Result<Fd> open_tree(int at, const std::string& path, unsigned flags) {
    return descriptor(invoke(
        "open_tree",
        [&] { return syscall(SYS_open_tree, at, path.c_str(), flags | OPEN_TREE_CLOEXEC); }, At{at},
        path, Flags{flags, names::open_tree}));
}

Result<void> move_mount(int from, int to_at, const std::string& to_path, unsigned flags) {
    return done(invoke(
        "move_mount",
        [&] {
            return syscall(SYS_move_mount, from, "", to_at, to_path.c_str(),
                           flags | MOVE_MOUNT_F_EMPTY_PATH);
        },
        from, "", At{to_at}, to_path, Flags{flags | MOVE_MOUNT_F_EMPTY_PATH, names::move_mount}));
}

Result<void> mount_setattr(int at, const std::string& path, unsigned flags,
                           const mount_attr& attr) {
    std::string spelled = "{";
    if (attr.attr_set != 0)
        spelled += "set " + show(Flags{attr.attr_set, names::mount_attr});
    if (attr.attr_clr != 0)
        spelled += " clear " + show(Flags{attr.attr_clr, names::mount_attr});
    if (attr.propagation != 0)
        spelled += show(Flags{attr.propagation, names::propagation});
    spelled += "}";
    return done(invoke(
        "mount_setattr",
        [&] { return syscall(SYS_mount_setattr, at, path.c_str(), flags, &attr, sizeof attr); },
        At{at}, path, Flags{flags, names::open_tree}, Shown{spelled}));
}

Result<Fd> fsopen(const std::string& type) {
    return descriptor(
        invoke("fsopen", [&] { return syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC); }, type));
}

Result<void> fsconfig_string(int fs, const std::string& key, const std::string& value) {
    return done(invoke(
        "fsconfig",
        [&] {
            return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
        },
        fs, Shown{"FSCONFIG_SET_STRING"}, key, value));
}

Result<void> fsconfig_flag(int fs, const std::string& key) {
    return done(invoke(
        "fsconfig",
        [&] { return syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0); }, fs,
        Shown{"FSCONFIG_SET_FLAG"}, key));
}

Result<void> fsconfig_create(int fs) {
    return done(invoke(
        "fsconfig",
        [&] { return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0); }, fs,
        Shown{"FSCONFIG_CMD_CREATE"}));
}

Result<Fd> fsmount(int fs, std::uint64_t attributes) {
    return descriptor(invoke(
        "fsmount", [&] { return syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes); }, fs,
        Flags{attributes, names::mount_attr}));
}

std::string fs_message(int fs) {
    std::array<char, 512> buffer{};
    auto length = invoke(
        "read", [&] { return ::read(fs, buffer.data(), buffer.size()); }, fs,
        Out{buffer.data(), buffer.size()}, buffer.size());
    if (!length)
        return {}; // ENODATA: it has said nothing
    std::string_view text(buffer.data(), static_cast<std::size_t>(*length));
    if (text.size() > 2 && text[1] == ' ') // "e overlay: missing 'lowerdir'"
        text.remove_prefix(2);
    while (!text.empty() && text.back() == '\n')
        text.remove_suffix(1);
    return std::string(text);
}

Result<void> umount2(const std::string& path, int flags) {
    return done(invoke(
        "umount2", [&] { return syscall(SYS_umount2, path.c_str(), flags); }, path,
        Flags{static_cast<std::uint64_t>(flags), names::umount}));
}

Result<void> pivot_root(const std::string& new_root, const std::string& put_old) {
    return done(invoke(
        "pivot_root", [&] { return syscall(SYS_pivot_root, new_root.c_str(), put_old.c_str()); },
        new_root, put_old));
}

Result<void> chroot(const std::string& path) {
    return done(invoke("chroot", [&] { return ::chroot(path.c_str()); }, path));
}

} // namespace sys
