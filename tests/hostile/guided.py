# ruff: noqa: T201  # a script, not a package
"""Fuzzing led by coverage: python -m tests.hostile.guided FOLDER SECONDS TARGET...

[libFuzzer's flags]; `tools/fuzz.py --guided` calls it.

fpgacnn is instrumented as it is imported, so that inputs that reach something new are kept and changed again. Every
target runs for so many seconds in a process that is forked from this one. Findings go to FOLDER/findings and do not end
a run, but for those that end its process: what is too slow or too large. Exit status 1 where there were any, 2 where a
target could not run.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["fpgacnn"]):
    import fpgacnn

    for module in pkgutil.walk_packages(fpgacnn.__path__, "fpgacnn."):
        if not module.name.startswith(("fpgacnn.training.keras", "fpgacnn.pytest_plugin")):
            importlib.import_module(module.name)
    from tests.hostile.targets import TARGETS, Reader, seeds_of

from fpgacnn.frontends.keras.files import hdf5
from fpgacnn.system.sandbox import ChildLimits, ChildResult, ExitReason
from tests.hostile.judge import judged, keep, short_limits

if TYPE_CHECKING:
    from tests.hostile.mutations import Bytewise

FAST = Path("/dev/shm")  # noqa: S108  # a folder of random name is made in it
FLAGS = (
    *("-timeout=20", "-rss_limit_mb=3072", "-max_len=1048576", "-len_control=0", "-reload=0", "-print_final_stats=1"),
    "-handle_xfsz=0",  # a child that would write a file meets its limit, as without libFuzzer
)
STATE = re.compile(r"^#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
DONE = re.compile(r"^Done \d+ runs in ", re.MULTILINE)
ENDS = {0, 70, 71, 77}
"""How libFuzzer ends: the time is up, a case too slow, too large, or one that crashed."""

LEAST_SECONDS = 5


def here(work: Callable[[], Iterable[bytes | memoryview]], limits: ChildLimits) -> ChildResult:  # noqa: ARG001  # as `apart`
    """`apart` in this process: what the work does there is seen as coverage, and what it raises as a finding."""
    try:
        return ChildResult(end=ExitReason.WELL, content=bytearray(b"".join(work())))
    except MemoryError:
        return ChildResult(end=ExitReason.MEMORY, content=bytearray())


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A target, and where its findings go; of those from one place the first is kept."""

    reader: Reader
    findings: Path
    seen: set[str] = field(default_factory=set)

    def case(self, content: bytes) -> None:
        """Judge one input."""
        found = judged(self.reader, content, FAST if FAST.is_dir() else None)
        place = found.partition(": ")[0]
        if found and place not in self.seen:
            self.seen.add(place)
            keep(self.findings, self.reader.name, content, found)

    def mutant(self, content: bytes, limit: int, seed: int) -> bytes:
        """Another input: changed as what it is, and where nobody knows what that is, as libFuzzer likes."""
        chance = random.Random(seed)  # noqa: S311  # libFuzzer's choice
        bytewise: Bytewise = lambda part: atheris.Mutate(part, len(part) + 16)  # noqa: E731  # typed so
        changed = self.reader.mutate(content or chance.choice(seeds_of(self.reader.name)), chance, bytewise)
        return changed if len(changed) <= limit else content


def fuzz(name: str, folder: Path, flags: list[str]) -> None:
    """Run one target until libFuzzer ends the process."""
    campaign = Campaign(reader=TARGETS[name], findings=folder / "findings")
    short_limits(memory=True)
    if not campaign.reader.apart:
        hdf5.run_in_child = here
    for seed in seeds_of(name):
        keep(folder / name, "seed", seed)
    artifacts = f"-artifact_prefix={campaign.findings}/{name}-"
    atheris.Setup(
        [sys.argv[0], str(folder / name), artifacts, *FLAGS, *flags], campaign.case, custom_mutator=campaign.mutant
    )
    atheris.Fuzz()


def forked(name: str, folder: Path, flags: list[str]) -> str:
    """What libFuzzer says of one run, in a process of its own."""
    log = folder / f"{name}.log"
    child = os.fork()
    if child == 0:
        try:
            with log.open("wb") as file:
                os.dup2(file.fileno(), 2)
            fuzz(name, folder, flags)
        except BaseException:  # noqa: BLE001  # the child must not go on with the parent's work
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = log.read_text(encoding="utf-8", errors="replace")
    if status not in ENDS or not STATE.search(said):
        print(f"{name} did not run: {said.strip()[-2000:]}", flush=True)
        raise SystemExit(2)
    return said


def runs(name: str, folder: Path, seconds: float, flags: list[str]) -> Iterator[tuple[str, float]]:
    """Run after run and its seconds.

    A case that is too slow or too large ends its process, and the rest of the time is another one's.
    """
    left = seconds
    while left > min(LEAST_SECONDS, seconds / 2):
        begun = time.monotonic()
        said = forked(name, folder, [f"-max_total_time={max(1, round(left))}", *flags])
        took = time.monotonic() - begun
        yield said, took
        left = 0.0 if DONE.search(said) else left - took


def told(logs: list[tuple[str, float]]) -> str:
    """Cases, their rate, and how coverage grew.

    From the corpus as it was to the last input that reached something new.
    """
    cases = sum(int(STATE.findall(log)[-1][0]) for log, _ in logs)
    states = [state for log, _ in logs for state in STATE.findall(log)]
    begun = next((state for state in states if state[1] == "INITED"), states[0])
    rate = cases / sum(seconds for _, seconds in logs)
    return (
        f"{cases} cases, {rate:.0f}/s, coverage {begun[2]} -> {states[-1][2]}, features {begun[3]} -> {states[-1][3]},"
        f" corpus {states[-1][4]}"
    )


def stamps(findings: Path) -> dict[Path, int]:
    """The kept inputs, and when they were last found."""
    return {path: path.stat().st_mtime_ns for path in findings.iterdir() if path.suffix != ".txt"}


def main(arguments: list[str]) -> int:
    """Run the targets one after another; 1 where something was found."""
    flags = [one for one in arguments if one.startswith("-")]
    where, seconds, *names = (one for one in arguments if not one.startswith("-"))
    folder, wrong = Path(where).absolute(), 0
    findings = folder / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    for name in names:
        known = stamps(findings)
        logs = list(runs(name, folder, float(seconds), flags))
        found = sorted(path for path, stamp in stamps(findings).items() if known.get(path) != stamp)
        wrong += len(found)
        print(f"{name}: {told(logs)}, {len(found)} findings", flush=True)
        for path in found:
            words = path.with_suffix(".txt")
            what = words.read_text(encoding="utf-8").strip() if words.exists() else "it ended the process"
            print(f"  {what}\n    tools/fuzz.py --target {name} --again {path}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    tempfile.tempdir = str(FAST) if FAST.is_dir() else None
    sys.exit(main(sys.argv[1:]))
