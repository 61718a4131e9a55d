#!/bin/sh
# What a container runs: `test` runs the C simulation regression tests, everything else is an fpgacnn command.
set -eu
if [ "${1:-}" != test ]; then
    exec fpgacnn "$@"
fi
shift
cd "$(dirname "$0")/.."
exec pytest -q -p no:cacheprovider -m 'agree and not train' "$@"
