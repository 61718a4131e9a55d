#!/bin/sh
# Runs the tests that need neither TensorFlow nor C simulation on Python 3.12 and 3.13, where they are present; the hostile
# inputs only on the newest, because they take a quarter of the time.
# Usage: tools/other_pythons.sh
set -eu
for version in 3.12 3.13; do
    python=""
    for candidate in "python$version" "${HOME:-/}"/.pyenv/versions/"$version".*/bin/python; do
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "python$version: not here, skipped"
        continue
    fi
    here=".venv-py$version"
    [ -x "$here/bin/pytest" ] || "$python" -m venv "$here"
    "$here/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[demo]' hypothesis onnx pytest pytest-xdist qonnx==1.0.0
    left_out=tests/hostile
    [ "$version" != 3.13 ] || left_out=none
    "$here/bin/pytest" -q -n 2 -m 'not agree and not train' --ignore "$left_out"
done
