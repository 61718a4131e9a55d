#!/bin/sh
# Writes requirements/*.txt: every package of CI and of the images, with its version and the hashes of its files. Each lock is
# complete, for it is installed without resolving (pip --no-deps): a lock that lacks what one of its packages requires fails.
# Usage: tools/lock.sh [--check | --keep]
#   --check  fail where pyproject.toml asks for what a lock does not give, or a lock is not complete
#   --keep   keep the versions of the locks where pyproject.toml allows them; without it, everything is upgraded
# Needs uv (pip install uv). Hashes are those of the files on PyPI, whatever mirror serves them.
set -eu
cd "$(dirname "$0")/.."

compile() { # compile OUTPUT ARGUMENTS...: for Python 3.11 on the oldest Linux that NumPy's wheels know
    output=$1
    shift
    "${UV:-uv}" pip compile --no-config --quiet --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command tools/lock.sh \
        --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$@" --output-file "$output"
}

packages() { # packages FILE: the names and versions that a lock or uv's answer has
    sed -n 's/^\([a-z0-9][a-z0-9._-]*==[^ ;\\]*\).*/\1/p' "$1" | sort
}

complete() { # complete LOCK: everything that the packages of a lock require, with their extras, is in the lock
    needed=$(mktemp)
    listed=$(mktemp)
    packages "$1" >"$listed"
    "${UV:-uv}" pip compile --no-config --quiet --no-annotate --no-header --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$listed" |
        packages /dev/stdin >"$needed"
    missing=$(comm -13 "$listed" "$needed")
    same=yes
    cmp -s "$listed" "$needed" || same=
    rm -f "$needed" "$listed"
    [ -n "$same" ] || { echo "$1 is not complete: ${missing:-what uv resolves has fewer packages}" >&2; exit 1; }
}

lock() { # lock NAME ARGUMENTS...
    name=requirements/$1.txt
    shift
    if [ -z "$check" ]; then
        if [ -n "$keep" ]; then compile "$name" "$@"; else compile "$name" --upgrade "$@"; fi
        complete "$name"
        return
    fi
    copy=$(mktemp)
    cp "$name" "$copy"
    compile "$copy" "$@"
    same=yes
    cmp -s "$copy" "$name" || same=
    rm -f "$copy"
    [ -n "$same" ] || { echo "$name is behind pyproject.toml: run tools/lock.sh" >&2; exit 1; }
    complete "$name"
}

check=
keep=
case "${1:-}" in
--check) check=yes ;;
--keep) keep=yes ;;
esac
lock ci pyproject.toml --extra all
lock train pyproject.toml --extra demo --extra train requirements/test.in --constraint requirements/ci.txt
lock runtime pyproject.toml --extra demo requirements/test.in --constraint requirements/ci.txt
lock build requirements/build.in --constraint requirements/ci.txt
