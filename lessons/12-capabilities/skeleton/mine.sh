#!/bin/sh
# Lesson 12: the caps stage. You are root in the container, with every capability.
# 1. Keep those of $GOCONTAINER_CAPABILITIES ("cap_chown,cap_kill,…"), in every set that counts, and no
#    way to more.
# 2. Set no_new_privs.
# 3. Execute the rest.
# It runs with the container's root in place, and busybox's setpriv can't change the bounding set:
# `lab check` lends the container this machine's /usr, where util-linux's is: /usr/bin/setpriv.

exec "$GOCONTAINER_NEXT" "$@"
