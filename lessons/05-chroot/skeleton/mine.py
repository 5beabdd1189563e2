#!/usr/bin/python3
# Lesson 5: out of a chroot, with nothing but CAP_SYS_CHROOT, and the arguments run there as a command.
# Four calls: os.mkdir, os.chroot, os.chdir again and again, os.chroot.
import os
import sys

# Your four calls go here.

os.execvp(sys.argv[1], sys.argv[1:])
