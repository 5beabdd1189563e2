#!/bin/sh
# Lesson 10: mine.sh PID DEVICE COMMAND…: give the network namespace of process PID a way out by a tap
# DEVICE, for as long as COMMAND runs, and end with its status.
# 1. Start slirp4netns in the background: --configure --mtu=65520 --disable-host-loopback
# 2. Wait until it is ready: it says so on a descriptor, --ready-fd. Not by sleeping!
# 3. Run the command, stop slirp4netns, pass on the status.
shift 2
"$@"
