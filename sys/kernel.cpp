// The calls themselves. Where libc has a wrapper that does no more than the call, we use it;
// where it has none, or an old libc may lack it, syscall(2) with the kernel's own number.
#include "sys/kernel.hpp"

#include "sys/flags.hpp"
#include "sys/structures.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

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

Result<pid_t> fork_sibling(const Word& word) {
    return static_cast<pid_t>(TRY(invoke(
        "clone",
        [&] {
            return syscall(SYS_clone, kSiblingFlags, nullptr, nullptr, nullptr, word[0], word[1]);
        },
        Shown{"CLONE_PARENT|SIGCHLD"})));
}

bool is_child(pid_t pid) {
    siginfo_t info{};
    return invoke(
               "waitid",
               [&] {
                   return ::waitid(P_PID, static_cast<id_t>(pid), &info,
                                   WEXITED | WNOHANG | WNOWAIT);
               },
               Shown{"P_PID"}, pid)
        .has_value();
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
               [&] { return show_list(argv); }, also([&] { return show_count(vars.data()); }))
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
               fd, "", [&] { return show_list(argv); },
               also([&] { return show_count(vars.data()); }), also([] { return "AT_EMPTY_PATH"; }))
        .error();
}

Result<Fd> pidfd_open(pid_t pid) {
    return descriptor(invoke(
        "pidfd_open", [&] { return syscall(SYS_pidfd_open, pid, 0); }, pid,
        also([] { return "0"; })));
}

Result<void> pidfd_send_signal(int pidfd, int signal) {
    return done(invoke(
        "pidfd_send_signal",
        [&] { return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0); }, pidfd,
        Signal{signal}, also([] { return "NULL, 0"; })));
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
        pid, Out{&status, sizeof status},
        filled([&](long pid_of) { return pid_of == 0 ? "NULL" : show_status(status); }),
        Flags{static_cast<std::uint64_t>(options), names::wait}));
    return std::pair{static_cast<pid_t>(got), status};
}

Result<pid_t> setsid(const Word& word) {
    return static_cast<pid_t>(
        TRY(invoke("setsid", [&] { return syscall(SYS_setsid, 0, 0, 0, 0, word[0], word[1]); })));
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
    auto list = [&] {
        std::string out = "[";
        for (gid_t group : groups)
            out += (out.size() > 1 ? ", " : "") + std::to_string(group);
        return out + "]";
    };
    return done(invoke(
        "setgroups", [&] { return syscall(SYS_setgroups, groups.size(), groups.data()); },
        groups.size(), list));
}

Result<void> prlimit(pid_t pid, int resource, const rlimit& limit, const char* name) {
    return done(invoke(
        "prlimit",
        [&] { return ::prlimit(pid, static_cast<__rlimit_resource>(resource), &limit, nullptr); },
        pid,
        Heard{Shown{name},
              [&](long) {
                  return show(Named{static_cast<std::uint64_t>(resource), names::resource});
              }},
        Heard{limit.rlim_cur, [&](long) { return show(limit); }},
        Heard{limit.rlim_max, [](long) { return "NULL"; }}));
}

Result<rlimit> getrlimit(int resource) {
    rlimit limit{};
    TRY(invoke(
        "getrlimit", [&] { return ::getrlimit(static_cast<__rlimit_resource>(resource), &limit); },
        Heard{resource,
              [&](long) {
                  return show(Named{static_cast<std::uint64_t>(resource), names::resource});
              }},
        filled([&](long) { return show(limit); })));
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
    TRY(invoke(
        "uname", [&] { return ::uname(&name); }, Out{&name, sizeof name}, filled([&](long) {
            return "{sysname=" + show(name.sysname) + ", nodename=" + show(name.nodename) +
                   ", release=" + show(name.release) + ", ...}";
        })));
    return std::string(name.release);
}

namespace {

Result<void*> mmap(void* at, std::size_t size, int flags, const char* shown, int fd) {
    void* memory = nullptr;
    TRY(invoke(
        "mmap",
        [&]() -> long {
            memory = ::mmap(at, size, PROT_READ | PROT_WRITE, flags, fd, 0);
            return reinterpret_cast<long>(memory); // MAP_FAILED is -1
        },
        Heard{size, [&](long) { return show_address(at) + ", " + std::to_string(size); }},
        also([] { return "PROT_READ|PROT_WRITE"; }), Shown{shown}, fd, also([] { return "0"; })));
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
pid_t getpgrp() {
    return ::getpgrp();
}
void exit_now(int status) {
    ::_exit(status);
}

} // namespace sys
