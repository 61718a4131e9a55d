#!/bin/sh
# Writes requirements/*.txt: every package of CI and of the images, with its version and the hashes of its files.
# Usage: tools/lock.sh [--check]     with --check: fail where pyproject.toml asks for what a lock does not give
# Needs uv (pip install uv). Hashes are those of the files on PyPI, whatever mirror serves them.
set -eu
cd "$(dirname "$0")/.."

compile() { # compile OUTPUT ARGUMENTS...: for Python 3.11 on the oldest Linux that NumPy's wheels know
    output=$1
    shift
    "${UV:-uv}" pip compile --no-config --quiet --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command tools/lock.sh \
        --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$@" --output-file "$output"
}

lock() { # lock NAME ARGUMENTS...
    name=requirements/$1.txt
    shift
    if [ -z "$check" ]; then
        compile "$name" --upgrade "$@"
        return
    fi
    copy=$(mktemp)
    cp "$name" "$copy"
    compile "$copy" "$@"
    same=yes
    cmp -s "$copy" "$name" || same=
    rm -f "$copy"
    [ -n "$same" ] || { echo "$name is behind pyproject.toml: run tools/lock.sh" >&2; exit 1; }
}

check=
[ "${1:-}" != --check ] || check=yes
lock ci pyproject.toml --extra all
lock train pyproject.toml --extra demo --extra train requirements/test.in --constraint requirements/ci.txt
lock runtime pyproject.toml --extra demo requirements/test.in --constraint requirements/ci.txt
lock build requirements/build.in --constraint requirements/ci.txt
