// touched FUNCTIONS PROGRAM [ARG…]: the functions that PROGRAM, and what it re-executes of itself,
// run, in the order of their first call. FUNCTIONS: their addresses, in hexadecimal, one a line.
//
// As a debugger does it (ptrace(2)): the first byte of each becomes a breakpoint, which goes at the
// first time that it is reached. For tools/order; static programs at a fixed address only.
#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

constexpr unsigned char kBreakpoint = 0xcc; // int3

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

struct Text {
    std::uint64_t start = 0;
    std::string bytes;
};

/// The program's segment of code, as the file has it.
Text text_of(const char* program) {
    std::ifstream file(program, std::ios::binary);
    std::string all(std::istreambuf_iterator<char>(file), {});
    if (all.size() < sizeof(Elf64_Ehdr))
        give_up(program);
    Elf64_Ehdr header;
    std::memcpy(&header, all.data(), sizeof header);
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        std::memcpy(&segment, all.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0)
            return {segment.p_vaddr, all.substr(segment.p_offset, segment.p_filesz)};
    }
    give_up("no code in it");
}

class Tracer {
public:
    Tracer(const char* functions, const char* program) : text_(text_of(program)) {
        if (stat(program, &program_) != 0)
            give_up(program);
        armed_ = text_.bytes;
        std::ifstream list(functions);
        for (std::uint64_t at = 0; list >> std::hex >> at;)
            if (at >= text_.start && at < text_.start + text_.bytes.size())
                armed_[at - text_.start] = static_cast<char>(kBreakpoint);
    }

    /// Until `first` has ended; what still lives then goes on without us.
    void follow(pid_t first) {
        for (;;) {
            int status = 0;
            pid_t pid = waitpid(-1, &status, __WALL);
            if (pid < 0)
                give_up("waitpid");
            if (!WIFSTOPPED(status)) {
                known_.erase(pid);
                if (pid == first)
                    break;
                continue;
            }
            int signal = on_stop(pid, WSTOPSIG(status), status >> 16);
            if (signal >= 0 && ptrace(PTRACE_CONT, pid, nullptr, signal) != 0)
                known_.erase(pid); // killed meanwhile
        }
        for (pid_t pid : known_) {
            kill(pid, SIGSTOP);
            waitpid(pid, nullptr, __WALL);
            write(pid, text_.start, text_.bytes);
            ptrace(PTRACE_DETACH, pid, nullptr, SIGCONT);
        }
    }

private:
    static void write(pid_t pid, std::uint64_t at, const std::string& bytes) {
        std::string path = "/proc/" + std::to_string(pid) + "/mem";
        int memory = open(path.c_str(), O_WRONLY | O_CLOEXEC);
        if (memory < 0 || pwrite(memory, bytes.data(), bytes.size(), static_cast<off_t>(at)) < 0)
            give_up("/proc/PID/mem");
        close(memory);
    }

    /// The signal to go on with, or -1: it goes on already, without us.
    int on_stop(pid_t pid, int signal, int event) {
        known_.insert(pid);
        if (event == PTRACE_EVENT_EXEC)
            return on_exec(pid);
        if (event != 0 || signal == SIGSTOP)
            return 0;
        return signal == SIGTRAP ? on_breakpoint(pid) : signal;
    }

    int on_exec(pid_t pid) {
        struct stat now{};
        std::string path = "/proc/" + std::to_string(pid) + "/exe";
        bool same = stat(path.c_str(), &now) == 0 && now.st_ino == program_.st_ino;
        if (same) {
            write(pid, text_.start, armed_);
            return 0;
        }
        known_.erase(pid);
        ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
        return -1;
    }

    int on_breakpoint(pid_t pid) {
        user_regs_struct registers{};
        if (ptrace(PTRACE_GETREGS, pid, nullptr, &registers) != 0)
            return 0;
        std::uint64_t at = registers.rip - 1;
        if (at < text_.start || at - text_.start >= armed_.size())
            return SIGTRAP;
        std::size_t offset = at - text_.start;
        if (armed_[offset] == text_.bytes[offset])
            return SIGTRAP;
        if (told_.insert(at).second)
            std::printf("%llx\n", static_cast<unsigned long long>(at));
        write(pid, at, text_.bytes.substr(offset, 1));
        registers.rip = at;
        ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
        return 0;
    }

    struct stat program_{};
    Text text_;
    std::string armed_; ///< text_'s bytes, with the breakpoints
    std::set<std::uint64_t> told_;
    std::set<pid_t> known_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: touched FUNCTIONS PROGRAM [ARG...]\n", stderr);
        return 2;
    }
    Tracer tracer(argv[1], argv[2]);
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP);
        // What it prints is none of ours.
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execv(argv[2], argv + 2);
        give_up(argv[2]);
    }
    waitpid(pid, nullptr, 0);
    if (ptrace(PTRACE_SETOPTIONS, pid, nullptr,
               PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC) != 0)
        give_up("ptrace");
    ptrace(PTRACE_CONT, pid, nullptr, nullptr);
    tracer.follow(pid);
}
