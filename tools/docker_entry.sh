#!/bin/sh
# What a container runs: `test` runs the C simulation regression tests, and where TensorFlow is there those against it, too;
# everything else is an fpgacnn command.
set -eu
if [ "${1:-}" != test ]; then
    exec fpgacnn "$@"
fi
shift
cd "$(dirname "$0")/.."
marks='agree and not train'
if python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("tensorflow"))'; then
    marks='agree or train'
fi
exec pytest -q -p no:cacheprovider -m "$marks" "$@"
