#!/bin/sh
# The longer searches: random networks for the emulator, for RTL and for every reader, damaged inputs, the RTL of the zoo, a
# network routed on an ECP5, kills at random moments. Seeds are the day's (UTC); FPGACNN_SEED=20261130 repeats a day. Every
# search runs, whatever the others find; the exit status is 1 if one found something.
# Usage: tools/nightly.sh BIN     with BIN the folder of the programs of the test environment
set -u
cd "$(dirname "$0")/.."
bin=$1
FPGACNN_SEED=${FPGACNN_SEED:-$(date -u +%Y%m%d)}
export FPGACNN_SEED
count=${FPGACNN_COUNT:-1000}
first=$(($(date -u -d "$FPGACNN_SEED" +%s) / 86400 * count)) # no two days have a seed in common
found=0

search() { # search NAME COMMAND...
    name=$1
    shift
    echo "== $name, seed $FPGACNN_SEED"
    "$@" || { echo "== $name: found something" >&2; found=1; }
}

search "random networks in the emulator" env FPGACNN_FUZZ="${FPGACNN_FUZZ:-100}" "$bin/pytest" -q -n 2 \
    tests/laws/test_native.py tests/laws/test_floats.py tests/laws/test_measurements.py
search "random formats in C simulation" "$bin/pytest" -q tests/agree/test_random_formats.py
for framework in keras2 keras3 qkeras channels_first onnx qonnx; do
    search "random networks of $framework" "$bin/python" tools/random_networks.py --framework "$framework" \
        --count "$count" --seed "$first"
done
hgq2=$(dirname "$bin")/hgq2 # tools/install_hgq2.sh
if [ -d "$hgq2" ]; then
    search "random networks of hgq2" env PYTHONPATH="$hgq2" "$bin/python" tools/random_networks.py --framework hgq2 \
        --count "$count" --seed "$first"
fi
search "damaged inputs" "$bin/python" tools/fuzz.py --minutes "${FPGACNN_MINUTES:-30}" --seed "$FPGACNN_SEED"
search "random RTL" "$bin/python" tools/random_rtl.py --count "$((count / 50 + 1))" --seed "$first"
search "RTL of the zoo" "$bin/python" benchmarks/rtl.py --zoo
search "km3net routed on an ECP5" "$bin/python" benchmarks/route.py
search "kills" env FPGACNN_ROUNDS="${FPGACNN_ROUNDS:-200}" "$bin/pytest" -q tests/whole/test_faults.py
exit $found
