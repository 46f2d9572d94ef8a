#!/bin/sh
# All that CI demands; $1 is make. The parts run four at a time, as most of them wait a lot: the long ones first, those that
# wait beside those that compute, each with its output in one piece; one that fails hides none of the others. pytest comes
# last, alone on all cores, so that its closing line does.
#
# What `make` offers in full runs here in a short form, or in turns, another one each day: the canary's packages, the share
# of the test matrix. The figures of the benchmarks' smoke run are not judged.
set -u

if [ "$1" = --part ]; then
    # --part MAKE LOGS LINE: one part, `TARGET [VARIABLE=VALUE]...` in shell words
    make=$2 logs=$3
    eval "set -- $4"
    log=$(mktemp "$logs/part.XXXXXX")
    started=$(date +%s)
    "$make" "$@" >"$log" 2>&1
    status=$?
    seconds=$(($(date +%s) - started))
    case $1 in
    canary) # what comes next upstream stops nothing
        grep -E "==[0-9]|^[0-9]+ (passed|failed)" "$log" | sed 's/^/check: canary: /' >"$log.short"
        mv "$log.short" "$log"
        ;;
    *) [ "$status" -eq 0 ] || echo "$1" >>"$logs/failed" ;;
    esac
    echo "check: $1 took $seconds s" >>"$log"
    cat "$log"
    exit 0
fi

make=$1
day=$(($(date +%s) / 86400))
logs=$(mktemp -d)
: "${FLYTEAPPS_MATRIX:=$((day % 12 + 1))/12}"
trap 'rm -rf "$logs"' EXIT

parts() {
    cat <<'END'
test-interop
test-console
verify
types
END
    echo "realtime FLYTEAPPS_MATRIX=$FLYTEAPPS_MATRIX"
    cat <<'END'
bench-smoke
docs-check
lowest LOWEST_TESTS='tests/client/test_methods.py tests/serving/test_command.py tests/serving/test_wire.py'
END
    if [ $((day % 2)) -eq 0 ]; then newest=flyte,flyteidl2; else newest=connectrpc; fi
    echo "canary CANARY=$newest CANARY_TESTS='--maxfail 1 tests/serving/test_wire.py tests/sdk/test_scenarios.py'"
    cat <<'END'
bare
wheels
soak SOAK=20
soak SOAK='10 auto 1 flyte-oss'
mutants ROTATING=3
crowd CROWD='2 all 500'
kills KILLS='3 all 500'
site
workflows
protos-check
console-check
imports
lint
END
}

parts | tr '\n' '\0' | xargs -0 -n 1 -P 4 sh "$0" --part "$make" "$logs"

[ ! -e "$logs/failed" ] || echo "check: failed so far: $(tr '\n' ' ' <"$logs/failed")" >&2
echo "check: test runs FLYTEAPPS_MATRIX=$FLYTEAPPS_MATRIX (tests/matrix.py)"
"$make" test FLYTEAPPS_MATRIX="$FLYTEAPPS_MATRIX" || echo test >>"$logs/failed"
[ ! -e "$logs/failed" ]
