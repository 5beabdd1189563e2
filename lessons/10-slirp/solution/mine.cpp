// Lesson 10: slirp4netns beside a command. Its ready fd is the end of a pipe: a read at the other
// end answers when it has written, or has ended without.
#include <csignal>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 4)
        return 2;
    int ready[2];
    if (pipe(ready) != 0) {
        perror("pipe");
        return 125;
    }
    pid_t slirp = fork();
    if (slirp == 0) {
        close(ready[0]);
        prctl(PR_SET_PDEATHSIG, SIGTERM); // it ends with us
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 1);
        const std::string option = "--ready-fd=" + std::to_string(ready[1]);
        execlp("slirp4netns", "slirp4netns", "--configure", "--mtu=65520",
               "--disable-host-loopback", option.c_str(), argv[1], argv[2], nullptr);
        perror("slirp4netns");
        _exit(127);
    }
    close(ready[1]); // else we would never see the end of it
    char said = 0;
    if (slirp < 0 || read(ready[0], &said, 1) != 1) {
        (void)fprintf(stderr, "slirp4netns did not get ready\n");
        return 125;
    }
    close(ready[0]);
    pid_t command = fork();
    if (command == 0) {
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    int status = 0;
    waitpid(command, &status, 0);
    kill(slirp, SIGTERM);
    waitpid(slirp, nullptr, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
