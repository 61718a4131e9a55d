# ruff: noqa: T201  # a script, not a package
"""Damage good inputs and read them: python tools/fuzz.py [--guided] [--minutes N] [--target NAME]... | --target NAME --again FILE.

Each case must end, within seconds, in a good reading or in one error about the input, and leave nothing. What does not
is kept in build/fuzz/findings with a line that says what is wrong, and the exit status is 1; `--again` repeats one.

Cases are seeded (`--seed S --cases 1` makes one again), or with `--guided` led by coverage: libFuzzer keeps what reaches
new code in build/fuzz/TARGET, and a later run goes on from there. That needs `pip install atheris`.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.hostile.judge import judged, keep, short_limits  # noqa: E402  # after the path is set
from tests.hostile.targets import TARGETS  # noqa: E402  # as above

SLOW_SECONDS = 20
LEAST_SECONDS = 5
ENDS = {0, 70, 71, 77}
"""How libFuzzer ends: the time is up, a case too slow, too large, or one that crashed."""
KEPT = ROOT / "build" / "fuzz"
FINDINGS = KEPT / "findings"
STATE = re.compile(r"^#\d+\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)


class TooSlowError(Exception):
    """A case that does not come to an end."""


def alarm(*_: object) -> None:
    """End a case."""
    raise TooSlowError(f"no end within {SLOW_SECONDS} s")


def seeded(names: list[str], minutes: float, first: int, cases: int | None) -> int:
    """Cases in turn over the targets until the time is up; how many were wrong."""
    signal.signal(signal.SIGALRM, alarm)
    deadline, seed, wrong = time.monotonic() + 60 * minutes, first, 0
    counts: Counter[str] = Counter()
    while time.monotonic() < deadline and (cases is None or seed < first + cases):
        for name in names:
            content = TARGETS[name].damaged(random.Random(f"{name}-{seed}"))  # noqa: S311  # a seeded choice, no secret
            signal.alarm(SLOW_SECONDS)
            found = judged(TARGETS[name], content)
            signal.alarm(0)
            counts[name] += 1
            if found:
                wrong += 1
                print(f"{name} --seed {seed}: {found}\n  {keep(FINDINGS, name, content, found)}", flush=True)
        seed += 1
    print(f"{sum(counts.values())} cases, {wrong} findings; " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return wrong


def guided(names: list[str], minutes: float) -> int:
    """The same time for every target, each in processes of its own; how many findings there were."""
    wrong = 0
    for name in names:
        known = set(FINDINGS.glob("*"))
        begun = time.monotonic()
        logs = list(runs(name, 60 * minutes / len(names)))
        found = sorted(path for path in set(FINDINGS.glob("*")) - known if path.suffix != ".txt")
        wrong += len(found)
        print(f"{name}: {told(logs, time.monotonic() - begun)}, {len(found)} findings", flush=True)
        for path in found:
            words = path.with_suffix(".txt")
            print(f"  {words.read_text(encoding='utf-8').strip() if words.exists() else 'ended the process'}\n    --target {name} --again {path}", flush=True)
    return wrong


def runs(name: str, seconds: float) -> Iterator[str]:
    """What libFuzzer says, run by run: a case that is too slow or too large ends its process, and the rest of the time another one's."""
    deadline = time.monotonic() + seconds
    left = seconds
    while left > min(LEAST_SECONDS, seconds / 2):
        command = [sys.executable, "-m", "tests.hostile.guided", name, str(FINDINGS), str(KEPT / name), f"-max_total_time={max(1, round(left))}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603  # this interpreter
        log = done.stderr.decode("utf-8", "replace")
        with (KEPT / f"{name}.log").open("a", encoding="utf-8") as file:
            file.write(log)
        if done.returncode not in ENDS or not STATE.search(log):
            raise SystemExit(f"{name} did not run: {log.strip()[-2000:]}")
        yield log
        left = deadline - time.monotonic()


def told(logs: list[str], seconds: float) -> str:
    """Cases, their rate, and how coverage grew: from the corpus as it was to the last input that reached something new."""
    cases = sum(int(count) for log in logs for count in re.findall(r"^stat::number_of_executed_units: (\d+)", log, re.MULTILINE)[-1:])
    states = [state for log in logs for state in STATE.findall(log)]
    begun = next((state for state in states if state[0] == "INITED"), states[0])
    return f"{cases} cases, {cases / seconds:.0f}/s, coverage {begun[1]} -> {states[-1][1]}, features {begun[2]} -> {states[-1][2]}, corpus {states[-1][3]}"


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
    warnings.simplefilter("ignore")
    if arguments.guided:
        if importlib.util.find_spec("atheris") is None:
            parser.error("--guided needs libFuzzer for Python: pip install atheris")
        return 1 if guided(names, arguments.minutes) else 0
    short_limits(memory=True)
    if arguments.again:
        if len(names) != 1:
            parser.error("--again needs the one --target that the file is for")
        return again(names[0], arguments.again)
    return 1 if seeded(names, arguments.minutes, arguments.seed, arguments.cases) else 0


if __name__ == "__main__":
    sys.exit(main())
