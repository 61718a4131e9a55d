"""The class `Design`: everything that decides the hardware: network, precision plan and target."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from fpgacnn.errors import Choice, UnknownNameError, UsageError
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.passes.precision import PrecisionPlan
from fpgacnn.system.codec import LEFT_OUT


class IoType(Choice):
    """How data enters and leaves the hardware: all values of an event at once, or pixel by pixel."""

    PARALLEL = "parallel"
    STREAM = "stream"


class Strategy(Choice):
    """hls4ml's strategy: all products at once for low latency, shared multipliers, or a graph of adders alone."""

    LATENCY = "latency"
    RESOURCE = "resource"
    DA = "da"


class Multiplier(Choice):
    """What makes the products of a layer: DSP slices, LUTs, or what the tool chooses."""

    DSP = "dsp"
    LUT = "lut"
    AUTO = "auto"


class BackendName(Choice):
    """What the project is written for: a synthesis tool for C++, or streaming SystemVerilog for any synthesis tool."""

    VITIS = "vitis"
    VIVADO = "vivado"
    RTL = "rtl"


DEFAULT_IO = IoType.STREAM
"""What commands build unless `--io` says otherwise: streams take images of any size with small code and little logic.

`io_parallel` holds every value of a layer in registers at once. This is faster for small networks; for larger images it
does not fit, or takes tools hours.
"""

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{3,63}")
MAX_REUSE = 1 << 20
MAX_CLOCK_NS = 1000.0
MAX_FIFO_DEPTH = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Part, clock and interface. `reuse_of` and `strategy_of` replace reuse factor and strategy of single layers.

    `multiplier_of` says what makes the products of single layers; for others, the tool chooses.
    """

    part: str = "xcu250-figd2104-2L-e"
    clock_ns: float = 5.0
    io: IoType = IoType.PARALLEL
    strategy: Strategy = Strategy.LATENCY
    reuse: int = 1
    backend: BackendName = BackendName.VITIS
    reuse_of: Mapping[str, int] = field(default_factory=dict)
    strategy_of: Mapping[str, Strategy] = field(default_factory=dict)
    multiplier_of: Mapping[str, Multiplier] = field(default_factory=dict, metadata=LEFT_OUT)

    def __post_init__(self) -> None:
        if not _PART.fullmatch(self.part):
            raise UnknownNameError(what="part", name=self.part, known="names like xcku115-flvb2104-2-i")
        if not 0 < self.clock_ns <= MAX_CLOCK_NS:
            raise UsageError(what=f"a clock period of {self.clock_ns} ns is not between 0 and {MAX_CLOCK_NS:g}")
        for reuse in (self.reuse, *self.reuse_of.values()):
            if not 1 <= reuse <= MAX_REUSE:
                raise UsageError(what=f"a reuse factor of {reuse} is not between 1 and {MAX_REUSE}")


Setting = TypeVar("Setting")


def by_layer(target: Target, model: HardwareModel) -> Target:
    """The target with its settings of single layers under the layers' names in the model file.

    `auto` is what layers without a setting have, so it is left out. Raises UsageError as `settings_by_layer`, and
    UnknownNameError for a layer that is not there.
    """
    multipliers = settings_by_layer(target.multiplier_of, model)
    _check_layers(multipliers, model)
    return replace(
        target,
        reuse_of=settings_by_layer(target.reuse_of, model),
        strategy_of=settings_by_layer(target.strategy_of, model),
        multiplier_of={name: kind for name, kind in multipliers.items() if kind is not Multiplier.AUTO},
    )


def _check_layers(names: Iterable[str], model: HardwareModel) -> None:
    """Raise UnknownNameError for a name that no layer of the hardware has in the model file."""
    known = {name for layer in model.layers for name in (layer.source, *layer.folded)}
    for name in names:
        if name not in known:
            raise UnknownNameError(what="layer", name=name, known=", ".join(sorted(known)))


def settings_by_layer(settings: Mapping[str, Setting], model: HardwareModel) -> dict[str, Setting]:
    """Settings of single layers under the layers' names in the model file.

    The name of a node in the hardware, which tables and reports show, is accepted too. A layer that is folded into
    the node of another one has its settings. Raises UsageError for two settings of one node under two names.
    """
    nodes: dict[str, str] = {}
    for layer in model.layers:
        nodes |= dict.fromkeys((layer.name, layer.source, *layer.folded), layer.sums_of)
    nodes |= {layer.sums_of: layer.sums_of for layer in model.layers}
    found: dict[str, tuple[str, Setting]] = {}
    for name, setting in settings.items():
        own = nodes.get(name, name)
        before, other = found.get(own, (name, setting))
        if other != setting:
            raise UsageError(
                what=f"{before} and {name} are one layer in the hardware, which cannot have {other} and {setting}"
            )
        found[own] = (name, setting)
    return {own: setting for own, (_, setting) in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The hardware as a value: equal designs give identical files.

    `fifo_depths` are depths of the FIFOs between streamed layers, by the name of the writing layer, or `writer:reader`
    for the copy of one of several readers; a FIFO that is not listed has the depth of a frame. `folds`: casts were
    folded into the layers before them, where that is exact.
    """

    model: HardwareModel
    plan: PrecisionPlan
    target: Target
    fifo_depths: Mapping[str, int] = field(default_factory=dict)
    folds: bool = False

    def __post_init__(self) -> None:
        target = self.target
        _check_layers((*target.reuse_of, *target.strategy_of, *target.multiplier_of), self.model)
        for name, depth in self.fifo_depths.items():
            if not 1 <= depth <= MAX_FIFO_DEPTH:
                raise UsageError(what=f"{depth} places for the FIFO {name!r} are not between 1 and {MAX_FIFO_DEPTH}")

    def reuse(self, source: str) -> int:
        """The reuse factor of a layer of the file."""
        return self.target.reuse_of.get(source, self.target.reuse)

    def strategy(self, source: str) -> Strategy:
        """The strategy of a layer of the file."""
        return self.target.strategy_of.get(source, self.target.strategy)

    def multiplier(self, source: str) -> Multiplier:
        """What makes the products of a layer of the file."""
        return self.target.multiplier_of.get(source, Multiplier.AUTO)
