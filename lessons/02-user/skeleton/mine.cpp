// Lesson 2: write the maps of process argv[1], which is alone in a new user namespace.
// - uid 0 inside is you outside, and gid 0 your group.
// - uids from 1 on are your range in /etc/subuid, gids your range in /etc/subgid, if you have one.
// newuidmap(1) and newgidmap(1) may write what you may not; each wants all of a map at once:
//   newuidmap PID INSIDE OUTSIDE COUNT [INSIDE OUTSIDE COUNT]…
#include <cstdio>

#include <unistd.h>

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    execlp("newuidmap", "newuidmap", argv[1], "0", "1000", "1", nullptr);
    perror("newuidmap");
    return 127;
}
