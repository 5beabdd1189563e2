// Makes system calls inside a container and prints what they answered: probe CALL…
//
// One line a call, "mount=EFAULT" or "unshare=0". The arguments are such that the kernel itself
// answers something else than a filter would, whatever capabilities there are, and nothing happens.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <linux/keyctl.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr unsigned long kHigh = 1UL << 32; ///< above what the kernel looks at
constexpr long kTiocLinux = 0x541c;

#ifdef __x86_64__
constexpr long kX32 = 0x40000000; ///< beside x86-64's numbers, those of x32 (asm/unistd.h)

/// By i386's number, with 0 for all arguments. Where this kernel takes no such calls, it is our
/// end.
long i386_syscall(long number) {
    long result = 0;
    asm volatile("int $0x80"
                 : "=a"(result)
                 : "a"(number), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
                 : "r8", "r9", "r10", "r11", "memory");
    if (result >= 0)
        return 0;
    errno = static_cast<int>(-result);
    return -1;
}
#endif

struct Probe {
    const char* name;
    long (*call)();
};

constexpr Probe kProbes[] = {
    {"getppid", [] { return syscall(SYS_getppid) >= 0 ? 0L : -1L; }},
    {"unshare", [] { return syscall(SYS_unshare, 0); }},
    // A flag that there is not: EINVAL.
    {"unshare-newuser", [] { return syscall(SYS_unshare, CLONE_NEWUSER | 1); }},
    {"setns", [] { return syscall(SYS_setns, -1, 0); }},
    {"mount", [] { return syscall(SYS_mount, nullptr, nullptr, nullptr, 0, nullptr); }},
    {"clone3", [] { return syscall(SYS_clone3, nullptr, 0); }},
    // CLONE_THREAD without CLONE_SIGHAND: EINVAL, with and without a namespace flag.
    {"clone", [] { return syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0); }},
    {"clone-newuser", [] { return syscall(SYS_clone, CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0); }},
    {"keyctl", [] { return syscall(SYS_keyctl, -1, 0, 0, 0, 0); }},
    {"add_key", [] { return syscall(SYS_add_key, nullptr, nullptr, nullptr, 0, 0); }},
    {"perf_event_open", [] { return syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
    {"get_mempolicy", [] { return syscall(SYS_get_mempolicy, nullptr, nullptr, 0, nullptr, 0); }},
    {"chroot", [] { return syscall(SYS_chroot, nullptr); }},
    {"ptrace", [] { return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0); }},
    {"personality", [] { return syscall(SYS_personality, 0xffffffff) >= 0 ? 0L : -1L; }},
    {"personality-norandom",
     [] { return syscall(SYS_personality, ADDR_NO_RANDOMIZE) >= 0 ? 0L : -1L; }},
    {"socket-unix", [] { return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0L : -1L; }},
    // A type that no family has.
    {"socket-vsock", [] { return syscall(SYS_socket, AF_VSOCK, 15, 0); }},
    {"socket-vsock-high", [] { return syscall(SYS_socket, kHigh | AF_VSOCK, 15, 0); }},
    {"socket-alg", [] { return syscall(SYS_socket, AF_ALG, 15, 0); }},
    {"socket-alg-high", [] { return syscall(SYS_socket, kHigh | AF_ALG, 15, 0); }},
    {"tiocgwinsz", [] { return syscall(SYS_ioctl, -1, TIOCGWINSZ, 0); }},
    {"tiocsti", [] { return syscall(SYS_ioctl, -1, TIOCSTI, 0); }},
    {"tiocsti-high", [] { return syscall(SYS_ioctl, -1, kHigh | TIOCSTI, 0); }},
    {"tioclinux", [] { return syscall(SYS_ioctl, -1, kTiocLinux, 0); }},
    {"tioclinux-high", [] { return syscall(SYS_ioctl, -1, kHigh | kTiocLinux, 0); }},
    // A key of the caller's, which the test has named so, in whatever session keyring is ours.
    {"session-key",
     [] {
         return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user",
                        "gocontainer-test", 0) >= 0
                    ? 0L
                    : -1L;
     }},
    // To whoever the container's caller has made a socket for (sd_notify(3)).
    {"notify-ready",
     [] {
         sockaddr_un address{};
         address.sun_family = AF_UNIX;
         if (const char* path = getenv("NOTIFY_SOCKET"); path != nullptr)
             strncpy(address.sun_path, path, sizeof address.sun_path - 1);
         const char* more = getenv("NOTIFY_MORE"); // lines beside it
         std::string text = (more != nullptr ? more : "") + std::string("READY=1");
         return sendto(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), text.data(), text.size(), 0,
                       reinterpret_cast<sockaddr*>(&address), sizeof address) >= 0
                    ? 0L
                    : -1L;
     }},
#ifdef __x86_64__
    {"x32-getppid", [] { return syscall(kX32 | SYS_getppid) >= 0 ? 0L : -1L; }},
    {"x32-mount", [] { return syscall(kX32 | SYS_mount, nullptr, nullptr, nullptr, 0, nullptr); }},
    {"i386-getppid", [] { return i386_syscall(64); }},
    {"i386-mount", [] { return i386_syscall(21); }},
#endif
    {"newer", [] { return syscall(4095); }}, // nobody's yet
};

} // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const Probe* found = nullptr;
        for (const Probe& probe : kProbes)
            if (strcmp(probe.name, argv[i]) == 0)
                found = &probe;
        if (found == nullptr) {
            (void)fprintf(stderr, "probe: no call \"%s\"\n", argv[i]);
            return 2;
        }
        long result = found->call();
        (void)printf("%s=%s\n", argv[i], result == -1 ? strerrorname_np(errno) : "0");
        (void)fflush(stdout); // before the next call, which might end us
    }
}
