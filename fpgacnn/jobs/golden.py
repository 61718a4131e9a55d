"""Freeze a project as golden vectors, and compare it with them later: what changed, and how the answers differ."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fpgacnn.errors import (
    CompileFailedError,
    CSimCrashedError,
    GoldenExistsError,
    NotFreezableError,
    ProjectError,
    RtlBuildError,
    RtlSimulationError,
)
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import FloatArray
from fpgacnn.jobs.golden_vectors import (
    Cause,
    Change,
    Divergence,
    Golden,
    changes,
    code_changes,
    diverging,
    fingerprint,
    golden_folder,
    read,
    write,
)
from fpgacnn.jobs.golden_vectors.changes import TOP_FILE, TracedDigests, trace_digests
from fpgacnn.jobs.golden_vectors.code import (
    made_again,
    simulation_of,
    traced_simulation_of,
    words_of_simulation,
)
from fpgacnn.jobs.golden_vectors.vectors import TEXT
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.pipeline.checking.checks import codes_of, tool_versions
from fpgacnn.pipeline.checking.engine_reports import simulators
from fpgacnn.pipeline.checking.pieces import TRACED_VALUES, pieces
from fpgacnn.pipeline.inputs import input_shapes, read_events, to_codes
from fpgacnn.pipeline.open_project import OpenedProject, open_project
from fpgacnn.pipeline.planning import project_choices
from fpgacnn.pipeline.test_vectors import own_events
from fpgacnn.records.display import Displayed
from fpgacnn.records.record import plain
from fpgacnn.sim.compare import Difference, EngineComparison, compare
from fpgacnn.sim.emulator import engine
from fpgacnn.sim.result import SimulationResult, joined
from fpgacnn.sim.rtl.run import RtlSimulation
from fpgacnn.system.npz import ArraySource
from fpgacnn.system.progress import Progress, Stopwatch, silent

SCHEMA = 1
DEFAULT_EVENTS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The folders of a project and its golden vectors, and the time limit of a tool.

    `golden`: None for beside the project.
    """

    project: Path
    golden: Path | None = None
    seconds: float = 900.0

    @property
    def folder(self) -> Path:
        """The folder of the golden vectors."""
        return self.golden or golden_folder(self.project)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LockedRecord(Displayed):
    """A project compared with its golden vectors: all changes, and the first different answer of each engine."""

    project: str
    golden: str
    events: int
    values: int
    origin: str
    changes: tuple[Change, ...]
    divergences: tuple[Divergence, ...]
    engines: tuple[str, ...]
    notes: tuple[str, ...]
    frozen_with: Mapping[str, str]
    tools: Mapping[str, str]
    timings_s: Mapping[str, float]
    schema: int = SCHEMA

    @property
    def line(self) -> str:
        """The project, and whether a bit has changed."""
        counts = f"{len(self.changes)} changes, {len(self.divergences)} engines give other answers"
        return f"{self.project} against {self.golden}: {'no bit has changed' if self.holds else counts}"

    @property
    def holds(self) -> bool:
        """Whether no bit has changed."""
        return not self.changes and not self.divergences

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps({**plain(self), "holds": self.holds}, indent=1)


