"""The law of reading: a file that is read gives the framework's own answers.

What cannot be read is refused by an error.

An event in which float32 itself decides a rounding tie of a quantizer is excused where the framework's own layers show
it (`fpgacnn.sim.float32_ties`); such events are counted, and at most `TIE_SHARE` of all may be.

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

import fpgacnn
from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.sim.float32_ties import follows_in_float32
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.sandbox import has_threads
from tests.random_reading.mutants import mutated

FRAMEWORKS = {
    "keras2": "tests.random_reading.keras2",
    "qkeras": "tests.random_reading.qkeras_files",
    "keras3": "tests.random_reading.keras3",
    "channels_first": "tests.random_reading.channels_first",
    "hgq2": "tests.random_reading.hgq2",
    "onnx": "tests.random_reading.onnx_files",
    "qonnx": "tests.random_reading.qonnx_files",
}
"""Name -> the module that makes its networks; imported only when it is used."""

READ_HERE = frozenset({"onnx", "qonnx"})
"""Frameworks whose files are read without a child process."""

ROUNDING = 1e-5
"""Difference that float32 sums may have, in parts of the largest value of the network (at least 1)."""

READ_SHARE = 0.7
"""Least share of the networks that must be read."""

TIE_SHARE = 0.02
"""Most events, of all in networks that are read, in which float32 may decide a tie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A network as a framework saved it, and the framework's answers (events, ...shape) in the order of its outputs.

    `text` says how it was made, one line an operation. `rounding` is 0 where every sum is exact in float32. `layers`
    gives the framework's results of its layers by name. `is_whole`: the network is converted without loss, and the
    emulator's answers are compared too.
    """

    path: Path
    inputs: tuple[FloatArray, ...]
    outputs: tuple[FloatArray, ...]
    text: str
    rounding: float = ROUNDING
    layers: Callable[[], Mapping[str, FloatArray]] | None = None
    is_whole: bool = False


Make: TypeAlias = Callable[[int, Path], Saved]


class Outcome(StrEnum):
    """What came of one network."""

    READ = "read"
    REFUSED = "refused"
    DIFFERS = "differs"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one network, why, and how it was made; in how many of its events float32 decides a tie."""

    seed: int
    outcome: Outcome
    why: str
    text: str
    events: int
    ties: int = 0

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
    for found in verdicts_of_mutants(framework, seeds, ()):
        yield found[""]


def verdicts_of_mutants(
    framework: str, seeds: Iterable[int], mutants: Sequence[str], *, enough: int = 1
) -> Iterator[Mapping[str, Verdict]]:
    """For each seed the verdict on the reader under the name "", and those on readers with a fault by its name.

    A fault that `enough` networks have found is not tried any more.
    Where the framework has threads, files of Keras are read by one further process without it: there, a child that
    opens a file is a fork of milliseconds, and not a new Python (`fpgacnn.system.sandbox`). ONNX files need no child.
    """
    make, left = maker(framework), dict.fromkeys(mutants, enough)
    with ExitStack() as undo:
        reader: ProcessPoolExecutor | None = None
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                saved = make(seed, Path(folder))
                if reader is None and framework not in READ_HERE and has_threads():
                    reader = undo.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
                judge = judged_with if reader is None else partial(_judged_by, reader)
                found = {"": judge("", seed, saved)}
                for mutant in [name for name, times in left.items() if times and found[""].outcome is Outcome.READ]:
                    found[mutant] = judge(mutant, seed, saved)
                    left[mutant] -= found[mutant].outcome is Outcome.DIFFERS
                yield found


def _judged_by(reader: ProcessPoolExecutor, mutant: str, seed: int, saved: Saved) -> Verdict:
    """The verdict of another process; the framework's results of its layers are computed where answers differ only."""
    verdict = reader.submit(judged_with, mutant, seed, replace(saved, layers=None)).result()
    if verdict.outcome is not Outcome.DIFFERS or saved.layers is None:
        return verdict
    layers = partial(dict, saved.layers())
    return reader.submit(judged_with, mutant, seed, replace(saved, layers=layers)).result()


def judged_with(mutant: str, seed: int, saved: Saved) -> Verdict:
    """The verdict on the reader with a fault, or without one where the name is empty."""
    with mutated(mutant):
        return judged(seed, saved)


def judged(seed: int, saved: Saved) -> Verdict:
    """Read a network and compare every answer with the framework's; convert it where it is to be converted."""
    ties = 0
    try:
        outcome, why = Outcome.READ, ""
        ties = _compared(saved)
    except _DifferenceError as error:
        outcome, why = Outcome.DIFFERS, str(error)
    except FpgacnnError as error:
        outcome, why = (Outcome.CRASHED if error.code == "FC001" else Outcome.REFUSED), f"{error.code} {error}"
    except Exception:  # noqa: BLE001  # a crash is a finding, reported with its text
        outcome, why = Outcome.CRASHED, traceback.format_exc(limit=-3)
    why = why.replace(str(saved.path), saved.path.name)
    return Verdict(seed=seed, outcome=outcome, why=why, text=saved.text, events=len(saved.inputs[0]), ties=ties)


