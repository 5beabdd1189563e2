// Starting another program: newuidmap, slirp4netns, pasta. Nothing else is ever started.
#include "sys/kernel.hpp"

#include "sys/flags.hpp"
#include "sys/structures.hpp"

#include <linux/close_range.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

namespace sys {

namespace {

long put(int from, int to) {
    return invoke_bare("dup2", [&] { return ::dup2(from, to); }, from, to);
}

/// What went wrong before the program ran; an execve that fails spells itself.
struct Trouble {
    const char* call = nullptr;
    int code = 0;
};

// Between vfork and execve, in the parent's memory: system calls only, no return; and, unless
// somebody listens, no allocation: that would be one in the parent, which waits. `moved` has room
// for each of spawn.fds.
[[noreturn]] void become(const char* path, char* const* argv, char* const* env, const Spawn& spawn,
                         std::span<int> moved, volatile Trouble* trouble) {
    if (spawn.note != nullptr)
        *spawn.note = ::getpid();
    if (spawn.death_signal != 0)
        (void)invoke_bare(
            "prctl", [&] { return ::prctl(PR_SET_PDEATHSIG, spawn.death_signal); },
            Shown{"PR_SET_PDEATHSIG"}, Signal{spawn.death_signal}); // fails for no signal's number
    // Ctrl-C and Ctrl-Z on our terminal are for the container. It fails only for the leader of a
    // group, which we, just born, are not.
    (void)invoke_bare("setsid", [] { return ::setsid(); });
    default_signals(); // pasta (2023) refuses to start with SIGPIPE ignored
    sigset_t none;
    sigemptyset(&none);
    (void)invoke_bare(
        "sigprocmask", [&] { return ::sigprocmask(SIG_SETMASK, &none, nullptr); },
        Shown{"SIG_SETMASK, [], NULL"}); // valid arguments: can't fail
    (void)invoke_bare(
        "close_range", [] { return syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC); }, 3, ~0U,
        Shown{"CLOSE_RANGE_CLOEXEC"}); // checked by what follows: 5.11
    int above = STDERR_FILENO + 1;     // out of the way of every target number
    for (const auto& [ours, theirs] : spawn.fds)
        above = std::max(above, theirs + 1);
    int null = -1;
    trouble->call = "fcntl(F_DUPFD_CLOEXEC)";
    for (std::size_t i = 0; i < moved.size(); ++i) {
        moved[i] = static_cast<int>(invoke_bare(
            "fcntl", [&] { return ::fcntl(spawn.fds[i].first, F_DUPFD_CLOEXEC, above); },
            spawn.fds[i].first, Shown{"F_DUPFD_CLOEXEC"}, above));
        if (moved[i] < 0)
            goto failed;
    }
    null = static_cast<int>(invoke_bare(
        "openat", [] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); }, At{AT_FDCWD}, "/dev/null",
        Shown{"O_RDWR|O_CLOEXEC"}));
    if (null >= 0)
        (void)put(null, STDIN_FILENO); // stdin closed instead would be as good
    if (spawn.own_mounts) {
        trouble->call = "unshare(CLONE_NEWNS)";
        if (invoke_bare(
                "unshare", [] { return ::unshare(CLONE_NEWNS); }, Shown{"CLONE_NEWNS"}) != 0)
            goto failed;
        trouble->call = "mount(\"/\", MS_REC|MS_SLAVE)";
        if (invoke_bare(
                "mount", [] { return ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr); },
                Shown{"NULL, \"/\", NULL, MS_REC|MS_SLAVE, NULL"}) != 0)
            goto failed;
    }
    trouble->call = "dup2";
    for (std::size_t i = 0; i < moved.size(); ++i)
        if (put(moved[i], spawn.fds[i].second) < 0)
            goto failed;
    trouble->call = "ioctl(0, TIOCSCTTY)";
    if (spawn.terminal && invoke_bare(
                              "ioctl", [] { return ::ioctl(STDIN_FILENO, TIOCSCTTY, 0); },
                              STDIN_FILENO, Shown{"TIOCSCTTY"}, 0) != 0)
        goto failed;
    trouble->call = nullptr;
    (void)invoke_bare(
        "execve", [&] { return ::execve(path, argv, env); }, path,
        also([&] { return show_list(spawn.argv); }), also([&] { return show_count(env); }));
failed:
    trouble->code = errno;
    _exit(127);
}

} // namespace

// Not by signal(3): libc keeps two for itself, and a caller of another libc may ignore those.
namespace {
constexpr long kDefault[4] = {}; // sigaction(2)'s handler, flags, restorer and mask
constexpr Shown kDefaultShown = {"{sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, NULL, 8"};

long set_default(int signal) {
    return syscall(SYS_rt_sigaction, signal, kDefault, nullptr, NSIG / 8);
}
} // namespace

void default_signal(int signal) {
    (void)invoke_bare(
        "rt_sigaction", [&] { return set_default(signal); }, Signal{signal},
        kDefaultShown); // a valid number: can't fail
}

void default_signals() {
    // Told as one: who listens would hear sixty-four times the same.
    (void)invoke_bare(
        "rt_sigaction",
        [] {
            for (int number = 1; number < NSIG; ++number)
                (void)set_default(number); // EINVAL for SIGKILL and SIGSTOP, which have no other
            return 0;
        },
        Shown{"1..64"}, kDefaultShown);
}

Result<pid_t> start(const Spawn& spawn) {
    std::vector<char*> argv;
    std::vector<char*> env;
    for (const std::string& arg : spawn.argv)
        argv.push_back(const_cast<char*>(arg.c_str())); // execve(2) never writes to them
    for (const std::string& var : spawn.env)
        env.push_back(const_cast<char*>(var.c_str()));
    argv.push_back(nullptr);
    env.push_back(nullptr);
    const char* path = spawn.path.empty() ? argv.front() : spawn.path.c_str();
    std::vector<int> moved(spawn.fds.size());
    volatile Trouble trouble;
    std::string line;
    for (const std::string& arg : spawn.argv)
        line += (line.empty() ? "" : " ") + arg;
    auto started = invoke(
        "vfork",
        [&]() -> long {
            // A fork copies page tables for nothing, and posix_spawn can't say which call failed.
            pid_t pid = ::vfork(); // NOLINT(bugprone-unsafe-functions)
            if (pid == 0)
                become(path, argv.data(), env.data(), spawn, moved, &trouble);
            if (pid > 0 && trouble.code != 0) {
                (void)::waitpid(pid, nullptr, 0); // it has exited: its exec failed
                if (spawn.note != nullptr)
                    *spawn.note = 0;
                errno = trouble.code;
                return -1;
            }
            return pid;
        },
        Heard{Shown{line}, [](long) { return ""; }});
    if (const char* call = trouble.call; !started && trouble.code != 0) // else vfork's own
        started.error().call = call != nullptr ? call : "execve(" + show(line) + ")";
    return static_cast<pid_t>(TRY(std::move(started)));
}

} // namespace sys
