#!/bin/sh
# All that CI demands; $1 is make. One part that fails doesn't hide what the others say; pytest comes last, so that its
# closing line does. What waits, for the network or the clock, does so beside something that doesn't; the figures of the
# benchmarks' smoke run are not judged.
set -u
make=$1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# part TARGET [VARIABLE=VALUE]: a value may have spaces
part() {
    started=$(date +%s)
    "$make" "$@" || echo "$1" >>"$logs/failed"
    echo "check: $1 took $(($(date +%s) - started)) s"
}

# begin FUNCTION: in the background; finish FUNCTION PID: says what it said
begin() {
    "$1" >"$logs/$1" 2>&1 &
}
finish() {
    wait "$2"
    cat "$logs/$1"
}

wheels() { part wheels; }
tools() { part interop-tools; }
beside() {
    part bench-smoke
    part bare
    part soak SOAK=60
    part soak SOAK="20 auto 1 flyte-oss"
    part mutants ROTATING=8
    part lowest LOWEST_TESTS="tests/client/test_methods.py tests/serving/test_command.py tests/serving/test_wire.py"
    # what comes next upstream stops nobody
    "$make" canary CANARY_TESTS="--maxfail 1 tests/serving/test_wire.py tests/sdk/test_scenarios.py" >"$logs/canary" 2>&1
    grep -E "==[0-9]|^[0-9]+ (passed|failed)" "$logs/canary" | sed 's/^/check: canary: /'
}

begin wheels
wheels=$!
begin tools
tools=$!
begin beside
beside=$!
for each in lint types imports protos-check docs-check realtime verify; do part $each; done
finish tools $tools
part test-interop
finish wheels $wheels
finish beside $beside
[ ! -e "$logs/failed" ] || echo "check: failed so far: $(tr '\n' ' ' <"$logs/failed")" >&2
# a quarter of the repetitions (tests/matrix.py), another one each day
: "${FLYTEAPPS_MATRIX:=$(($(date +%s) / 86400 % 4 + 1))/4}"
export FLYTEAPPS_MATRIX
echo "check: test runs FLYTEAPPS_MATRIX=$FLYTEAPPS_MATRIX"
"$make" test || echo test >>"$logs/failed"
[ ! -e "$logs/failed" ]
