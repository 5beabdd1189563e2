#!/bin/sh
# Lesson 8: number 1. A trap interrupts `wait` with a status above 128, and so does a command that was
# ended by a signal: whether it is still there tells them apart. The shell reaps orphans by itself, as
# any process that it finds when it waits. SIGINT is not to be had from a shell: what it starts in the
# background ignores that (POSIX); GNU's env --default-signal=INT before "$@" would undo it.
exec 3<&0 # what is started in the background gets /dev/null as its input, unless told otherwise

# The traps come first: a signal may be here before $! is known, and is then passed on later.
command='' early=''
pass() { if [ "$command" ]; then kill "-$1" "$command"; else early="$early $1"; fi; }
trap 'pass TERM' TERM
trap 'pass HUP' HUP

"$@" <&3 3<&- &
command=$!
for signal in $early; do kill "-$signal" "$command"; done
while :; do
    wait "$command"
    status=$?
    kill -0 "$command" 2>/dev/null || exit "$status"
done
