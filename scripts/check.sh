#!/bin/sh
# All that CI demands; $1 is make. One part that fails doesn't hide what the others say; pytest comes last, so that its
# closing line does. What waits for the network (which wheels there are, what Go builds grpcurl from) does so beside the
# checks that only read.
set -u
make=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$make" wheels >"$log" 2>&1 &
wheels=$!
"$make" interop-tools >/dev/null 2>&1 &
status=0
"$make" --keep-going check-reading || status=1
wait "$wheels" || status=1
cat "$log"
wait
"$make" --keep-going check-running || status=1
exit $status
