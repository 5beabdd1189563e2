// Lesson 13: run a program under a filter. Build with -lseccomp.
//
// seccomp_init(3), seccomp_rule_add(3) with SCMP_A0(SCMP_CMP_MASKED_EQ, …), seccomp_load(3). By
// default seccomp_load sets no_new_privs first.
#include <cstdio>

#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 2)
        return 2;
    // Your filter goes here.
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