class _DifferenceError(Exception):
    """An answer that is not the framework's."""


def _compared(saved: Saved) -> int:
    """In how many events float32 decides a tie.

    Raises _DifferenceError for any other difference.
    """
    source = frontends.load(saved.path)
    if len(source.inputs) != len(saved.inputs) or len(source.outputs) != len(saved.outputs):
        raise _DifferenceError(f"{len(source.inputs)} inputs and {len(source.outputs)} outputs are read")
    with np.errstate(all="ignore"):
        found = evaluate(source, saved.inputs, quantized=True)
    largest = max(1.0, *(float(np.max(np.abs(one), initial=0.0)) for one in found.values()))
    for name, wanted in zip(source.outputs, saved.outputs, strict=True):
        stated = source.layer(name).shape
        if found[name].shape != wanted.shape or stated != wanted.shape[1:]:
            raise _DifferenceError(
                f"output '{name}' has shape {found[name].shape} (read as {stated}), wanted {wanted.shape}"
            )
    ties = _ties(source, saved, [found[name] for name in source.outputs], largest)
    if saved.is_whole:
        ties |= _ties(source, saved, _converted(saved), largest)
    return int(ties.sum())


def _converted(saved: Saved) -> list[FloatArray]:
    """What the emulator of the converted network answers.

    Raises _DifferenceError where the conversion loses something.
    """
    folder = saved.path.parent
    events = {f"input_{number}": one for number, one in enumerate(saved.inputs)}
    np.savez(folder / "events.npz", **events)  # type: ignore[arg-type]  # allow_pickle is no array
    run = fpgacnn.convert(
        saved.path, input=folder / "events.npz", output=folder / "project", csim_events=0, reference="none"
    )
    answers = fpgacnn.simulate(folder / "project", folder / "events.npz").outputs
    found = [codes.values.reshape(wanted.shape) for codes, wanted in zip(answers.values(), saved.outputs, strict=True)]
    if run.plan.losses or not run.holds:
        worst = max(
            float(np.max(np.abs(one - wanted), initial=0.0)) for one, wanted in zip(found, saved.outputs, strict=True)
        )
        raise _DifferenceError(
            f"the conversion loses {dict(run.plan.losses)}; the emulator's answers differ by up to {worst:g}"
        )
    return found


def _ties(source: SourceModel, saved: Saved, found: Sequence[FloatArray], largest: float) -> NDArray[np.bool_]:
    """The events (events,) whose answers differ because float32 decides a tie.

    Raises _DifferenceError where answers differ by more than rounding in another event.
    """
    gaps = [
        np.abs(ours - wanted).reshape(len(wanted), -1).max(axis=1, initial=0.0)
        for ours, wanted in zip(found, saved.outputs, strict=True)
    ]
    differs: NDArray[np.bool_] = np.any([~(gap <= saved.rounding * largest) for gap in gaps], axis=0)
    if not differs.any():
        return differs
    with np.errstate(all="ignore"):
        excused = follows_in_float32(source, saved.inputs, saved.layers()) if saved.layers else np.zeros_like(differs)
    if (differs & ~excused).any():
        name, gap = max(zip(source.outputs, gaps, strict=True), key=lambda pair: float(pair[1].max()))
        raise _DifferenceError(
            f"output '{name}' differs by up to {gap.max():g} of {largest:g}, in {int((differs & ~excused).sum())}"
            " events"
        )
    return differs


@dataclass(slots=True)
class Tally:
    """Verdicts counted; refusals by their words without names and numbers."""

    outcomes: Counter[Outcome]
    refusals: Counter[str]
    wrong: list[Verdict]
    events: int = 0
    ties: int = 0

    @classmethod
    def empty(cls) -> Tally:
        """Nothing counted."""
        return cls(outcomes=Counter(), refusals=Counter(), wrong=[])

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        self.outcomes[verdict.outcome] += 1
        if verdict.outcome is Outcome.REFUSED:
            self.refusals[_words(verdict.why)] += 1
        if verdict.outcome is Outcome.READ:
            self.events += verdict.events
            self.ties += verdict.ties
        if verdict.is_wrong:
            self.wrong.append(verdict)

    @property
    def share(self) -> float:
        """The share of networks that were read, right or wrong."""
        total = sum(self.outcomes.values())
        return (self.outcomes[Outcome.READ] + self.outcomes[Outcome.DIFFERS]) / total if total else 0.0

    @property
    def tie_share(self) -> float:
        """The share of events in which float32 decides a tie."""
        return self.ties / self.events if self.events else 0.0


def _words(why: str) -> str:
    """A refusal without what differs from network to network."""
    first = why.splitlines()[0] if why else why
    return re.sub(r"'[^']*'|\([^()]*\)|\[[^\[\]]*\]|[-+]?\d[\d.e+-]*", "_", first)[:140]
