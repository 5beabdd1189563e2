#!/bin/sh
# Lesson 6: the root stage. You are in the container's mount namespace; $GOCONTAINER_ROOTFS is a mount.
# 1. Open $GOCONTAINER_NEXT, since the host's tree will be gone: exec 9<"$GOCONTAINER_NEXT"
# 2. Make $GOCONTAINER_ROOTFS the root, and let go of the old one.
# 3. Execute the rest, by its descriptor.
set -e

exec "$GOCONTAINER_NEXT" "$@"
