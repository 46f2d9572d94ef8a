#!/bin/sh
# Installs what serves fast (pyvoy) into the environment $1, from wheels only: where there is none for this machine,
# says so in one line and leaves the portable server.
set -eu
here=$(dirname "$0")/..
if ! log=$("$1/bin/python" -m pip install --quiet --only-binary :all: -c "$here/constraints.txt" 'pyvoy>=1.3,<2' 2>&1); then
    echo "pyvoy has no wheel for this machine or could not be fetched: serving with the slower portable server (hypercorn)." >&2
    [ -z "${VERBOSE:-}" ] || echo "$log" >&2
fi
