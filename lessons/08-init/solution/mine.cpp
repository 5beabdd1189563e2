// Lesson 8: number 1. Every signal is blocked and then waited for, so that none is lost between two
// looks: SIGCHLD says that there is something to reap, any other is the command's.
#include <csignal>
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 2)
        return 2;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t command = fork();
    if (command < 0) {
        perror("fork");
        return 125;
    }
    if (command == 0) {
        sigprocmask(SIG_SETMASK, &before, nullptr); // a mask outlives the exec
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    for (;;) {
        int signal = sigwaitinfo(&all, nullptr);
        if (signal > 0 && signal != SIGCHLD)
            kill(command, signal);
        int status = 0;
        for (pid_t ended = 0; (ended = waitpid(-1, &status, WNOHANG)) > 0;)
            if (ended == command)
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
}
