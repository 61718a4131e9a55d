#!/bin/sh
# Installs HGQ2 apart from a virtual environment that has fpgacnn's tests. Usage: tools/install_hgq2.sh VENV
# Then: PYTHONPATH=VENV/hgq2 VENV/bin/python tools/random_networks.py --framework hgq2 --count 100
set -eu
cd "$(dirname "$0")/.."
"$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade --target "$1/hgq2" -r requirements/hgq2.txt
