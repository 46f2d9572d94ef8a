#!/bin/sh
# Tests with other versions than the pinned ones, in an environment of their own. $1: the environment that uv is in;
# $2: `lowest`, those that our extras allow at least, without the SDK (which pins one flyteidl2); or packages, separated
# by commas, whose newest is taken, whatever we and others allow; $3...: the tests.
set -eu
bin=$1/bin
which=$2
shift 2
cd "$(dirname "$0")/.."
. scripts/uv.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

case $which in
lowest)
    venv=.venv-lowest
    extras="--resolution lowest-direct --extra serve --extra fast --extra run --extra contract --extra grpc --extra auth --extra otel --extra runner"
    for each in config console endpoint; do set -- "$@" --ignore tests/client/test_$each.py; done # they ask the SDK
    ;;
*)
    venv=.venv-newest
    echo "$which" | tr ',' '\n' >"$scratch/override"
    extras="--override $scratch/override --extra all --extra test"
    ;;
esac
"$bin/uv" pip compile --quiet --no-header --no-annotate $extras --output-file "$scratch/versions" pyproject.toml
[ -x "$venv/bin/python" ] || "$bin/uv" venv --quiet --python "$bin/python" "$venv"
"$bin/uv" pip sync --quiet --python "$venv/bin/python" "$scratch/versions"
"$bin/uv" pip install --quiet --no-deps --build-constraint constraints.txt --python "$venv/bin/python" -e .
echo "$which: $(grep -E '^(click|connectrpc|flyte|flyteidl2|grpcio|protobuf|protovalidate|pyqwest|pyvoy)==' "$scratch/versions" | tr '\n' ' ')"
"$venv/bin/python" -m pytest -q -n auto -p no:cacheprovider "$@"
