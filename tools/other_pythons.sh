#!/bin/sh
# Installs fpgacnn on Python 3.12 and 3.13, where they are present, and runs the part of the tests that can differ between
# Pythons: every unit test (files, formats, the API), the commands, the wheel, and conversions with C simulation. Laws,
# damaged inputs and frameworks run on Python 3.11 only. Usage: tools/other_pythons.sh [PYTEST ARGUMENTS]
set -eu
cd "$(dirname "$0")/.."
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
    "$here/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[demo]' \
        hatchling hypothesis mypy onnx pytest pytest-xdist qonnx==1.0.0
    "$here/bin/python" -m compileall -q fpgacnn # see the Makefile
    "$here/bin/pytest" -q -n 2 -m 'not train' "$@" \
        tests/unit tests/whole/test_cli.py tests/whole/test_wheel.py tests/agree/test_line_buffers.py
done
