// Lesson 7: the pid stage, as a program in the stage's place. You are number 1 of a new pid
// namespace, in your own mount namespace.
// 1. Mount a /proc that shows this namespace on $GOCONTAINER_ROOTFS/proc. mount(2)
// 2. Cover what could be used to harm the machine.
// 3. Execute the rest.
#include <cstdio>
#include <cstdlib>

#include <sys/mount.h>
#include <unistd.h>

int main(int, char** argv) {
    execv(getenv("GOCONTAINER_NEXT"), argv); // argv[0] is only a name
    perror("GOCONTAINER_NEXT");
    return 125;
}
