// Lesson 11: the cgroup stage's child half, as a program in its place. You are in the leaf already.
// Make what you are in the root of what you see: unshare(2). Then execute the rest.
#include <cstdio>
#include <cstdlib>

#include <sched.h>
#include <unistd.h>

int main(int, char** argv) {
    execv(getenv("GOCONTAINER_NEXT"), argv); // argv[0] is only a name
    perror("GOCONTAINER_NEXT");
    return 125;
}
