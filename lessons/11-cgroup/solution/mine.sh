#!/bin/sh
# Lesson 11: the cgroup stage's child half. unshare(1) executes what follows; nothing else is needed.
exec unshare --cgroup "$GOCONTAINER_NEXT" "$@"
