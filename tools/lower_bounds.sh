#!/bin/sh
# Installs the oldest versions that pyproject.toml allows and runs the fast tests with them. Usage: tools/lower_bounds.sh [PYTEST ARGUMENTS]
# Needs uv (pip install uv). Python 3.11, in .venv-lowest.
set -eu
cd "$(dirname "$0")/.."
python=$(tools/bootstrap.sh)
"${UV:-uv}" pip compile --no-config --quiet --resolution lowest-direct --python "$python" --extra demo pyproject.toml requirements/lowest.in \
    --output-file .venv-lowest.txt
"$python" -m venv .venv-lowest
.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -r .venv-lowest.txt
.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
grep -E '^(h5py|hls4ml|jinja2|numpy|rich|scikit-learn|typer|hypothesis|pytest)==' .venv-lowest.txt
exec .venv-lowest/bin/pytest -q -p no:cacheprovider -m 'not agree and not train' "$@"
