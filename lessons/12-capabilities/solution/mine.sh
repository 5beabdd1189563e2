#!/bin/sh
# Lesson 12: the caps stage, by setpriv(1): what is dropped from the bounding set, the exec that follows
# does not give back. It wants names without "cap_", each with its sign.
# It runs with the container's root in place, and busybox's setpriv can't change the bounding set:
# `lab check` lends the container this machine's /usr, where util-linux's is: /usr/bin/setpriv.
keep=-all
IFS=,
for name in $GOCONTAINER_CAPABILITIES; do
    keep=$keep,+${name#cap_}
done
exec /usr/bin/setpriv --bounding-set "$keep" --inh-caps -all --ambient-caps -all --no-new-privs \
    "$GOCONTAINER_NEXT" "$@"
