#!/bin/sh
# Lesson 12: the caps stage, by setpriv(1): what is dropped from the bounding set, the exec that follows
# does not give back.
# It runs with the container's root in place, so it needs util-linux's setpriv in the rootfs: one of Debian's
# has it (rootfs-scripts/debian), busybox's can't do it. There, write mine.cpp.
keep=-all
for name in chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw \
    sys_chroot mknod audit_write setfcap; do
    keep=$keep,+$name
done
exec setpriv --bounding-set "$keep" --inh-caps -all --ambient-caps -all --no-new-privs \
    "$GOCONTAINER_NEXT" "$@"