def freeze(
    lock: Lock,
    events: ArraySource | None = None,
    *,
    count: int = DEFAULT_EVENTS,
    update: bool = False,
    progress: Progress = silent,
) -> LockedRecord:
    """Store golden vectors of a project: events, all output codes, digests of everything that decides them.

    Raises GoldenExistsError unless `update` is set, and NotFreezableError if simulation and emulator differ.
    """
    watch = Stopwatch(progress=progress)
    if not update and (lock.folder / TEXT).exists():
        raise GoldenExistsError(folder=lock.folder, project=lock.project)
    opened = open_project(lock.project)
    choices = project_choices(opened.design, opened.network)
    given = (read_events(events, opened.network) if events else own_events(opened.network, choices)).first(count)
    codes = _codes(opened, given.values)
    answers, traced = _emulated(opened, codes, watch)
    simulation, words = simulation_of(opened, lock.seconds), words_of_simulation(opened)
    with watch.stage(simulation.name, f"running {given.count} events through {words}"):
        report = compare(simulation.run(codes), answers)
    if not report.holds:
        first = report.first
        where = f"{first.layer}{list(first.index)}" if first else "nothing"
        raise NotFreezableError(project=lock.project, simulation=words, where=where)
    if isinstance(simulation, RtlSimulation):
        simulation.refuse_other_clocks()
    golden = Golden(
        fingerprint=fingerprint(opened.network, opened.design, opened.files),
        inputs=tuple(one.values for one in codes),
        outputs={name: one.array for name, one in answers.outputs.items()},
        trace={layer.name: traced[layer.name][0] for layer in opened.design.model.layers},
        origin=given.origin,
        tools=_tools(opened),
    )
    with watch.stage("write", f"writing {lock.folder}"):
        write(lock.folder, golden)
    ran: dict[str, Divergence | None] = {"emulator": None, simulation.name: None}
    return _record(lock, golden, (), ran, opened, opened.notes, watch)


def verify_locked(lock: Lock, progress: Progress = silent) -> LockedRecord:
    """Compare a project with its golden vectors: its design, its files, and the answers of emulator and simulation.

    Raises GoldenMissingError, GoldenBrokenError, ProjectError.
    """
    watch = Stopwatch(progress=progress)
    golden = read(lock.folder, lock.project)
    opened = open_project(lock.project)
    with watch.stage("compare", "comparing with the golden vectors"):
        found, notes = _changes(golden, opened)
    if not _fits(golden, opened):
        if not found:
            raise ProjectError(folder=lock.project, why="its inputs are not those of its golden vectors")
        return _record(
            lock,
            golden,
            found,
            {},
            opened,
            (*notes, "the frozen events do not fit the network's inputs any more, and were not run"),
            watch,
        )
    codes = _codes(opened, golden.inputs)
    emulated, traced = _emulated(opened, codes, watch)
    ran = {"emulator": diverging(golden, emulated, found[0].cause if found else Cause.ARITHMETIC, traced)}
    simulation, words = simulation_of(opened, lock.seconds), words_of_simulation(opened)
    try:
        with watch.stage(simulation.name, f"running {golden.events} events through {words}"):
            answers = simulation.run(codes)
            ran[simulation.name] = _simulated_divergence(lock, golden, opened, found, codes, answers, emulated)
            if isinstance(simulation, RtlSimulation):
                simulation.refuse_other_clocks()
    except (CompileFailedError, CSimCrashedError, RtlBuildError, RtlSimulationError) as error:
        if not found:
            raise
        notes = (*notes, f"{words} failed: {error}")
    return _record(lock, golden, found, ran, opened, notes, watch)


def _codes(opened: OpenedProject, values: Sequence[FloatArray]) -> list[Codes]:
    pairs = zip(project_choices(opened.design, opened.network), values, strict=True)
    return [to_codes(array, choice, leading_quantizer(opened.network, choice.name))[0] for choice, array in pairs]


def _fits(golden: Golden, opened: OpenedProject) -> bool:
    return [one.shape[1:] for one in golden.inputs] == list(input_shapes(opened.network).values())


def _emulated(
    opened: OpenedProject, codes: Sequence[Codes], watch: Stopwatch
) -> tuple[SimulationResult, TracedDigests]:
    """The outputs of all events, and the digests of every node, computed piece by piece."""
    chosen, events = engine(opened.design), len(codes[0].array)
    outputs: list[SimulationResult] = []
    digests: list[TracedDigests] = []
    with watch.stage("emulate", f"emulating {events} events"):
        for piece in pieces(opened.design, events, TRACED_VALUES):
            found = chosen.run(codes_of(codes, piece), trace=True)
            outputs.append(replace(found, trace={}))
            digests.append(trace_digests(found.trace))
    whole = {
        name: (np.concatenate([part[name][0] for part in digests]), size) for name, (_, size) in digests[0].items()
    }
    return joined(outputs), whole


def _tools(opened: OpenedProject) -> dict[str, str]:
    return {**tool_versions(), "python": platform.python_version(), **simulators(opened.project)}


