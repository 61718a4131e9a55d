#!/bin/sh
# Finds a Python that fpgacnn runs on and prints its path; sees to g++ and venv. As root it installs what is missing
# with apt-get, else it says the one line to run. Usage: tools/bootstrap.sh
set -eu

missing=""
command -v "${CXX:-g++}" >/dev/null 2>&1 || missing="$missing g++"

found=""
for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then
        found=$(command -v "$candidate")
        break
    fi
done
if [ -z "$found" ]; then
    missing="$missing python3 python3-venv"
elif ! "$found" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    missing="$missing python3-venv"
fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >&2
        [ -n "$found" ] || found=$(command -v python3)
    else
        echo "fpgacnn needs:$missing" >&2
        echo "run:  sudo apt-get install -y$missing   and then make again" >&2
        exit 3
    fi
fi
if ! "$found" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
    echo "fpgacnn needs Python 3.11, 3.12 or 3.13; set PYTHON=/path/to/it" >&2
    exit 3
fi
echo "$found"
