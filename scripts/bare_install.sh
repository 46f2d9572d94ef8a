#!/bin/sh
# Builds the wheel with the environment $1, installs it with pytest and no extra into an empty one, and checks what a
# user of the bare client sees: the command works, says which extra is missing, and pytest isn't disturbed.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")/bin/python
here=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
pins="-c $here/constraints.txt"

fail() {
    echo "bare install: $1" >&2
    exit 1
}

"$python" -m pip wheel --quiet --no-deps --build-constraint "$here/constraints.txt" -w "$scratch" "$here"
"$python" -m venv "$scratch/venv"
"$python" -m pip --python "$scratch/venv/bin/python" install --quiet $pins "$scratch"/flyteapps-*.whl pytest
cd "$scratch"
bin=$scratch/venv/bin
for package in flyteapps flyteapps_fake flyteapps_contract; do
    "$bin/python" -c "
import importlib.util, pathlib
assert pathlib.Path(importlib.util.find_spec('$package').origin).with_name('py.typed').exists()
" || fail "the wheel lacks $package or its py.typed"
done
"$bin/python" -c 'import flyteapps'
said=$("$bin/flyteapps" --help)
case $said in *"  serve "*) ;; *) fail "flyteapps --help doesn't list serve: $said" ;; esac
status=0
said=$("$bin/flyteapps" serve 2>&1) || status=$?
[ "$status" -eq 2 ] || fail "flyteapps serve ended with $status, not 2: $said"
case $said in *"pip install 'flyteapps[serve]'"*) ;; *) fail "flyteapps serve doesn't say which extra: $said" ;; esac
echo 'def test_nothing(): pass' >test_nothing.py
"$bin/python" -m pytest -q -W error -p no:cacheprovider test_nothing.py >pytest.log 2>&1 || fail "pytest: $(cat pytest.log)"
echo 'def test_plane(plane): pass' >test_nothing.py
said=$("$bin/python" -m pytest -q -p no:cacheprovider test_nothing.py 2>&1) && fail "the fixture plane works without the extra serve"
case $said in *"pip install 'flyteapps[serve]'"*) ;; *) fail "the fixture plane doesn't say which extra: $said" ;; esac
echo "bare install: the command works and names the missing extra"
