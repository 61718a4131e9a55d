"""The native engine: a design compiled to kernels for this processor, run on chunks of events in threads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.errors import InternalError
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, Overflow, Rounding
from fpgacnn.sim.emulator.native.build import CCompiler, library
from fpgacnn.sim.emulator.native.codegen.lowering import lower_to_program
from fpgacnn.sim.emulator.native.codegen.program import Program
from fpgacnn.sim.emulator.native.codegen.steps import LEAST, MOST
from fpgacnn.sim.emulator.native.kernels.io import NARROW, Given, InputReader
from fpgacnn.sim.emulator.native.loader import Kernels, Work, aligned
from fpgacnn.sim.result import SimulationResult

MEMORY_BYTES = 1 << 29
"""Largest memory of the tensors of all threads together; one thread always runs."""

MOST_EVENTS = 256
"""Events of a chunk: few enough that all threads end at about the same time."""

FLOAT32_WIDTH, FLOAT64_WIDTH = 24, 31
"""Input formats up to these widths are converted from floats by the kernels themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Counts of the casts of a node's results, and the range of its codes."""

    wraps: int
    saturations: int
    ties: int
    least: int
    most: int


ONE_HOT = Measured(wraps=0, saturations=0, ties=0, least=0, most=1)


class NativeEmulator:
    """Computes a design with compiled kernels, bit for bit what the reference computes.

    With `packed`, the codes of results are in the narrowest of int8 to int64 that holds all codes of their node: less
    memory, for callers that take their values or their limits only.
    """

    name = "emulator"

    def __init__(
        self, design: Design, compiler: CCompiler, *, threads: int | None = None, packed: bool = False
    ) -> None:
        self._design, self._compiler, self._packed = design, compiler, packed
        self._threads = threads or usable_processors()
        self.words = f"native, {compiler.machine.name}, {compiler.version}"
        self._prepared: dict[tuple[object, ...], Prepared] = {}

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events; first axis events.

        Raises KernelBuildError, InternalError if an input has a code outside of its format.
        """
        arrays = self._arrays(inputs)
        found = self._on_codes(arrays, trace=trace, measure=False).run(arrays, self._threads)
        if found is None:
            raise InternalError(what="an input has codes outside of its format")
        return self._result(found, trace=trace)

    def run_values(
        self, values: Sequence[NDArray[np.generic]], modes: Sequence[Format], *, trace: bool = False
    ) -> SimulationResult | None:
        """Compute events given as numbers, which the kernels round and limit; None if a value is not finite.

        `modes` are the formats that the inputs are rounded to; `reads` tells whether the kernels support them.
        """
        readings = tuple(
            InputReader(given=_given(one), low=mode.low, high=mode.high, whole=one.dtype in NARROW)
            for one, mode in zip(values, modes, strict=True)
        )
        found = self._ready(trace=trace, measure=False, readings=readings).run(
            [np.ascontiguousarray(one) for one in values], self._threads
        )
        return None if found is None else self._result(found, trace=trace)

    def measure(self, inputs: Sequence[Codes]) -> Mapping[str, Measured]:
        """Counts for every node: wraps, saturations, rounding ties, the range of its codes.

        Raises KernelBuildError, InternalError.
        """
        arrays = self._arrays(inputs)
        ready = self._on_codes(arrays, trace=False, measure=True)
        if ready.run(arrays, self._threads) is None:
            raise InternalError(what="an input has codes outside of its format")
        return ready.measured()

    def _arrays(self, inputs: Sequence[Codes]) -> list[NDArray[np.generic]]:
        """The codes as int64, or in narrower integers where the caller has them so."""
        pairs = zip(inputs, self._design.model.input_layers, strict=True)
        return [
            np.ascontiguousarray(one.array, None if _is_narrow(one.array, operation.format) else np.int64)
            for one, (_, operation) in pairs
        ]

    def _on_codes(self, arrays: Sequence[NDArray[np.generic]], *, trace: bool, measure: bool) -> Prepared:
        formats = [operation.format for _, operation in self._design.model.input_layers]
        readings = tuple(
            InputReader(given=NARROW.get(one.dtype, Given.CODES), low=form.low, high=form.high)
            for one, form in zip(arrays, formats, strict=True)
        )
        return self._ready(trace=trace, measure=measure, readings=readings)

    def _ready(self, *, trace: bool, measure: bool, readings: tuple[InputReader, ...]) -> Prepared:
        """The kernels for outputs alone or for every node, built once."""
        key = trace, measure, readings
        if key not in self._prepared:
            self._prepared[key] = Prepared(
                self._design, self._compiler, trace=trace, measure=measure, readings=readings, packed=self._packed
            )
        return self._prepared[key]

    def _result(self, found: Mapping[str, CodeArray], *, trace: bool) -> SimulationResult:
        whole = {
            name: Codes(array=array, format=self._design.plan.layers[name].result.format)
            for name, array in found.items()
        }
        outputs = {name: whole[name] for name in self._design.model.outputs}
        return SimulationResult(engine=self.name, outputs=outputs, trace=whole if trace else {})


def _is_narrow(array: NDArray[np.generic], form: Format) -> bool:
    """Whether kernels read such an array as it is: they compare in 32 bits."""
    return array.dtype in NARROW and form.width <= FLOAT32_WIDTH


def _given(values: NDArray[np.generic]) -> Given:
    floats = Given.FLOAT32 if values.dtype == np.float32 else Given.FLOAT64
    return NARROW.get(values.dtype, floats)


def reads(mode: Format, values: NDArray[np.generic]) -> bool:
    """Whether kernels can round and limit such numbers to such a format."""
    widest = {np.dtype(np.float32): FLOAT32_WIDTH, np.dtype(np.float64): FLOAT64_WIDTH}.get(values.dtype, 0)
    if values.dtype in NARROW and 0 <= mode.fraction <= FLOAT32_WIDTH:
        widest = FLOAT32_WIDTH
    return (
        mode.rounding is Rounding.RND_CONV
        and mode.overflow in {Overflow.SAT, Overflow.SAT_SYM}
        and mode.width <= widest
    )


class Prepared:
    """One program with its kernels, ready to run, and the counts so far."""

    def __init__(
        self,
        design: Design,
        compiler: CCompiler,
        *,
        trace: bool,
        measure: bool,
        readings: tuple[InputReader, ...],
        packed: bool = False,
    ) -> None:
        model = design.model
        keep = {layer.name for layer in model.layers} if trace else set(model.outputs)
        self.program: Program = lower_to_program(
            design, compiler.machine, keep=keep, given=readings, measure=measure, packed=packed
        )
        with library(self.program.source, compiler) as path:
            self.kernels = Kernels(self.program, path, compiler.machine.lanes)
        self._lanes = compiler.machine.lanes
        self._layers = model.layers
        self._shapes = [model.layer(name).shape for name in self.program.ports]
        self._what = [tuple(name.rsplit(":", 1)) for name in self.program.tallies]
        limits = {LEAST: np.iinfo(np.int64).max, MOST: np.iinfo(np.int64).min}
        self._empty = np.array([limits.get(what, 0) for _, what in self._what] or [0], np.int64)
        self.counts = self._empty.copy()

    def run(self, inputs: Sequence[NDArray[np.generic]], threads: int) -> dict[str, CodeArray] | None:
        """The codes of all written nodes; None if an input had a value that is not allowed."""
        events = len(inputs[0])
        types = self.program.port_types
        results = [np.empty((events, *shape), one) for shape, one in zip(self._shapes, types, strict=True)]
        threads = max(1, min(threads, MEMORY_BYTES // max(self.program.memory_bytes, 1), -(-events // self._lanes)))
        size = max(self._lanes, min(MOST_EVENTS, -(-events // (16 * threads) // self._lanes) * self._lanes))
        work = Work(inputs, results, events, size)
        with ThreadPoolExecutor(max(threads - 1, 1)) as pool:  # its threads start when they get something to do
            others = [pool.submit(self._share, work) for _ in range(threads - 1)]
            try:
                shares = [self._share(work), *(one.result() for one in others)]
            finally:
                work.stop()  # after Ctrl-C, the others end soon
        for _, counts in shares:
            self._add(counts)
        return dict(zip(self.program.ports, results, strict=True)) if all(good for good, _ in shares) else None

    def _share(self, work: Work) -> tuple[bool, CodeArray]:
        """The share of one thread: chunk after chunk, until none is left."""
        memory, counts, more, good = aligned(self.program.memory_bytes), self._empty.copy(), True, True
        while more:
            more, well = self.kernels.run(work, memory, counts)
            good &= well
        return good, counts

    def _add(self, counts: CodeArray) -> None:
        for place, (_, what) in enumerate(self._what):
            join = {LEAST: min, MOST: max}.get(what)
            old, new = int(self.counts[place]), int(counts[place])
            self.counts[place] = join(old, new) if join else old + new

    def measured(self) -> Mapping[str, Measured]:
        """The counts by node."""
        found: dict[str, dict[str, int]] = {}
        for (name, what), count in zip(self._what, self.counts.tolist(), strict=True):
            of_layer = found.setdefault(name, {})
            of_layer[what] = of_layer.get(what, 0) + count
        words = ("wraps", "saturations", "ties", LEAST, MOST)
        of_steps = {
            name: Measured(**{word: of_layer.get(word, 0) for word in words}) for name, of_layer in found.items()
        }
        whole: dict[str, Measured] = {}
        for layer in self._layers:  # a reshape has no step, and an argmax has nothing to count
            if isinstance(layer.operation, src.Reshape):
                whole[layer.name] = replace(whole[layer.inputs[0]], wraps=0, saturations=0, ties=0)
            else:
                whole[layer.name] = of_steps.get(layer.name, ONE_HOT)
        return whole


def usable_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
