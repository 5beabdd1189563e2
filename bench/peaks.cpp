// Peak memory of every process of a launch, read under ptrace.
//
// Neither wait4 nor /proc alone can tell it: ru_maxrss is handed on over fork and exec (a small
// program that a large one started looks large), and VmHWM starts anew with each exec, so that the
// child's peak is gone once the command runs. So each process is stopped where an image of its
// ends: at the entry of execve, and at its exit.
#include "launch.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

long field_kib(const std::string& file, const std::string& name) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name))
            return std::stol(line.substr(name.size()));
    }
    return 0;
}

// The kernel keeps the counters behind VmHWM per CPU and reads them roughly; smaps_rollup is exact
// but knows only the present. A launch hardly gives memory back, so the larger of the two is close.
long peak_kib(pid_t pid) {
    std::string folder = "/proc/" + std::to_string(pid);
    return std::max(field_kib(folder + "/status", "VmHWM:"),
                    field_kib(folder + "/smaps_rollup", "Rss:"));
}

bool runs_file(pid_t pid, const struct stat& file) {
    struct stat now{};
    return stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &now) == 0 &&
           now.st_dev == file.st_dev && now.st_ino == file.st_ino;
}

// A syscall stop comes twice, and only this tells entry from exit without bookkeeping of ours.
bool enters_exec(pid_t pid) {
    __ptrace_syscall_info info{};
    return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY &&
           (info.entry.nr == SYS_execve || info.entry.nr == SYS_execveat);
}

} // namespace

Result<Peaks> peaks(const Argv& argv, const std::string& command) {
    struct stat command_file{};
    if (stat(command.c_str(), &command_file) < 0)
        return failed("'" + command + "'");

    pid_t first = fork();
    if (first < 0)
        return failed("fork");
    if (first == 0) {
        std::vector<char*> pointers;
        for (const auto& argument : argv)
            pointers.push_back(const_cast<char*>(argument.c_str()));
        pointers.push_back(nullptr);
        int null = open("/dev/null", O_RDWR);
        for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
            dup2(null, stream);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP); // until our options are set
        execv(pointers[0], pointers.data());
        _exit(127);
    }

    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
                         PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
                         PTRACE_O_TRACEEXIT;
    enum class Image { ours, launcher, contained };
    std::map<pid_t, Image> images; // what each traced process runs at present
    Peaks result;
    int first_status = -1;
    auto note = [&](pid_t pid) {
        if (images[pid] != Image::launcher)
            return;
        long& peak = pid == first ? result.parent_kib : result.child_kib;
        peak = std::max(peak, peak_kib(pid));
    };

    for (int status = 0;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break; // ECHILD: all have ended
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == first)
                first_status = status;
            continue;
        }
        int deliver = 0;
        int signal = WSTOPSIG(status), event = status >> 16;
        if (!images.contains(pid)) {
            // Its first stop: the first process's own SIGSTOP, or that of one that it has made. It
            // may come before the event that announces it, and until it execs it is a copy.
            images[pid] = pid == first ? Image::ours : Image::launcher;
            if (pid == first)
                ptrace(PTRACE_SETOPTIONS, pid, nullptr, options);
        } else if (signal == (SIGTRAP | 0x80)) {
            if (enters_exec(pid))
                note(pid);
        } else if (event == PTRACE_EVENT_EXEC) {
            images[pid] = runs_file(pid, command_file) ? Image::contained : Image::launcher;
        } else if (event == PTRACE_EVENT_EXIT) {
            note(pid);
        } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
                   event == PTRACE_EVENT_CLONE) {
            unsigned long made = 0;
            ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &made);
            if (images[pid] == Image::contained)
                images[static_cast<pid_t>(made)] = Image::contained;
        } else if (event == 0 && signal != SIGTRAP) {
            deliver = signal;
        }
        ptrace(PTRACE_SYSCALL, pid, nullptr, deliver);
    }
    if (first_status != 0)
        return std::unexpected("'" + argv[0] + "' failed under ptrace");
    return result;
}

} // namespace bench
