// The smallest container: what one launch costs when nothing is left to leave out.
//
//     cc -O2 -static -o floor bench/floor.c
//     ./floor ROOTFS COMMAND [ARG...]        as root or as an ordinary user
//
// bench/run measures gocontainer against it. It is also short enough to read before the real thing:
//
//     parent ── clone3 ──► child: waits for its id map ──► /proc/self/exe child ROOTFS COMMAND
//     parent: writes the map, says so, waits                 mounts, pivots ──► execve COMMAND
//
// It leaves out all that makes a container safe to give to others: capabilities, seccomp, masked
// paths, limits, a network beyond a loopback that is down.

#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/sched.h> // struct clone_args, and CLONE_NEW*
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 125, NOT_FOUND = 127 }; // the statuses that env(1), chroot(1) and docker(1) use

static void must(int result, const char* what) {
    if (result < 0)
        err(FAILED, "%s", what);
}

static void write_file(const char* path, const char* text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    must(file, path);
    // The kernel takes an id map in one write or not at all.
    must(write(file, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1, path);
    close(file);
}

// In the host's namespaces, with the caller's own privileges.
static void write_id_map(pid_t child, uid_t uid, gid_t gid) {
    char path[64], map[64];
    // Without CAP_SETGID outside, a gid map is only accepted once setgroups is off: dropping a
    // group could otherwise open what the group was denied.
    snprintf(path, sizeof path, "/proc/%d/setgroups", child);
    write_file(path, "deny");
    snprintf(path, sizeof path, "/proc/%d/uid_map", child);
    snprintf(map, sizeof map, "0 %u 1\n", uid);
    write_file(path, map);
    snprintf(path, sizeof path, "/proc/%d/gid_map", child);
    snprintf(map, sizeof map, "0 %u 1\n", gid);
    write_file(path, map);
}

// In every new namespace, as uid 0 of the new user namespace, the working directory at the root of
// what becomes the container's file system. A user namespace may not mknod: it borrows the host's.
static void make_dev(void) {
    static const char* const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
    must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755"), "mount /dev");
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char source[32];
        snprintf(source, sizeof source, "/dev/%s", nodes[i]);
        const char* target = source + 1; // the same name, below the working directory
        int file = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        must(file, target);
        close(file);
        must(mount(source, target, NULL, MS_BIND, NULL), source);
    }
}

// In every new namespace, as uid 0 of the new user namespace with all its capabilities; the mounts
// are still a copy of the host's.
static int child(const char* rootfs, char** command) {
    // First of all, or what follows would spread to the host's own mounts.
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
    // pivot_root wants a mount point, and a plain directory is none until it is bound to itself.
    must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
    must(chdir(rootfs), rootfs);
    // Before the pivot: rootless, the kernel only lets us mount a /proc while a whole one is
    // visible.
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mount /proc");
    make_dev();
    must(sethostname("floor", strlen("floor")), "sethostname");
    // The new root is stacked over the old one at the same place, so that no folder is needed for
    // the old one; "." then still means the old root, and detaching it leaves no way back.
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "detach the old root");
    must(chdir("/"), "chdir /");
    execvp(command[0], command);
    err(NOT_FOUND, "%s", command[0]);
}

// In the host's namespaces, with the caller's own privileges.
static int parent(char** arguments) {
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int mapped[2];
    must(pipe2(mapped, O_CLOEXEC), "pipe");
    struct clone_args clone = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS |
                 CLONE_NEWIPC | CLONE_NEWCGROUP,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &clone, sizeof clone);
    must(pid, "clone3");
    if (pid == 0) {
        // The map has to be there before the exec: an exec by an unmapped user loses all
        // capabilities.
        char go;
        close(mapped[1]);
        if (read(mapped[0], &go, 1) != 1)
            _exit(FAILED); // the parent died, or has already said what went wrong
        arguments[0] = "child";
        execv("/proc/self/exe", arguments);
        err(FAILED, "/proc/self/exe");
    }
    close(mapped[0]);
    write_id_map(pid, uid, gid);
    must(write(mapped[1], "", 1) == 1 ? 0 : -1, "tell the child of its map");
    int status;
    must(waitpid(pid, &status, 0), "waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char** argv) {
    if (argc < 3)
        errx(FAILED, "usage: floor ROOTFS COMMAND [ARG...]");
    return strcmp(argv[0], "child") == 0 ? child(argv[1], argv + 2) : parent(argv);
}
