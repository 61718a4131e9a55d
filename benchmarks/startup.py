"""How long small commands take, against importing what hls4ml's usual road needs first: TensorFlow's Keras and QKeras.

Usage: python benchmarks/startup.py [RUNS]   (in an environment with the extra `train`). Runs alternate; medians of wall
time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "digits" / "digits.h5"
COMMAND = [sys.executable, "-m", "fpgacnn.cli.main"]
PEER = "import QKeras"
CASES = {
    "fpgacnn --help": [*COMMAND, "--help"],
    "fpgacnn inspect digits.h5": [*COMMAND, "inspect", str(MODEL)],
    "fpgacnn estimate digits.h5": [*COMMAND, "estimate", str(MODEL), "-q"],
    "fpgacnn convert digits.h5 --no-csim": [
        *COMMAND,
        "convert",
        str(MODEL),
        "--no-csim",
        "-q",
        "-o",
        str(ROOT / "build" / "startup"),
    ],
    PEER: [sys.executable, "-c", "import tensorflow, qkeras"],
}


def seconds(command: list[str]) -> float:
    """Wall time of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TF_USE_LEGACY_KERAS": "1"})  # noqa: S603  # our own
    return time.perf_counter() - start


def main() -> None:
    """Measure all cases in turn and print their medians and ratios."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    found: dict[str, list[float]] = {name: [] for name in CASES}
    for command in CASES.values():
        seconds(command)  # files come into the cache
    for _ in range(runs):
        for name, command in CASES.items():
            found[name].append(seconds(command))
    peer = statistics.median(found[PEER])
    print(f"{'case':38s} {'median':>8s} {'least':>8s} {'most':>8s}  {PEER} / case")
    for name, times in found.items():
        middle = statistics.median(times)
        print(f"{name:38s} {middle:7.2f}s {min(times):7.2f}s {max(times):7.2f}s  {peer / middle:6.1f}")


if __name__ == "__main__":
    main()
