#!/bin/sh
# Lesson 12: the caps stage. You are root in the container, with every capability.
# 1. Keep these 14, in every set that counts, and no way to more: chown dac_override fowner fsetid kill
#    setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write setfcap
# 2. Set no_new_privs.
# 3. Execute the rest.
# It runs with the container's root in place, so it needs util-linux's setpriv in the rootfs: one of Debian's
# has it (rootfs-scripts/debian), busybox's can't do it. There, write mine.cpp.

exec "$GOCONTAINER_NEXT" "$@"
