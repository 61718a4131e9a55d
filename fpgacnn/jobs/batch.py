"""Convert and check every model of a folder, each in a process of its own, and compare with given answers.

A model `net.h5` may have a file `net.h5.npz` with events (`input_0`, ...) and the framework's answers (`output_0`,
...). A `manifest.json`, a list of objects with a `file`, names the files that count; without it, all model files count.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn.errors import ArrayFileError, FileMissingError, FpgacnnError, UsageError
from fpgacnn.frontends.files import is_saved_model
from fpgacnn.ir.source import FloatArray
from fpgacnn.jobs.simulate import SimulationJob, answers
from fpgacnn.pipeline.open_project import read_record
from fpgacnn.pipeline.request import Request
from fpgacnn.sim.compare import signal_to_noise_db
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import read_regular_text
from fpgacnn.system.npz import read_arrays
from fpgacnn.system.subprocesses import Ended, Finished, side_by_side

MODEL_SUFFIXES = (".h5", ".hdf5", ".keras", ".onnx")
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 16 << 20
FLOAT32_STEPS = 1e-6
"""Largest relative difference between equal numbers after the framework's float32 arithmetic."""

LEAST_SNR_DB = 20.0
"""A float network with given widths counts as near if its noise is at most a hundredth of the signal."""

DONE, FAILED_CHECK, REFUSED = 0, 1, 2


