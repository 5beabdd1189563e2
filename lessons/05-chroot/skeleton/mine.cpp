// Lesson 5: out of a chroot, with nothing but CAP_SYS_CHROOT, and argv[1]… run there.
//
// Four calls: mkdir(2), chroot(2), chdir(2) again and again, chroot(2).
#include <cstdio>

#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 2)
        return 2;
    // Your four calls go here.

    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
