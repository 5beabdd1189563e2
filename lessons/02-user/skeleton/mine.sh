#!/bin/sh
# Lesson 2: write the maps of process $1, which is alone in a new user namespace.
# - uid 0 inside is you outside, and gid 0 your group.
# - uids from 1 on are your range in /etc/subuid, gids your range in /etc/subgid, if you have one.
# newuidmap(1) and newgidmap(1) may write what you may not; each wants all of a map at once.

newuidmap "$1" 0 1000 1
