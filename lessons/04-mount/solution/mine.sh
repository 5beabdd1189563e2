#!/bin/sh
# Lesson 4: the mount stage, by mount(8).
set -e
root=$GOCONTAINER_ROOTFS
mount --make-rprivate /
mount --rbind "$root" "$root"
mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
exec "$GOCONTAINER_NEXT" "$@"
