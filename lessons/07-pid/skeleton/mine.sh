#!/bin/sh
# Lesson 7: the pid stage. You are number 1 of a new pid namespace, in your own mount namespace.
# 1. Mount a /proc that shows this namespace on $GOCONTAINER_ROOTFS/proc.
# 2. Cover what could be used to harm the machine.
# 3. Execute the rest.
set -e

exec "$GOCONTAINER_NEXT" "$@"
