"""The law of reading: a file that is read gives the framework's own answers; what cannot be read is refused by an error.

A framework is a module of this package with one function, `make(seed, folder) -> Saved`. It draws a network from the
seed, saves it into the folder and lets the framework answer some events. All axes of the network, that of events too,
have one length, so that an axis mistaken for another does not show as a wrong shape.
"""

from __future__ import annotations

import importlib
import re
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError
from fpgacnn.ir.source import FloatArray
from fpgacnn.sim.source_reference import evaluate

FRAMEWORKS = {
    "keras2": "tests.random_reading.keras2",
    "keras3": "tests.random_reading.keras3",
    "hgq2": "tests.random_reading.hgq2",
    "onnx": "tests.random_reading.onnx_files",
    "qonnx": "tests.random_reading.qonnx_files",
}
"""Name -> the module that makes its networks; imported only when it is used."""

ROUNDING = 1e-5
"""Difference that float32 sums may have, in parts of the largest value of the network (at least 1)."""

READ_SHARE = 0.7
"""Least share of the networks that must be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A network as a framework saved it, and the framework's answers (events, ...shape) in the order of its outputs.

    `text` says how it was made, one line an operation. `rounding` is 0 where every sum is exact in float32.
    """

    path: Path
    inputs: tuple[FloatArray, ...]
    outputs: tuple[FloatArray, ...]
    text: str
    rounding: float = ROUNDING


Make: TypeAlias = Callable[[int, Path], Saved]


class Outcome(StrEnum):
    """What came of one network."""

    READ = "read"
    REFUSED = "refused"
    DIFFERS = "differs"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one network, why, and how it was made."""

    seed: int
    outcome: Outcome
    why: str
    text: str

    @property
    def is_wrong(self) -> bool:
        """Whether the law is broken."""
        return self.outcome in {Outcome.DIFFERS, Outcome.CRASHED}


def maker(framework: str) -> Make:
    """The function that makes a framework's networks.

    Raises KeyError for an unknown name, ImportError where the framework is not installed.
    """
    make: Make = importlib.import_module(FRAMEWORKS[framework]).make
    return make


def verdicts(framework: str, seeds: Iterable[int]) -> Iterator[Verdict]:
    """One verdict for each seed."""
    make = maker(framework)
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            yield judged(seed, make(seed, Path(folder)))


def judged(seed: int, saved: Saved) -> Verdict:
    """Read a network and compare every answer with the framework's."""
    try:
        outcome, why = _compared(saved)
    except FpgacnnError as error:
        outcome, why = (Outcome.CRASHED if error.code == "FC001" else Outcome.REFUSED), f"{error.code} {error}"
    except Exception:  # noqa: BLE001  # a crash is a finding, reported with its text
        outcome, why = Outcome.CRASHED, traceback.format_exc(limit=-3)
    return Verdict(seed=seed, outcome=outcome, why=why.replace(str(saved.path), saved.path.name), text=saved.text)


def _compared(saved: Saved) -> tuple[Outcome, str]:
    source = frontends.load(saved.path)
    if len(source.inputs) != len(saved.inputs) or len(source.outputs) != len(saved.outputs):
        return Outcome.DIFFERS, f"{len(source.inputs)} inputs and {len(source.outputs)} outputs are read"
    with np.errstate(all="ignore"):
        found = evaluate(source, saved.inputs, quantized=True)
    largest = max(1.0, *(float(np.max(np.abs(one), initial=0.0)) for one in found.values()))
    for name, wanted in zip(source.outputs, saved.outputs, strict=True):
        ours = found[name]
        stated = source.layer(name).shape
        if ours.shape != wanted.shape or stated != wanted.shape[1:]:
            return Outcome.DIFFERS, f"output '{name}' has shape {ours.shape} (read as {stated}), wanted {wanted.shape}"
        worst = float(np.max(np.abs(ours - wanted), initial=0.0))
        if not worst <= saved.rounding * largest:
            return Outcome.DIFFERS, f"output '{name}' differs by up to {worst:g} of {largest:g}"
    return Outcome.READ, ""


@dataclass(slots=True)
class Tally:
    """Verdicts counted; refusals by their words without names and numbers."""

    outcomes: Counter[Outcome]
    refusals: Counter[str]
    wrong: list[Verdict]

    @classmethod
    def empty(cls) -> Tally:
        """Nothing counted."""
        return cls(outcomes=Counter(), refusals=Counter(), wrong=[])

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        self.outcomes[verdict.outcome] += 1
        if verdict.outcome is Outcome.REFUSED:
            self.refusals[_words(verdict.why)] += 1
        if verdict.is_wrong:
            self.wrong.append(verdict)

    @property
    def share(self) -> float:
        """The share of networks that were read, right or wrong."""
        total = sum(self.outcomes.values())
        return (self.outcomes[Outcome.READ] + self.outcomes[Outcome.DIFFERS]) / total if total else 0.0


def _words(why: str) -> str:
    """A refusal without what differs from network to network."""
    first = why.splitlines()[0] if why else why
    return re.sub(r"'[^']*'|\([^()]*\)|\[[^\[\]]*\]|[-+]?\d[\d.e+-]*", "_", first)[:140]
