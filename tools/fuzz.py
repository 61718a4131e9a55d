# ruff: noqa: T201  # a script, not a package
"""Damage good inputs and read them: python tools/fuzz.py [--guided] [--minutes N] [--target NAME]...

| --target NAME --again FILE.

Each case must end, within seconds, in a good reading or in one error about the input, and leave nothing. What does not
is kept in build/fuzz/findings with a line that says what is wrong, and the exit status is 1; `--again` repeats one.

Cases are seeded (`--seed S --cases 1` makes one again), or with `--guided` led by coverage: libFuzzer keeps what
reaches new code in build/fuzz/TARGET, and a later run goes on from there. That needs `pip install atheris`.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.hostile.judge import judged, keep, short_limits  # noqa: E402  # after the path is set
from tests.hostile.targets import TARGETS  # noqa: E402  # as above

SLOW_SECONDS, WAITING_SECONDS = 20, 400
"""Processor time of a case; and time by the clock, for what waits for ever, which is much longer on a busy machine."""
KEPT = ROOT / "build" / "fuzz"
FINDINGS = KEPT / "findings"


class TooSlowError(Exception):
    """A case that does not come to an end."""


def alarm(number: int, _: object) -> None:
    """End a case."""
    if number == signal.SIGALRM:
        raise TooSlowError(f"no end within {WAITING_SECONDS} s by the clock")
    raise TooSlowError(f"no end within {SLOW_SECONDS} s of processor time")


def limit(slow: float, waiting: float) -> None:
    """Start both clocks; 0 stops one."""
    signal.setitimer(signal.ITIMER_PROF, slow)
    signal.setitimer(signal.ITIMER_REAL, waiting)


def seeded(names: list[str], minutes: float, first: int, cases: int | None) -> int:
    """Cases in turn over the targets until the time is up; how many were wrong."""
    signal.signal(signal.SIGALRM, alarm)
    signal.signal(signal.SIGPROF, alarm)
    deadline, seed, wrong = time.monotonic() + 60 * minutes, first, 0
    counts: Counter[str] = Counter()
    while time.monotonic() < deadline and (cases is None or seed < first + cases):
        for name in names:
            content = TARGETS[name].damaged(random.Random(f"{name}-{seed}"))  # noqa: S311  # a seeded choice, no secret
            limit(SLOW_SECONDS, WAITING_SECONDS)
            found = judged(TARGETS[name], content)
            limit(0, 0)
            counts[name] += 1
            if found:
                wrong += 1
                print(f"{name} --seed {seed}: {found}\n  {keep(FINDINGS, name, content, found)}", flush=True)
        seed += 1
    print(
        f"{sum(counts.values())} cases, {wrong} findings; "
        + ", ".join(f"{name} {count}" for name, count in counts.items())
    )
    return wrong


def guided(names: list[str], minutes: float) -> int:
    """The same time for every target, in a Python of its own, which imports fpgacnn anew.

    1 where something was found.
    """
    seconds = f"{60 * minutes / len(names):g}"
    command = [sys.executable, "-m", "tests.hostile.guided", str(KEPT), seconds, *names]
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "guided.log").open("wb") as log:
        done = subprocess.run(command, cwd=ROOT, stderr=log, check=False)  # noqa: S603  # this interpreter
    if done.returncode not in (0, 1):
        sys.stderr.write(Path(log.name).read_text(encoding="utf-8", errors="replace")[-2000:])
    return done.returncode


def again(name: str, path: Path) -> int:
    """One input once more; 1 where it is wrong."""
    found = judged(TARGETS[name], path.read_bytes())
    print(found or "nothing is wrong")
    return 1 if found else 0


def main() -> int:
    """Run what was asked for; 1 where something was found, 2 where it cannot run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--guided", action="store_true", help="led by coverage")
    parser.add_argument("--again", type=Path, metavar="FILE", help="repeat a finding of the one --target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, help="stop after so many of each target")
    arguments = parser.parse_args()
    names = arguments.target or list(TARGETS)
    if arguments.guided:
        if importlib.util.find_spec("atheris") is None:
            parser.error("--guided needs libFuzzer for Python: pip install atheris")
        return guided(names, arguments.minutes)
    short_limits(memory=True)
    if arguments.again:
        if len(names) != 1:
            parser.error("--again needs the one --target that the file is for")
        return again(names[0], arguments.again)
    return 1 if seeded(names, arguments.minutes, arguments.seed, arguments.cases) else 0


if __name__ == "__main__":
    sys.exit(main())
