#!/bin/sh
# keep.sh COMMAND ...: run it, and again a second later whenever it ends by a signal or an error.
# honcho and its kin end all processes as soon as one of them ends. A stop reaches this shell and
# the command alike: the shell waits for the command, and does not start it again.
told=
trap 'told=1' INT TERM
while [ -z "$told" ] && ! "$@"; do
    sleep 1
done
