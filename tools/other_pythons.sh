#!/bin/sh
# Installs fpgacnn on Python 3.12 and 3.13, where they are present, and runs the part of the tests that can differ between
# Pythons: the API, files, formats, the commands, the wheel, and conversions with C simulation; on 3.13, the newest, all
# unit tests. Laws, damaged inputs and frameworks run on Python 3.11 only.
# Usage: tools/other_pythons.sh [PYTEST ARGUMENTS]
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
    units="tests/unit"
    [ "$version" = 3.13 ] || units="tests/unit/test_api.py tests/unit/design tests/unit/frontends" # between 3.11 and 3.13, which run all of them
    # shellcheck disable=SC2086 # folders without spaces
    "$here/bin/pytest" -q -n 2 -m 'not train' "$@" \
        $units tests/whole/test_cli.py tests/whole/test_wheel.py tests/agree/test_line_buffers.py
done
