"""Estimates of a model file, of a project of fpgacnn, and of any hls4ml project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from fpgacnn.design import BackendName, Design, IoType, Multiplier, Strategy, Target
from fpgacnn.design.design import MAX_FIFO_DEPTH, by_layer, settings_by_layer
from fpgacnn.design.project import RECORD
from fpgacnn.errors import ProjectError, UnknownPartError, UnreadableProjectError, UsageError
from fpgacnn.hardware.devices import completed, refuse_hls
from fpgacnn.hardware.estimation import Estimate, estimate
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, chosen_depths
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph
from fpgacnn.hardware.estimation.graph.project_files import is_project
from fpgacnn.hardware.estimation.graph.wiring import Wiring, depths_by_layers
from fpgacnn.hardware.estimation.rtl.estimate import estimate_rtl
from fpgacnn.hardware.hls.lower import Lowered
from fpgacnn.records.record import EstimateRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOverrides:
    """Options of the user that replace the target of a project, or the defaults."""

    part: str | None = None
    clock_ns: float | None = None
    io: IoType | None = None
    strategy: Strategy | None = None
    reuse: int | None = None
    backend: BackendName | None = None
    reuse_of: Mapping[str, int] = field(default_factory=dict)
    strategy_of: Mapping[str, Strategy] = field(default_factory=dict)
    multiplier_of: Mapping[str, Multiplier] = field(default_factory=dict)

    def applied(self, target: Target) -> Target:
        """The target with these options replaced."""
        return Target(
            part=target.part if self.part is None else self.part,
            clock_ns=target.clock_ns if self.clock_ns is None else self.clock_ns,
            io=self.io or target.io,
            strategy=self.strategy or target.strategy,
            reuse=target.reuse if self.reuse is None else self.reuse,
            backend=self.backend or target.backend,
            reuse_of={**target.reuse_of, **self.reuse_of},
            strategy_of={**target.strategy_of, **self.strategy_of},
            multiplier_of={**target.multiplier_of, **self.multiplier_of},
        )

    @property
    def changes_code(self) -> bool:
        """Whether more than part and clock is replaced, so that the generated code changes."""
        return any(value is not None for value in (self.io, self.strategy, self.reuse, self.backend)) or bool(
            self.reuse_of or self.strategy_of or self.multiplier_of
        )


def of_design(design: Design, lowered: Lowered | None) -> tuple[Estimate | None, tuple[str, ...]]:
    """The estimate of a design and its layer list, or of RTL, which has none; for an unknown part, None and a note."""
    try:
        if lowered is None:
            return estimate_rtl(design), ()
        return estimate(hardware_graph(design, lowered=lowered)), ()
    except UnknownPartError as error:
        return None, (f"no estimate: {error}",)


def of_foreign_project(
    folder: Path, overrides: TargetOverrides, remarks: tuple[str, ...] = (), fifo: FifoChoice | None = None
) -> EstimateRecord:
    """The estimate of a folder that hls4ml wrote, with part, clock or depths of FIFOs replaced if given.

    `remarks` join its notes. Raises UsageError if an option would change the code, UnreadableProjectError,
    UnknownPartError.
    """
    if overrides.changes_code:
        raise UsageError(
            what=f"{folder} was not made by fpgacnn: only --part and --clock can be changed in an estimate of it"
        )
    overrides, notes = with_full_part(overrides)
    if overrides.part is not None:
        refuse_hls(overrides.part)
    model = read_project(folder, overrides.part, overrides.clock_ns)
    if fifo is not None:
        model = replace(model, fifo_depths=chosen_depths(replace(model, fifo_depths={}), fifo))
    return record(str(folder), model, estimate(model), (*notes, *remarks))


def of_whole_design(source: Path, design: Design, lowered: Lowered, notes: tuple[str, ...]) -> EstimateRecord:
    """The estimate of a design and its layer list, for its source.

    Raises UnknownPartError.
    """
    model = hardware_graph(design, lowered=lowered)
    return record(str(source), model, estimate(model), (*notes, *lowered.notes))


def of_rtl_design(source: Path, design: Design, notes: tuple[str, ...]) -> EstimateRecord:
    """The estimate of an RTL design, for its source.

    Raises UnknownPartError, RtlTargetError, RtlUnsupportedError.
    """
    return EstimateRecord(
        version=version("fpgacnn"),
        source=str(source),
        io=design.target.io.value,
        backend=design.target.backend.value,
        estimate=estimate_rtl(design),
        notes=notes,
    )


def as_written(design: Design, folder: Path) -> Design:
    """The design with the depths of FIFOs in the C++ of its folder, which may have been edited."""
    if design.target.io is not IoType.STREAM:
        return design
    try:
        written = read_project(folder, design.target.part, design.target.clock_ns)
    except UnreadableProjectError:
        return design
    names = {name for owned in Wiring.of(hardware_graph(design)).owned.values() for name in owned}
    found = depths_by_layers(written)
    depths = {name: depth for name, depth in found.items() if name in names and depth <= MAX_FIFO_DEPTH}
    return replace(design, fifo_depths={**design.fifo_depths, **depths})


def with_full_part(overrides: TargetOverrides) -> tuple[TargetOverrides, tuple[str, ...]]:
    """The options with the full name of their part, and notes about that name.

    Raises UnknownPartError.
    """
    if overrides.part is None:
        return overrides, ()
    part, notes = completed(overrides.part)
    return replace(overrides, part=part), notes


def retargeted(design: Design, overrides: TargetOverrides) -> Design:
    """The same network for another target; settings of single layers replace those of the design.

    Raises UsageError for two settings of one layer, and UnknownNameError for a layer that is not there.
    """
    own = replace(
        overrides,
        reuse_of=settings_by_layer(overrides.reuse_of, design.model),
        strategy_of=settings_by_layer(overrides.strategy_of, design.model),
        multiplier_of=settings_by_layer(overrides.multiplier_of, design.model),
    )
    return replace(design, target=by_layer(own.applied(design.target), design.model))


def record(source: str, model: HardwareGraph, answer: Estimate, notes: tuple[str, ...]) -> EstimateRecord:
    """The record of an estimate and of its source."""
    return EstimateRecord(
        version=version("fpgacnn"),
        source=source,
        io=model.io.value,
        backend=model.tool.value,
        estimate=answer,
        notes=notes,
    )


def is_foreign(folder: Path) -> bool:
    """Whether a folder is an hls4ml project that fpgacnn did not write.

    Raises ProjectError if the folder is no project at all.
    """
    if (folder / RECORD).is_file():
        return False
    if is_project(folder):
        return True
    raise ProjectError(
        folder=folder,
        why=f"neither a project of fpgacnn ({RECORD} is missing) nor of hls4ml (firmware/parameters.h is missing)",
    )
