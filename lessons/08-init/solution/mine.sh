#!/bin/sh
# Lesson 8: number 1. A trap interrupts `wait` with a status above 128, and so does a command that was
# ended by a signal: whether it is still there tells them apart. The shell reaps orphans by itself, as
# any process that it finds when it waits.
"$@" &
command=$!
trap 'kill -TERM $command' TERM
trap 'kill -INT $command' INT
while :; do
    wait $command
    status=$?
    kill -0 $command 2>/dev/null || exit $status
done
