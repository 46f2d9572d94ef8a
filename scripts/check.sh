#!/bin/sh
# All that CI demands; $1 is make. One part that fails doesn't hide what the others say; pytest comes last, so that its
# closing line does. What waits for the network (which wheels there are, what Go builds grpcurl from) or for the clock
# (the SDK in real time) does so beside something that doesn't; so do the benchmarks, whose figures no smoke run judges.
set -u
make=$1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
status=0
failed=

# part TARGET [VARIABLE=VALUE]: in the foreground
part() {
    started=$(date +%s)
    "$make" "$@" || { status=1 failed="$failed $1"; }
    echo "check: $1 took $(($(date +%s) - started)) s"
}

# begin TARGET: in the background; finish TARGET PID: says what it said
begin() {
    "$make" "$1" >"$logs/$1" 2>&1 &
}
finish() {
    wait "$2" || { status=1 failed="$failed $1"; }
    cat "$logs/$1"
}

begin wheels
wheels=$!
begin interop-tools
tools=$!
begin bench-smoke
smoke=$!
for each in lint types imports bare protos-check docs-check; do part $each; done
finish interop-tools $tools
finish bench-smoke $smoke
begin realtime
realtime=$!
part soak SOAK=60
finish realtime $realtime
finish wheels $wheels
for each in verify test-interop; do part $each; done
[ -z "$failed" ] || echo "check: failed so far:$failed" >&2
"$make" test || status=1
exit $status
