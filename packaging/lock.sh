#!/bin/sh
# Writes requirements.txt anew: the versions of all that runs in a release, each file of them by its hash, for every
# Python and platform. What builds it (setuptools) is in it, too. Needs uv: pip install uv
set -eu
cd "$(dirname "$0")/.."
echo setuptools | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --upgrade --extra shared --custom-compile-command packaging/lock.sh --output-file packaging/requirements.txt setup.cfg -
