// Lesson 8: number 1. Start argv[1]…, pass signals on, reap, end with its status: 128+N for a
// signal.
//
// Number 1 has no default actions: a signal that it does not handle or wait for is lost.
// sigprocmask(2) and sigwaitinfo(2), waitpid(2) with -1 and WNOHANG.
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 2)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return 0;
}
