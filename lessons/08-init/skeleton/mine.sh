#!/bin/sh
# Lesson 8: number 1. Start "$@", pass signals on, reap, end with its status.
"$@"
