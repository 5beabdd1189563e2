// Lesson 15: mine PID COMMAND…: run the command in the container of process PID, in each of its
// namespaces and with its root, and pass on the status.
//
// pidfd_open(2), and setns(2), which takes a pidfd and CLONE_NEW*, several at once. Which of them
// does only a child get? And which of them could not be entered before another one?
#include <cstdio>

#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 3)
        return 2;
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
