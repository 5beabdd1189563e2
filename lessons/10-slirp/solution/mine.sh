#!/bin/sh
# Lesson 10: slirp4netns beside a command. A fifo is what a shell can wait at: its reader goes on when
# slirp4netns has written to its ready fd, or has ended without.
pid=$1 device=$2
shift 2
folder=$(mktemp -d) && mkfifo "$folder/ready" || exit 125
slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=3 "$pid" "$device" \
    3>"$folder/ready" >/dev/null 2>"$folder/said" &
slirp=$!
ready=$(head -c 1 <"$folder/ready")
[ "$ready" = 1 ] || { cat "$folder/said" >&2; rm -r "$folder"; exit 125; }
rm -r "$folder"
"$@"
status=$?
kill $slirp
wait $slirp
exit $status
