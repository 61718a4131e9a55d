"""The native engine: a design compiled to kernels of this processor, over chunks of events in threads."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.errors import InternalError
from fpgacnn.numeric.fixed import CodeArray, Codes
from fpgacnn.sim.emulator.native.build import CCompiler, built
from fpgacnn.sim.emulator.native.library import Kernels, aligned
from fpgacnn.sim.emulator.native.lowering import lower
from fpgacnn.sim.emulator.native.ports import Given
from fpgacnn.sim.result import SimulationResult

MEMORY_BYTES = 1 << 30
"""How much the tensors of all threads may take together; one thread runs in any case."""

MOST_EVENTS = 4096
"""Events of a chunk: enough to be fast, few enough that threads end together."""


class NativeEmulator:
    """Computes a design with compiled kernels, bit for bit what the reference computes."""

    name = "emulator"

    def __init__(self, design: Design, compiler: CCompiler, *, threads: int | None = None) -> None:
        self._design, self._compiler = design, compiler
        self._threads = threads or usable_processors()
        self.words = f"native, {compiler.machine.name}, {compiler.version}"
        self._prepared: dict[tuple[bool, tuple[Given, ...]], Prepared] = {}

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events; first axis events.

        Raises KernelBuildError, InternalError where an input holds a code that its format has not.
        """
        prepared = self.prepared(trace=trace, given=(Given.CODES,) * len(inputs))
        found = prepared.run([np.ascontiguousarray(one.array, np.int64) for one in inputs], self._threads)
        formats = {name: self._design.plan.layers[name].result.format for name in found}
        whole = {name: Codes(array=array, format=formats[name]) for name, array in found.items()}
        outputs = {name: whole[name] for name in self._design.model.outputs}
        return SimulationResult(engine=self.name, outputs=outputs, trace=whole if trace else {})

    def prepared(self, *, trace: bool, given: tuple[Given, ...]) -> Prepared:
        """The kernels for outputs alone or for every node, built once."""
        key = trace, given
        if key not in self._prepared:
            self._prepared[key] = Prepared(self._design, self._compiler, trace=trace, given=given)
        return self._prepared[key]


class Prepared:
    """One program with its kernels, ready to run."""

    def __init__(self, design: Design, compiler: CCompiler, *, trace: bool, given: tuple[Given, ...]) -> None:
        model = design.model
        keep = {layer.name for layer in model.layers} if trace else set(model.outputs)
        self.program = lower(design, compiler.machine, keep=keep, given=given)
        self.kernels = Kernels(self.program, built(self.program.source, compiler), compiler.machine.lanes)
        self._lanes = compiler.machine.lanes
        self._shapes = [model.layer(name).shape for name in self.program.ports]

    def run(self, inputs: Sequence[NDArray[np.generic]], threads: int) -> dict[str, CodeArray]:
        """The codes of all written nodes. Raises InternalError."""
        events = len(inputs[0])
        results = [np.empty((events, *shape), np.int64) for shape in self._shapes]
        threads = max(1, min(threads, MEMORY_BYTES // max(self.program.memory_bytes, 1), -(-events // self._lanes)))
        size = max(self._lanes, min(MOST_EVENTS, -(-events // (4 * threads) // self._lanes) * self._lanes))
        if threads == 1:
            size = max(events, 1)
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for start in range(0, events, size):
            waiting.put(start)
        work = self._worker(inputs, results, waiting, size)
        if threads == 1:
            held = [work(0)]
        else:
            with ThreadPoolExecutor(threads) as pool:
                held = list(pool.map(work, range(threads)))
        if not all(held):
            raise InternalError(what="an input holds codes that its format has not")
        return dict(zip(self.program.ports, results, strict=True))

    def _worker(self, inputs: Sequence[NDArray[np.generic]], results: Sequence[CodeArray], waiting: queue.SimpleQueue[int], size: int) -> Callable[[int], bool]:
        events = len(inputs[0])

        def work(_: int) -> bool:
            memory = aligned(self.program.memory_bytes)
            fine = True
            while True:
                try:
                    start = waiting.get_nowait()
                except queue.Empty:
                    return fine
                fine &= self.kernels.run(inputs, results, start, min(size, events - start), memory)

        return work


def usable_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
