#!/bin/sh
# Lesson 1: "$@" in namespaces of its own; unshare waits for its child and ends with its status.
# --kill-child: when unshare is killed, so is the child, as it is with gocontainer.
exec unshare --user --map-root-user --mount --uts --pid --fork --kill-child "$@"
