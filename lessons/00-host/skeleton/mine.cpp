// Lesson 0: print the name of each namespace that process argv[1] does not share with you, one a
// line. The links in /proc/PID/ns say which: cgroup ipc mnt net pid time user uts. readlink(2).
// A process that is not there is an error: say so on stderr, and end with a status other than 0.
#include <cstdio>

int main(int argc, char**) {
    if (argc != 2)
        return 2;
    puts("user");
    return 0;
}
