#!/bin/sh
# Builds the wheel and the sdist into dist/, installs each into a fresh environment of its own outside the clone, and runs
# `fpgacnn demo digits` from each. Fails if one of these steps fails, or if CHANGELOG.md does not begin with this version.
# Usage: tools/release.sh [--publishable]     with --publishable: fail where pyproject.toml has no address
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
grep -m 1 '^## ' CHANGELOG.md | grep -q "^## $version, [0-9-]*$" || { echo "CHANGELOG.md does not begin with $version and its date" >&2; exit 1; }
waiting=$(ls changes | grep -v '^README.md$' || true)
[ -z "$waiting" ] || { echo "changes that are not in CHANGELOG.md: $waiting" >&2; exit 1; }
if ! grep -q '^Source = "https://' pyproject.toml; then
    echo "pyproject.toml has no Source in [project.urls]: the page on an index has no links to the manual and no images" >&2
    [ "${1:-}" != --publishable ] || exit 1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
python=$(tools/bootstrap.sh)
rm -rf dist
"$python" -m venv "$folder/build"
"$folder/build/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/build.txt
"$folder/build/bin/python" -m hatchling build -d dist >&2

for file in "dist/fpgacnn-$version-py3-none-any.whl" "dist/fpgacnn-$version.tar.gz"; do
    kind=${file##*.}
    size=$(wc -c <"$file")
    "$python" -m venv "$folder/$kind"
    "$folder/$kind/bin/python" -m pip install --quiet --disable-pip-version-check "$PWD/$file[demo]"
    "$folder/$kind/bin/python" -m pip check --disable-pip-version-check >&2
    (
        cd "$folder"
        unset PYTHONPATH
        XDG_CACHE_HOME=$folder/cache-$kind "$folder/$kind/bin/fpgacnn" --version | grep -qx "fpgacnn $version"
        XDG_CACHE_HOME=$folder/cache-$kind "$folder/$kind/bin/fpgacnn" demo digits --json >"$folder/$kind.json"
    )
    "$folder/$kind/bin/python" - "$folder/$kind.json" "$file" "$size" <<'PYTHON'
import json
import sys

record = json.load(open(sys.argv[1], encoding="utf-8"))
assert record["plan"]["exact"], "the demonstration is not exact"
checks = record["verification"]
assert checks and all(check["mismatches"] == 0 for check in checks), checks
print(f"{sys.argv[2]}  {int(sys.argv[3]):,} bytes  demo digits: {len(checks)} comparisons, no difference")
PYTHON
done
