"""One target under libFuzzer: python -m tests.hostile.guided TARGET FINDINGS CORPUS [libFuzzer's flags]. `tools/fuzz.py --guided` runs all.

fpgacnn is instrumented as it is imported, so that inputs that reach something new are kept and changed again. Findings
go to the folder FINDINGS and do not end the run, but for those that end this process: what is too slow or too large.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["fpgacnn"]):
    import fpgacnn

    for module in pkgutil.walk_packages(fpgacnn.__path__, "fpgacnn."):
        if not module.name.startswith(("fpgacnn.train", "fpgacnn.pytest_plugin")):
            importlib.import_module(module.name)
    from tests.hostile.targets import TARGETS, Reader, seeds_of

from fpgacnn.apart import End, Limits, Outcome
from fpgacnn.frontends.keras import hdf5
from tests.hostile.judge import judged, keep, short_limits

if TYPE_CHECKING:
    from tests.hostile.mutations import Bytewise

FAST = Path("/dev/shm")  # noqa: S108  # a folder of random name is made in it
FLAGS = (
    *("-timeout=20", "-rss_limit_mb=3072", "-max_len=1048576", "-len_control=0", "-reload=0", "-print_final_stats=1"),
    "-handle_xfsz=0",  # a child that would write a file meets its limit, as without libFuzzer
)


def here(work: Callable[[], Iterable[bytes | memoryview]], limits: Limits) -> Outcome:  # noqa: ARG001  # as `apart`
    """`apart` in this process: what the work does there is seen as coverage, and what it raises as a finding."""
    try:
        return Outcome(end=End.WELL, content=bytearray(b"".join(work())))
    except MemoryError:
        return Outcome(end=End.MEMORY, content=bytearray())


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


def main(arguments: list[str]) -> None:
    """Run until libFuzzer ends the process."""
    name, findings, corpus, *flags = arguments
    campaign = Campaign(reader=TARGETS[name], findings=Path(findings))
    short_limits(memory=True)
    if not campaign.reader.apart:
        hdf5.apart = here
    campaign.findings.mkdir(parents=True, exist_ok=True)
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds_of(name):
        keep(folder, "seed", seed)
    warnings.simplefilter("ignore")
    artifacts = f"-artifact_prefix={campaign.findings}/{name}-"
    atheris.Setup([sys.argv[0], str(folder), artifacts, *FLAGS, *flags], campaign.case, custom_mutator=campaign.mutant)
    atheris.Fuzz()


if __name__ == "__main__":
    tempfile.tempdir = str(FAST) if FAST.is_dir() else None
    main(sys.argv[1:])
