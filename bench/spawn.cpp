// How processes are started and reaped; the clock.
#include "spawn.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

sigset_t only(int signal) {
    sigset_t set;
    sigemptyset(&set);
    if (signal != 0)
        sigaddset(&set, signal);
    return set;
}

} // namespace

Spawn::Spawn() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    // Ours blocks SIGCHLD; what we start must not inherit that.
    const sigset_t none = only(0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
}

Spawn::~Spawn() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
}

void Spawn::give(int file, int as) {
    posix_spawn_file_actions_adddup2(&actions, file, as);
}

Result<pid_t> Spawn::start(const Argv& argv) const {
    std::vector<char*> pointers;
    for (const auto& argument : argv)
        pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    pid_t pid = -1;
    errno = posix_spawn(&pid, pointers[0], &actions, &attributes, pointers.data(), environ);
    if (errno != 0)
        return failed(argv[0]);
    return pid;
}

double now_ms() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

void adopt_orphans() {
    const sigset_t child = only(SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr); // for sigtimedwait
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

Result<double> reap_orphans(const Argv& argv) {
    const sigset_t child = only(SIGCHLD);
    double cpu = 0;
    for (;;) {
        rusage usage{};
        pid_t pid = wait4(-1, nullptr, WNOHANG, &usage);
        if (pid > 0) {
            cpu += cpu_ms(usage);
        } else if (pid < 0 && errno == ECHILD) {
            return cpu;
        } else if (pid == 0) {
            const timespec limit{.tv_sec = 5, .tv_nsec = 0};
            if (sigtimedwait(&child, nullptr, &limit) < 0 && errno == EAGAIN)
                return std::unexpected("'" + line_of(argv) + "' left a process behind for 5 s");
        }
    }
}

double cpu_ms(const rusage& usage) {
    auto ms = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
    };
    return ms(usage.ru_utime) + ms(usage.ru_stime);
}

std::string line_of(const Argv& argv) {
    std::string line;
    for (const auto& argument : argv)
        line += (line.empty() ? "" : " ") + argument;
    return line;
}

std::unexpected<std::string> failed(const std::string& what) {
    return std::unexpected(what + ": " + strerror(errno));
}

} // namespace bench
