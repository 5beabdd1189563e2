// Lesson 10: mine PID DEVICE COMMAND…: give the network namespace of process PID a way out by a tap
// DEVICE, for as long as COMMAND runs, and end with its status.
// 1. Start slirp4netns: --configure --mtu=65520 --disable-host-loopback --ready-fd=N PID DEVICE
// 2. Wait until it is ready: it writes to that descriptor, the end of a pipe(2). Not by sleeping!
// 3. Run the command, stop slirp4netns, pass on the status.
#include <cstdio>

#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 4)
        return 2;
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    return 127;
}
