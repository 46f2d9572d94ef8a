#!/bin/sh
# Makes the virtual environment $1 with a Python from 3.14 down to 3.11, and brings its pip to the pinned version. One
# that is there and runs is kept.
# PYTHON (environment) overrides the search. A candidate counts only if it runs: pyenv leaves shims that don't.
set -eu
venv=$1
here=$(dirname "$0")/..

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
supported() { case $1 in 3.11 | 3.12 | 3.13 | 3.14) true ;; *) false ;; esac; }
complete() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

pip=$(sed -n 's/^pip==//p' "$here/constraints.txt")
bring_pip() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "pip==$pip"; }

if [ -e "$venv/bin/python" ] && version=$(version_of "$venv/bin/python") && supported "$version" &&
    "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    bring_pip
    exit
fi

found= found_version= incomplete= incomplete_version=
for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3 python}; do
    version=$(version_of "$candidate") || continue
    supported "$version" || continue
    if complete "$candidate"; then
        found=$candidate found_version=$version
        break
    elif [ -z "$incomplete" ]; then
        incomplete=$candidate incomplete_version=$version
    fi
done

if [ -z "$found" ] && [ -n "$incomplete" ]; then
    echo "$incomplete (Python $incomplete_version) has no venv or ensurepip, which an environment is made with." >&2
    echo "Install it (Debian, Ubuntu: apt install python$incomplete_version-venv), or choose another: make PYTHON=/path/to/python" >&2
    exit 1
fi
if [ -z "$found" ]; then
    if [ -n "${PYTHON:-}" ]; then
        version=$(version_of "$PYTHON") && seen="is Python $version" || seen="is no Python that runs"
        echo "PYTHON=$PYTHON $seen: one of 3.11, 3.12, 3.13, 3.14 is needed." >&2
    else
        echo "No Python from 3.14 down to 3.11 that runs was found on PATH. Install one (Debian, Ubuntu: apt install python3 python3-venv)," >&2
        echo "or name one: make PYTHON=/path/to/python" >&2
    fi
    exit 1
fi

echo "Making $venv with $found (Python $found_version) and pip $pip"
"$found" -m venv --clear "$venv"
bring_pip
