#!/bin/sh
# Lesson 9: the net stage's child half, by ip(8).
ip link set lo up || exit 125
exec "$GOCONTAINER_NEXT" "$@"
