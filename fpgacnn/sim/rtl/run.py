"""RTL simulation of one project in a child process; clocks are counted beside the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.design.rtl_project import RtlPort, RtlProject
from fpgacnn.design.rtl_words import packed, unpacked
from fpgacnn.errors import InternalError, RtlSimulationError, WriteError, printable
from fpgacnn.ir.fixed_point import CodeArray, Codes
from fpgacnn.sim.csim import DEFAULT_SECONDS
from fpgacnn.sim.result import SimulationResult
from fpgacnn.sim.rtl.build import MAIN, RtlProgram, level_for
from fpgacnn.sim.rtl.driver import LONG_PAUSES, main_program
from fpgacnn.sim.rtl.driver import words as word_count
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run

SPARE_CLOCKS = 20_000
"""Clocks beyond those that a run needs, before answers count as missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Pauses of the events and stalls of the answers in percent of clocks, from a seed.

    With `late_frames`, every second frame, from the first one on, pauses for one interval behind its first word.
    `longest`: clocks that each input waits at most, before 3 % of its words; 0: no such pauses.
    """

    pauses: int = 0
    stalls: int = 0
    seed: int = 1
    late_frames: bool = False
    longest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocked:
    """The answers of a run, and the clocks (frames, tokens) of all words since the first input word.

    `clocks` are those of the outputs at their ports, `layer_clocks` those of the traced layers.
    """

    answers: SimulationResult
    clocks: dict[str, CodeArray]
    layer_clocks: dict[str, CodeArray]


class RtlSimulation:
    """The RTL simulation of one project."""

    name = "rtl"

    def __init__(self, project: RtlProject, design: Design, *, seconds: float = DEFAULT_SECONDS) -> None:
        self._project, self._design, self._seconds = project, design, seconds
        sources = {
            name: data for name, data in project.files.items() if name.startswith("rtl/") and name.endswith(".sv")
        }
        self._files = {**sources, MAIN: main_program(project).encode()}
        self._program: RtlProgram | None = None
        self._ran = False
        self._other_clocks: dict[str, None] = {}

    def _built_for(self, frames: int) -> RtlProgram:
        """The program; the first run decides how much the compiler optimizes it."""
        if self._program is None:
            level = level_for(frames * self._project.interval + self._project.latency)
            self._program = RtlProgram(self._files, self._project.top, level=level, seconds=self._seconds)
        return self._program

    @property
    def clocks_equal_schedule(self) -> bool | None:
        """Whether every word without pauses came in its clock; None before a run."""
        return not self._other_clocks if self._ran else None

    @property
    def other_clocks(self) -> tuple[str, ...]:
        """The outputs, and the traced layers, of which a word came in another clock than the schedule's."""
        return tuple(self._other_clocks)

    def refuse_other_clocks(self) -> None:
        """Raise RtlSimulationError where a word came in another clock than the schedule's."""
        if self._other_clocks:
            names = ", ".join(map(printable, self._other_clocks))
            raise RtlSimulationError(how="other clocks than its schedule", why=f"{names}: words came earlier or later")

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events without pauses, and compare the clock of every word with the schedule.

        Raises VerilatorMissingError, CompilerMissingError, RtlBuildError, RtlSimulationError, ToolTimeoutError.
        """
        found = self.clocked(inputs, Traffic(), trace=trace)
        frames, project = len(inputs[0].array), self._project
        for scheduled, seen in ((project.layer_clocks, found.layer_clocks), (project.answer_clocks, found.clocks)):
            different = [node for node in seen if not np.array_equal(seen[node], scheduled(node, frames))]
            self._other_clocks |= dict.fromkeys(different)
        self._ran = True
        return found.answers

    def clocked(self, inputs: Sequence[Codes], traffic: Traffic, *, trace: bool = False) -> Clocked:
        """Compute all events with pauses and stalls; the clocks of the answers come with them."""
        if trace and not self._project.traced:
            raise InternalError(what="a trace needs a project with the ports of a trace")
        frames = len(inputs[0].array)
        with temporary_folder("fpgacnn-rtl-") as here, self._built_for(frames).opened(here) as (program, handles):
            for number, (port, codes) in enumerate(zip(self._project.inputs, inputs, strict=True)):
                self._write(here / f"in_{number}.bin", packed(codes.array, port, port.axi_width))
            tokens = frames * sum(port.tokens for port in self._project.inputs)
            slowest = 100 * 100 // max(1, (100 - traffic.pauses) * (100 - traffic.stalls)) + 1
            answers = frames * sum(port.tokens for port in self._project.outputs)
            hold = self._project.interval if traffic.late_frames else 0
            most = (tokens + answers + self._project.latency) * slowest * 2 + frames * hold + SPARE_CLOCKS
            most += tokens * traffic.longest * LONG_PAUSES // 25
            words = [
                str(one) for one in (frames, traffic.pauses, traffic.stalls, traffic.seed, most, hold, traffic.longest)
            ]
            finished = run([program, *words], folder=here, seconds=self._seconds, inherited=handles)
            if finished.status != 0:
                raise RtlSimulationError(how=finished.how, why=finished.last_line)
            outputs = [
                self._read(here / f"out_{number}.bin", port, frames, port.axi_width)
                for number, port in enumerate(self._project.outputs)
            ]
            traced = (
                [
                    self._read(here / f"trace_{number}.bin", port, frames, port.width)
                    for number, port in enumerate(self._project.traced)
                ]
                if trace
                else []
            )
        given = dict(zip((port.node for port in self._project.outputs), outputs, strict=True))
        layers = dict(zip((port.node for port in self._project.traced), traced, strict=False))
        return Clocked(
            answers=SimulationResult(
                engine=self.name,
                outputs={node: codes for node, (codes, _) in given.items()},
                trace={node: codes for node, (codes, _) in layers.items()},
            ),
            clocks={node: clocks for node, (_, clocks) in given.items()},
            layer_clocks={node: clocks for node, (_, clocks) in layers.items()},
        )

    def _write(self, file: Path, words: NDArray[np.uint32]) -> None:
        try:
            words.tofile(file)
        except OSError as error:
            raise WriteError(file=file, why=error.strerror or str(error)) from error

    def _read(self, file: Path, port: RtlPort, frames: int, bits: int) -> tuple[Codes, CodeArray]:
        """The answers of one port, and their clocks (frames, tokens)."""
        count = word_count(bits)
        record = np.dtype([("clock", "<u8"), ("words", "<u4", (count,))])
        wanted = frames * port.tokens
        try:
            data = read_regular(file, limit=wanted * record.itemsize)
        except OSError as error:
            raise RtlSimulationError(how="no answers", why=error.strerror or str(error)) from error
        if len(data) != wanted * record.itemsize:
            raise RtlSimulationError(how="another number of answers", why=f"{len(data) // record.itemsize} of {wanted}")
        found = np.frombuffer(data, record)
        form = self._design.plan.layers[port.node].result.format
        codes = unpacked(found["words"], port, form)
        shape = self._design.model.layer(port.node).shape
        return (
            Codes(array=codes.reshape(-1, *shape), format=form),
            found["clock"].astype(np.int64).reshape(frames, port.tokens),
        )
