"""One trial without training: a pure function of the context and the point.

The weights of the float network that the point cuts become zero, the network gets the widths of the point, the
hardware's integer arithmetic is planned, and the emulator computes the validation events bit for bit. The estimate is
that of the same design with the FIFOs that `convert` would write.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fpgacnn.design import Design, IoType, Target
from fpgacnn.errors import (
    FpgacnnError,
    InternalError,
    KernelBuildError,
    MissingExtraError,
    OutOfMemoryError,
    WriteError,
)
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.fifo_choice import chosen_depths
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.explore.context import TrialContext
from fpgacnn.jobs.explore.measures import PointResult, score
from fpgacnn.jobs.explore.space import Values
from fpgacnn.jobs.quantize import objective
from fpgacnn.jobs.quantize.objective import Distillation, Labelled, Task, TaskEvents
from fpgacnn.passes.widths.ebops import costs, multiplications
from fpgacnn.pipeline.assign_widths import WidthAssignment
from fpgacnn.pipeline.planning import Compilation, as_planned
from fpgacnn.pipeline.request import Reference, Request
from fpgacnn.pipeline.stages import run_passes
from fpgacnn.sim.emulator import engine
from fpgacnn.sim.emulator.blas_engine import FloatEmulator

NOWHERE = Path("study")
"""Stands for the model file, which planning does not read again."""

HEAVY = 20_000_000_000
"""Multiplications of a trial from which on kernels are compiled for its design (0.35 s) instead of using NumPy."""

MOST_KEPT = 4096
"""Qualities that a worker remembers: points that differ in the hardware alone have the same answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPoint:
    """A point as a network with its quantizers, and as a design."""

    network: SourceModel
    design: Design


@dataclass(slots=True, kw_only=True, eq=False)
class Workbench:
    """Measures points of one study; what it remembers changes no result."""

    context: TrialContext
    _qualities: dict[tuple[object, ...], tuple[float, float]] = field(default_factory=dict)
    _heavy: bool | None = None
    _codes: list[Codes] = field(default_factory=list)

    def measure(self, values: Values) -> PointResult:
        """Quality and costs of a point, or the reason why it cannot be built.

        Raises InternalError, KernelBuildError, MissingExtraError, OutOfMemoryError, WriteError: they are errors of the
        machine and say nothing about the point, so they are not recorded.
        """
        try:
            planned = self.planned(values)
            return self._measured(values, planned)
        except (InternalError, KernelBuildError, MissingExtraError, OutOfMemoryError, WriteError):
            raise
        except FpgacnnError as error:
            return PointResult(refused=f"{error.code}: {error}")

    def planned(self, values: Values) -> PlannedPoint:
        """The network and the design of a point; FIFOs have no depths yet.

        Raises FpgacnnError if the point cannot be built.
        """
        context = self.context
        return plan(context, context.network_of(values), context.space.target(values, context.target))

    def _measured(self, values: Values, planned: PlannedPoint) -> PointResult:
        quality, score = self._quality(values, planned.design)
        return replace(self.cost(planned), quality=quality, score=score)

    def cost(self, planned: PlannedPoint) -> PointResult:
        """The costs of a point, without its quality."""
        context, design = self.context, planned.design
        graph = hardware_graph(design)
        if design.target.io is IoType.STREAM:
            graph = replace(graph, fifo_depths=chosen_depths(graph, context.fifo))
        answer = estimate(graph)
        counts = multiplications(planned.network)
        bits = {one.name: one.format.width for one in context.inputs}
        return PointResult(
            ebops=sum(one.ebops for one in costs(planned.network, bits, counts)),
            resources=answer.after_synthesis,
            latency_ns=answer.latency_ns,
            interval_ns=answer.interval_ns,
            cautions=len(answer.warnings),
            stops=answer.stops,
        )

    def _quality(self, values: Values, design: Design) -> tuple[float, float]:
        """Quality and score of the hardware's answers; strategy, reuse factor and io type change no bit of them."""
        space = self.context.space
        key = (space.network(values), *space.widths(values).values(), *space.pruned(values).items())
        if key not in self._qualities:
            if len(self._qualities) >= MOST_KEPT:
                self._qualities.clear()
            self._qualities[key] = self._answered(design)
        return self._qualities[key]

    def _answered(self, design: Design) -> tuple[float, float]:
        context = self.context
        codes = self._codes or [
            Codes(array=one.astype(np.int64), format=choice.format)
            for one, choice in zip(context.codes, context.inputs, strict=True)
        ]
        self._codes = codes
        emulator = engine(design, threads=1) if self._is_heavy() else FloatEmulator(design)
        outputs = emulator.run(codes).outputs
        answers = [outputs[name].values for name in design.model.outputs]
        events = TaskEvents(inputs=tuple(one.values for one in codes), labels=context.labels)
        task: Task = Distillation() if context.classes is None else Labelled(classes=context.classes)
        first = slice(context.validation)
        quality = objective.quality(
            task, [one[first] for one in answers], events.take(first), [one[first] for one in context.wanted]
        )
        probabilities = isinstance(design.model.layer(design.model.outputs[0]).operation, hw.Softmax)
        return quality, score(task, answers, events, context.wanted, probabilities=probabilities)

    def _is_heavy(self) -> bool:
        if self._heavy is None:
            work = sum(multiplications(self.context.network).values()) * len(self.context.codes[0])
            self._heavy = work > HEAVY
        return self._heavy


def plan(context: TrialContext, network: SourceModel, target: Target) -> PlannedPoint:
    """A network with quantizers as a design for a target.

    Raises FpgacnnError if it cannot be built.
    """
    request = Request(
        model=NOWHERE, target=target, softmax=context.softmax, fold=context.fold, reference=Reference.NONE
    )
    state = Compilation(
        file=NOWHERE,
        request=request,
        network=network,
        trained=WidthAssignment(network=network, float_network=network),
        choices=context.inputs,
    )
    return PlannedPoint(network=network, design=as_planned(run_passes(state, "quantize", "design")).design)
