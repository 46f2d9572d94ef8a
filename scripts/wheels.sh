#!/bin/sh
# Whether every extra can be installed from wheels alone, at the pinned versions, on each platform and Python that we
# name: uv resolves for them, nothing is installed. $1: the environment that uv is in. Exits 1 where a wheel is missing.
set -eu
bin=$1/bin
cd "$(dirname "$0")/.."
MACOSX_DEPLOYMENT_TARGET=15.0
export MACOSX_DEPLOYMENT_TARGET
. scripts/uv.sh
failed=0

# resolve PLATFORM EXTRA...: all of them at once, which is one resolution; what is missing is named by uv
resolve() {
    platform=$1
    shift
    extras=
    for extra in "$@"; do extras="$extras --extra $extra"; done
    for python in 3.11 3.12 3.13 3.14; do
        if said=$("$bin/uv" pip compile --quiet --python "$bin/python" --no-header --no-annotate --only-binary :all: $extras -c constraints.txt \
            --python-platform "$platform" --python-version $python pyproject.toml 2>&1); then
            echo "wheels for $platform, Python $python: $*"
        else
            echo "no wheels for $platform, Python $python, $*: $said" >&2
            failed=1
        fi
    done
}

# tier 1; all platforms at once, since it is the network that is waited for
running=
for platform in x86_64-manylinux_2_31 aarch64-manylinux_2_31 aarch64-apple-darwin; do
    (resolve $platform serve fast run contract grpc auth otel; exit $failed) &
    running="$running $!"
done
# tier 2: the embedded plane and the client
(resolve x86_64-pc-windows-msvc serve run contract grpc auth otel; exit $failed) &
running="$running $!"
for each in $running; do wait "$each" || failed=1; done
exit $failed