class ModelOutcome(StrEnum):
    """The outcome for one model, from best to worst."""

    EXACT = "exact"
    BOUNDED = "bounded"
    NEAR = "near"
    UNVERIFIED = "unverified"
    REFUSED = "refused"
    DIFFERENT = "DIFFERENT"
    CRASHED = "CRASHED"
    LATE = "LATE"

    @property
    def is_good(self) -> bool:
        """Whether fpgacnn did nothing wrong; a refusal with a reason counts as right."""
        return self not in {ModelOutcome.DIFFERENT, ModelOutcome.CRASHED, ModelOutcome.LATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The outcome of one model: the plan's promise, the largest difference from the framework, and the reason.

    `exact`: the answers equal the framework's; `bounded`: they are inside the plan's bound; `near`: the plan's bound
    does not apply (it is loose, it belongs to a float network with given widths, or float32 rounds sums), but the noise
    is at most a hundredth of the signal and the class is the same wherever it is clear; `unverified`: the engines
    agree, and no answers were given.
    """

    model: str
    outcome: ModelOutcome
    promise: str = ""
    events: int = 0
    largest: float | None = None
    why: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRequest:
    """Which models to check and how: `flags` go to `convert`; `bits` are used if a network is refused as float."""

    folder: Path
    flags: tuple[str, ...] = ()
    bits: str | None = None
    at_once: int = 2
    seconds: float = 900.0


def models_of(folder: Path) -> tuple[str, ...]:
    """Names of the model files, from the manifest or by their suffixes.

    Raises FileMissingError, UsageError.
    """
    if not folder.is_dir():
        raise FileMissingError(file=folder, why="it is not a folder")
    manifest = folder / MANIFEST
    if not manifest.exists():
        found = tuple(
            sorted(
                path.name
                for path in folder.iterdir()
                if (path.suffix in MODEL_SUFFIXES and path.is_file()) or is_saved_model(path)
            )
        )
    else:
        found = _listed(manifest)
    if not found:
        raise UsageError(
            what=f"{folder} has no model: no file that ends in {', '.join(MODEL_SUFFIXES)}, and no {MANIFEST}"
        )
    return found


def _listed(manifest: Path) -> tuple[str, ...]:
    try:
        names = [entry["file"] for entry in json.loads(read_regular_text(manifest, limit=MAX_MANIFEST_BYTES))]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(what=f"{manifest} is not a list of objects with a 'file'") from error
    for name in names:
        if (
            not isinstance(name, str)
            or Path(name).is_absolute()
            or os.path.normpath(name).startswith("..")
            or "\0" in name
        ):
            raise UsageError(what=f"{manifest} names {name!r}, which is not in its folder")
    return tuple(names)


def verify_models(request: FolderRequest) -> Iterator[Judgement]:
    """Convert and check every model of a folder; each result is reported when it is done.

    Raises FileMissingError, UsageError, before the first conversion.
    """
    names = models_of(request.folder)
    folder = request.folder.resolve()
    with temporary_folder("fpgacnn-models-") as there:
        jobs = [
            _Job(model=folder / name, place=there / str(number), request=request) for number, name in enumerate(names)
        ]
        again: list[int] = []
        for ended in _run([job.convert() for job in jobs], request, there):
            job = jobs[ended.number]
            if job.needs_widths(ended) and request.bits:
                again.append(ended.number)
            else:
                yield replace(job.judge(ended), model=names[ended.number])
                shutil.rmtree(job.place, ignore_errors=True)
        for ended in _run([jobs[number].convert(bits=request.bits) for number in again], request, there):
            job = jobs[again[ended.number]]
            yield replace(job.judge(ended), model=names[again[ended.number]])


def _run(commands: Sequence[Sequence[str]], request: FolderRequest, folder: Path) -> Iterator[Ended]:
    return side_by_side(commands, at_once=request.at_once, folder=folder, seconds=request.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    model: Path
    place: Path
    request: FolderRequest

    @property
    def answers(self) -> Path:
        """Events and the framework's answers, if their file exists."""
        return self.model.with_name(f"{self.model.name}.npz")

    def convert(self, bits: str | None = None) -> tuple[str, ...]:
        """The command that converts and checks a model, and writes the hardware's answers."""
        given = ("--input", str(self.answers)) if self.answers.exists() else ()
        widths = ("--bits", bits) if bits else ()
        command = (
            sys.executable,
            "-m",
            "fpgacnn.cli.main",
            "convert",
            str(self.model),
            "-o",
            str(self.place),
            "--quiet",
        )
        return (
            *command,
            "--softmax",
            "keep",
            "--timeout",
            f"{self.request.seconds:g}",
            *self.request.flags,
            *given,
            *widths,
        )

    def needs_widths(self, ended: Ended) -> bool:
        """Whether the model was refused because it is float and no widths were given."""
        return (
            ended.finished is not None
            and ended.finished.status == REFUSED
            and ended.finished.tail.startswith("error[FC030]")
        )

    def judge(self, ended: Ended) -> Judgement:
        """The outcome of a run that has ended."""
        found = self._ended(ended.finished)
        return replace(found, seconds=round(ended.seconds, 1))

    def _ended(self, finished: Finished | None) -> Judgement:
        name = self.model.name
        if finished is None:
            return Judgement(
                model=name, outcome=ModelOutcome.LATE, why=f"not finished after {self.request.seconds:g} s"
            )
        first = (finished.tail.strip().splitlines() or ["it printed nothing"])[0]
        if finished.status == REFUSED and first.startswith("error["):
            return Judgement(model=name, outcome=ModelOutcome.REFUSED, why=first)
        if finished.status not in (DONE, FAILED_CHECK):
            return Judgement(model=name, outcome=ModelOutcome.CRASHED, why=f"{finished.how}: {finished.last_line}")
        record = read_record(self.place)
        judged = Judgement(model=name, outcome=ModelOutcome.UNVERIFIED, promise=_promise(record))
        if finished.status == FAILED_CHECK:
            broken = next(one for one in record["verification"] if not one["holds"])
            return replace(
                judged,
                outcome=ModelOutcome.DIFFERENT,
                why=f"{broken['left']} and {broken['right']} first differ at {broken['first']}",
            )
        if not self.answers.exists():
            return judged
        try:
            return self._compared(judged, record)
        except FpgacnnError as error:
            return replace(judged, outcome=ModelOutcome.CRASHED, why=str(error))

    def _compared(self, judged: Judgement, record: Mapping[str, Any]) -> Judgement:
        result = answers(SimulationJob(source=self.place, events=self.answers), Request(model=self.place))
        hardware = [codes.values for codes in result.outputs.values()]
        arrays = read_arrays(self.answers)
        names = [f"output_{number}" for number in range(len(hardware))]
        if not all(name in arrays for name in names):
            return judged
        pairs = [(arrays[name].astype(np.float64), seen) for name, seen in zip(names, hardware, strict=True)]
        if any(wanted.size != seen.size for wanted, seen in pairs):
            raise ArrayFileError(file=self.answers, why="its outputs have other sizes than the network's outputs")
        bounds = [row["error"] for row in record["plan"]["decisions"] if row["name"] in record["outputs"]]
        parts = [
            judge_answers(wanted.reshape(len(wanted), -1), seen.reshape(len(wanted), -1), judged, bound)
            for (wanted, seen), bound in zip(pairs, bounds, strict=True)
        ]
        return max(parts, key=lambda part: list(ModelOutcome).index(part.outcome))


def _promise(record: Mapping[str, Any]) -> str:
    return str(record["plan"]["promise"])


def judge_answers(wanted: FloatArray, seen: FloatArray, judged: Judgement, bound: float) -> Judgement:
    """Compare the hardware's answers with the framework's, both (events, values).

    `bound` is the plan's bound of this output; None for a lossless plan of a network that the framework computes in
    float32.
    """
    difference = np.abs(wanted - seen)
    largest = float(difference.max(initial=0.0))
    span = float(np.abs(wanted).max(initial=0.0))
    judged = replace(judged, events=len(wanted), largest=largest)
    if largest <= FLOAT32_STEPS * span:
        return replace(judged, outcome=ModelOutcome.EXACT)
    event, value = (int(axis) for axis in np.unravel_index(int(difference.argmax()), difference.shape))
    where = f"event {event}, value {value}: hardware {seen[event, value]:g}, framework {wanted[event, value]:g}"
    if judged.promise == "exact":
        return replace(judged, outcome=ModelOutcome.DIFFERENT, why=where)
    if judged.promise == "bounded" and largest <= bound + FLOAT32_STEPS * span:
        return replace(judged, outcome=ModelOutcome.BOUNDED, why=f"bound {bound:.2g}")
    noise = signal_to_noise_db(wanted, seen)
    if not _same_classes(wanted, seen) or (noise is not None and noise < LEAST_SNR_DB):
        return replace(judged, outcome=ModelOutcome.DIFFERENT, why=where)
    return replace(judged, outcome=ModelOutcome.NEAR, why=f"{noise:.0f} dB, worst at {where}")


def _same_classes(wanted: FloatArray, seen: FloatArray) -> bool:
    """Whether all events have the same class whose two largest values differ by more than twice the difference."""
    if wanted.shape[1] < 2:  # a single value has no class
        return True
    ordered = np.sort(wanted, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * np.abs(wanted - seen).max(axis=1)
    return bool((wanted.argmax(axis=1) == seen.argmax(axis=1))[clear].all())
