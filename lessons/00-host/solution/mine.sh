#!/bin/sh
# Lesson 0: the namespaces that process $1 does not share with us, by the links in /proc/PID/ns.
[ -d "/proc/$1/ns" ] || { echo "there is no process \"$1\"" >&2; exit 1; }
for name in cgroup ipc mnt net pid time user uts; do
    [ -e "/proc/self/ns/$name" ] || continue # an older kernel
    theirs=$(readlink "/proc/$1/ns/$name") || exit 1
    [ "$theirs" = "$(readlink "/proc/$$/ns/$name")" ] || echo "$name"
done
