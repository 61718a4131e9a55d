# ruff: noqa: T201  # a script, not a package
"""Damage good inputs in seeded ways and read them: python tools/fuzz.py [--minutes N] [--target NAME]... [--seed S].

Each case must end, within seconds, in a good reading or in one error about the input. What does not is written to
build/fuzz/TARGET-SEED (the input) with its seed in the report, and the exit status is 1. `--seed S --cases 1` repeats one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fpgacnn.frontends.keras import hdf5  # noqa: E402  # after the path is set
from tests.hostile.targets import TARGETS, finding  # noqa: E402  # as above

SLOW_SECONDS = 20
KEPT = ROOT / "build" / "fuzz"


class TooSlowError(Exception):
    """A case that does not come to an end."""


def alarm(*_: object) -> None:
    """End a case."""
    raise TooSlowError(f"no end within {SLOW_SECONDS} s")


def one(name: str, seed: int, folder: Path) -> str:
    """Make and use one damaged input; what is wrong, or nothing."""
    target = TARGETS[name]
    path = target.make(folder, random.Random(f"{name}-{seed}"))  # noqa: S311  # a seeded choice, no secret
    before = sorted(folder.rglob("*"))
    signal.alarm(SLOW_SECONDS)
    try:
        found = finding(target.use, path)
    finally:
        signal.alarm(0)
    if not found and sorted(folder.rglob("*")) != before:
        found = "files were left"
    try:
        os.waitpid(-1, os.WNOHANG)
        found = found or "a child process was left"
    except ChildProcessError:
        pass
    return found


def main() -> int:
    """Run cases in turn over the targets until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, help="stop after so many of each target")
    arguments = parser.parse_args()
    names = arguments.target or list(TARGETS)
    hdf5.LIMITS = replace(hdf5.LIMITS, seconds=2, clock_seconds=10.0)
    signal.signal(signal.SIGALRM, alarm)
    warnings.simplefilter("ignore")
    deadline, seed, wrong = time.monotonic() + 60 * arguments.minutes, arguments.seed, 0
    counts: Counter[str] = Counter()
    while time.monotonic() < deadline and (arguments.cases is None or seed < arguments.seed + arguments.cases):
        for name in names:
            with tempfile.TemporaryDirectory(prefix="fpgacnn-fuzz-") as folder:
                found = one(name, seed, Path(folder))
                counts[name] += 1
                if found:
                    wrong += 1
                    print(f"{name} --seed {seed}: {found}", flush=True)
                    shutil.copytree(folder, KEPT / f"{name}-{seed}", dirs_exist_ok=True)
        seed += 1
    print(f"{sum(counts.values())} cases, {wrong} findings; " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
