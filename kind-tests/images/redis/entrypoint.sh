#!/bin/sh
# The password goes in by standard input, so it is not in the process list.
set -eu
echo "requirepass $REDIS_PASSWORD" | exec redis-server - --bind '* -::*' --port 6379 --save '' --appendonly no --dir /tmp
