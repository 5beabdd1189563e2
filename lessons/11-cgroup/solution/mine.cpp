// Lesson 11: the cgroup stage's child half. The root of a new cgroup namespace is the cgroup that
// its maker is in at that moment.
#include <cstdio>
#include <cstdlib>

#include <sched.h>
#include <unistd.h>

int main(int, char** argv) {
    if (unshare(CLONE_NEWCGROUP) != 0) {
        perror("unshare");
        return 125;
    }
    execv(getenv("GOCONTAINER_NEXT"), argv);
    perror("GOCONTAINER_NEXT");
    return 125;
}
