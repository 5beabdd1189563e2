#!/bin/sh
# Lesson 4: the mount stage. You are root in a mount namespace that is a copy of the host's.
# 1. Let nothing spread: make every mount private, below / too.
# 2. Make $GOCONTAINER_ROOTFS a mount, by binding it to itself, with all that is below it.
# 3. Give it a /dev: a tmpfs, and the host's null, zero, full, random, urandom, tty bound to files.
# 4. Execute the rest.
set -e

exec "$GOCONTAINER_NEXT" "$@"
