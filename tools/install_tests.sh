#!/bin/sh
# Installs fpgacnn in place, with all that its tests need, into a virtual environment. Usage: tools/install_tests.sh VENV
# Where the locks are for this machine (Python 3.11 on x86_64 Linux), exactly their packages, by hash; else what pyproject.toml
# allows. UNLOCKED=1 takes the latter everywhere.
set -eu
cd "$(dirname "$0")/.."
python=$1/bin/python
pip="$python -m pip install --quiet --disable-pip-version-check"
if [ -z "${UNLOCKED:-}" ] && "$python" -c 'import platform, sys; sys.exit((sys.version_info[:2], platform.machine()) != ((3, 11), "x86_64"))'; then
    $pip --require-hashes -r requirements/build.txt -r requirements/ci.txt
    $pip --no-deps --no-build-isolation --editable .
else
    $pip --editable '.[all]'
fi
