#!/bin/sh
# Lesson 9: the net stage's child half. You are in a new network namespace.
# 1. Bring lo up.
# 2. Execute the rest.

exec "$GOCONTAINER_NEXT" "$@"
