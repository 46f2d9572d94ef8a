#!/bin/sh
# A checkout of commit $1 in directory $2, which is cloned from this one; its environment is kept for the next time.
set -eu
[ -d "$2/.git" ] || git clone --quiet --no-checkout . "$2"
wanted=$(git rev-parse --verify "$1^{commit}")
git -C "$2" fetch --quiet origin
git -C "$2" checkout --quiet --detach "$wanted"
