#!/bin/sh
# Lesson 3: the uts stage. You are root in a UTS namespace of your own; its name is still the host's.
# 1. Set the host name to $GOCONTAINER_HOSTNAME; end with a message and a status when that fails.
# 2. Execute the rest.

exec "$GOCONTAINER_NEXT" "$@"
