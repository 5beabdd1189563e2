// Starting another program: newuidmap, slirp4netns, pasta. Nothing else is ever started.
#include "sys/kernel.hpp"

#include <linux/close_range.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

namespace sys {

namespace {

// Between vfork and execve, in the parent's memory: system calls only, no allocation, no return.
[[noreturn]] void become(char* const* argv, char* const* env,
                         std::span<const std::pair<int, int>> fds, volatile int* error) {
    sigset_t none;
    sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr); // valid arguments: can't fail
    constexpr int kAbove = 512;                       // out of the way of every target number below
    (void)syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC); // checked by what follows: 5.11
    int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        (void)::dup2(null, STDIN_FILENO); // stdin closed instead would be as good
    for (const auto& [ours, theirs] : fds)
        (void)::dup2(ours, kAbove + theirs); // a bad number shows as EBADF in the next line
    for (const auto& [ours, theirs] : fds) {
        if (::dup2(kAbove + theirs, theirs) < 0)
            goto failed;
        (void)::close(kAbove + theirs); // just made
    }
    ::execve(argv[0], argv, env);
failed:
    *error = errno;
    _exit(127);
}

} // namespace

Result<pid_t> start(const Spawn& spawn) {
    std::vector<char*> argv;
    std::vector<char*> env;
    for (const std::string& arg : spawn.argv)
        argv.push_back(const_cast<char*>(arg.c_str())); // execve(2) never writes to them
    for (const std::string& var : spawn.env)
        env.push_back(const_cast<char*>(var.c_str()));
    argv.push_back(nullptr);
    env.push_back(nullptr);
    volatile int error = 0;
    std::string line;
    for (const std::string& arg : spawn.argv)
        line += (line.empty() ? "" : " ") + arg;
    return static_cast<pid_t>(TRY(invoke(
        "execve",
        [&]() -> long {
            pid_t pid = ::vfork();
            if (pid == 0) {
                if (spawn.note != nullptr)
                    *spawn.note = ::getpid();
                become(argv.data(), env.data(), spawn.fds, &error);
            }
            if (pid > 0 && error != 0) {
                (void)::waitpid(pid, nullptr, 0); // it has exited: its exec failed
                errno = error;
                return -1;
            }
            return pid;
        },
        line)));
}

} // namespace sys