def _record(
    lock: Lock,
    golden: Golden,
    found: tuple[Change, ...],
    ran: Mapping[str, Divergence | None],
    opened: OpenedProject,
    notes: tuple[str, ...],
    watch: Stopwatch,
) -> LockedRecord:
    tools = _tools(opened)
    older = [
        f"{name}: {golden.tools.get(name, 'none')} when frozen, {now} now"
        for name, now in tools.items()
        if golden.tools.get(name) != now
    ]
    return LockedRecord(
        project=str(lock.project),
        golden=str(lock.folder),
        events=golden.events,
        values=sum(one.size for one in golden.outputs.values()),
        origin=golden.origin,
        changes=found,
        divergences=tuple(one for one in ran.values() if one),
        engines=tuple(ran),
        notes=(*notes, *older),
        frozen_with=golden.tools,
        tools=tools,
        timings_s=dict(watch.seconds),
    )


# --- what changed --------------------------------------------------------------------------------------------------


def _changes(golden: Golden, opened: OpenedProject) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The changes with their causes; files that only follow from a changed design are counted in a note."""
    now = fingerprint(opened.network, opened.design, opened.files)
    found = changes(golden.fingerprint, now)
    notes: list[str] = []
    if golden.fingerprint.model_file != now.model_file:
        same = "" if any(one.cause is Cause.MODEL for one in found) else ", with the same network in it"
        notes.append(f"the model file is a different one{same}")
    causes = tuple(one for one in found if one.cause is not Cause.CODE)
    code = tuple(one for one in found if one.cause is Cause.CODE)
    if not code:
        return causes, tuple(notes)
    edited = tuple(_explained(opened, made_again(opened), causes, code))
    if len(edited) < len(code):
        notes.append(f"{len(code) - len(edited)} generated files changed because of that")
    return (*causes, *edited), tuple(notes)


def _explained(
    opened: OpenedProject, made: Mapping[str, bytes], causes: Sequence[Change], code: Sequence[Change]
) -> Iterator[Change]:
    """The changed files with layer and line, without those that the changed design explains."""
    top = made.get(TOP_FILE, b"")
    for one in code:
        now, again = opened.files.get(one.file), made.get(one.file)
        if causes and (now == again or one.file.startswith(("tb_data/", "tb/"))):
            continue
        if not causes and again is not None and now == again:
            yield replace(one, what="this version writes it differently", frozen=one.frozen[:16], found=one.found[:16])
            continue
        yield code_changes(one, again, now, top)


# --- different answers --------------------------------------------------------------------------------------------


def _simulated_divergence(
    lock: Lock,
    golden: Golden,
    opened: OpenedProject,
    found: Sequence[Change],
    codes: Sequence[Codes],
    answers: SimulationResult,
    emulated: SimulationResult,
) -> Divergence | None:
    """The simulation's first answer that differs from the frozen one, with the first node that differs."""
    edited = [one.cause for one in found if one.cause is Cause.CODE]
    agrees = compare(answers, emulated).holds
    cause = Cause.COMPILER if not found else found[0].cause if agrees or not edited else Cause.CODE
    divergence = diverging(golden, answers, cause)
    if divergence is None or agrees:
        return divergence
    first = _first_difference(opened, codes, divergence.event + 1, lock.seconds)
    if first is None:
        return divergence
    place = {"event": first.index[0], "index": first.index[1:], "frozen": int(first.right), "found": int(first.left)}
    return replace(divergence, layer=first.layer, **place)  # type: ignore[arg-type]  # names and types match the fields


def _first_difference(opened: OpenedProject, codes: Sequence[Codes], events: int, seconds: float) -> Difference | None:
    """The first code of the first node in which simulation and emulator differ, in the first `events` events."""
    simulation, chosen = traced_simulation_of(opened, seconds), engine(opened.design)
    found = EngineComparison()
    for piece in pieces(opened.design, events, TRACED_VALUES):
        some = codes_of(codes, piece)
        found.add(simulation.run(some, trace=True), chosen.run(some, trace=True))
    return found.report(simulation.name, chosen.name).first
