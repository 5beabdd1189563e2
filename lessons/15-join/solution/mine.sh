#!/bin/sh
# Lesson 15: a command in the container of process $1, by nsenter(1), which takes the user namespace
# first, and forks for the pid namespace. A namespace that is ours already must not be named: to enter
# it again takes a privilege over it. Root in there we are by the map: nothing else has to change.
pid=$1
shift
options=
for pair in user:user cgroup:cgroup ipc:ipc uts:uts net:net pid:pid mnt:mount time:time; do
    name=${pair%:*}
    theirs=$(readlink "/proc/$pid/ns/$name") || exit 1
    [ "$theirs" = "$(readlink "/proc/$$/ns/$name")" ] || options="$options --${pair#*:}"
done
# shellcheck disable=SC2086  # several options
exec nsenter --target "$pid" $options --preserve-credentials "$@"
