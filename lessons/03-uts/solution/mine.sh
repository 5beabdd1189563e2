#!/bin/sh
# Lesson 3: the uts stage, by hostname(1). What it can't do, it says itself.
hostname "$GOCONTAINER_HOSTNAME" || exit 125
exec "$GOCONTAINER_NEXT" "$@"
