#!/bin/sh
# Lesson 7: the pid stage, by mount(8).
set -e
proc=$GOCONTAINER_ROOTFS/proc
mount -t proc -o nosuid,nodev,noexec proc "$proc"
for file in kcore keys timer_list; do
    [ ! -e "$proc/$file" ] || mount --bind /dev/null "$proc/$file"
done
for part in bus fs irq sys sysrq-trigger; do
    [ ! -e "$proc/$part" ] || {
        mount --bind "$proc/$part" "$proc/$part"
        mount -o remount,bind,ro,nosuid,nodev,noexec "$proc/$part"
    }
done
exec "$GOCONTAINER_NEXT" "$@"
