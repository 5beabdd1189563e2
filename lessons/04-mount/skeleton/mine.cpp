// Lesson 4: the mount stage, as a program in the stage's place. You are root in a mount namespace
// that is a copy of the host's.
// 1. Let nothing spread: make every mount private, below / too. mount(2): MS_REC, MS_PRIVATE
// 2. Make $GOCONTAINER_ROOTFS a mount, by binding it to itself, with all that is below it.
// 3. Give it a /dev: a tmpfs, and the host's null, zero, full, random, urandom, tty bound to files.
// 4. Execute the rest.
#include <cstdio>
#include <cstdlib>

#include <sys/mount.h>
#include <unistd.h>

int main(int, char** argv) {
    execv(getenv("GOCONTAINER_NEXT"), argv); // argv[0] is only a name
    perror("GOCONTAINER_NEXT");
    return 125;
}
