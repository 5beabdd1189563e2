#!/bin/sh
# Lesson 6: the root stage, by pivot_root(8). Its program and umount(8) are the host's: both go by the
# old root, which is put on top of the new one, so umount comes from the rootfs.
set -e
exec 9<"$GOCONTAINER_NEXT"
cd "$GOCONTAINER_ROOTFS"
pivot_root . .
umount -l .
cd /
exec /proc/self/fd/9 "$@"
