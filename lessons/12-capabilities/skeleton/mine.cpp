// Lesson 12: the caps stage, as a program in the stage's place. The container's root is in place,
// and the rootfs may have no shared libraries: build it by g++ -static -o mine mine.cpp -lcap
//
// $GOCONTAINER_CAPABILITIES has the names that are to be kept, with commas between.
// cap_from_name(3), cap_drop_bound(3), cap_set_proc(3), prctl(2).
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

int main(int, char** argv) {
    // 1. Drop from the bounding set what is not to be kept.
    // 2. Set permitted and effective to what is, and nothing inheritable.
    // 3. Set no_new_privs.
    const char* next = getenv("GOCONTAINER_NEXT");
    execv(next, argv); // argv[0] is only a name
    perror("GOCONTAINER_NEXT");
    return 125;
}
