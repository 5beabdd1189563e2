// Lesson 1: start argv[1]… in namespaces of its own and pass on its status.
//
// unshare(2) with CLONE_NEWUSER|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWPID. Two questions to answer:
//   - a process can't change its own pid namespace: only its children are born there
//   - who waits for the command, and what becomes of it when this program is killed? prctl(2)
// To be root in there, write "deny" to /proc/self/setgroups and a line each to uid_map, gid_map.
#include <cstdio>

#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 2)
        return 2;
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
