// Lesson 13: the seccomp stage, as a program in the stage's place: load a filter, execute the rest.
// The container's root is in place: `make mine` links it statically, with -lseccomp.
//
// seccomp_init(3), seccomp_rule_add(3) with SCMP_A0(SCMP_CMP_MASKED_EQ, …), seccomp_load(3).
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

int main(int, char** argv) {
    // Your filter goes here: all may pass, but
    // - unshare and clone with CLONE_NEWUSER get EPERM
    // - clone3 gets ENOSYS, as from a kernel that is too old for it
    execv(getenv("GOCONTAINER_NEXT"), argv); // argv[0] is only a name
    perror("GOCONTAINER_NEXT");
    return 125;
}
