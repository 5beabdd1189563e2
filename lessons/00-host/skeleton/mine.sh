#!/bin/sh
# Lesson 0: print the name of each namespace that process $1 does not share with you, one a line.
# The links in /proc/$1/ns say which namespaces a process is in: cgroup ipc mnt net pid time user uts.
# A process that is not there is an error: say so on stderr, and end with a status other than 0.

ls "/proc/$1/ns"
