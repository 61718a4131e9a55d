"""The record of a comparison with hls4ml's default recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from fpgacnn.hardware.estimation import Estimate
from fpgacnn.records.display import Displayed
from fpgacnn.records.record import SCHEMA, plain

ROUNDING = 1e-5
"""A difference below this part of a layer's span is float32's own rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDistance:
    """How far a layer's results are from the framework's: the largest difference, and the span of the right values."""

    layer: str
    largest: float
    span: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDistance:
    """How far an output is from the framework's, as `LayerDistance`; `same` counts events with the same largest value.

    `same` is None for outputs that are no scores of classes.
    """

    output: str
    largest: float
    span: float
    same: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BitRange:
    """The fewest and the most bits of the layers, and their mean."""

    least: int
    most: int
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRecord:
    """One of the two tools: whether it gave answers, how far they are from the right ones, and what its hardware costs.

    `phase` is what failed, with its reason `why`; both are empty where nothing failed. `promise` is that of fpgacnn.
    `compared` layers were compared on `traced` events; `first` is the first of them that differs by more than
    float32's rounding, `far` the first by more than a tenth of its span. `measures` are the qualities against labels.
    """

    tool: str
    answers: bool
    phase: str = ""
    why: str = ""
    promise: str = ""
    compared: int = 0
    traced: int = 0
    first: LayerDistance | None = None
    far: LayerDistance | None = None
    outputs: tuple[OutputDistance, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    sums: BitRange | None = None
    results: BitRange | None = None
    fifo_bits: int | None = None
    estimate: Estimate | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Hls4mlComparison(Displayed):
    """hls4ml's default recipe and fpgacnn on the same file and events, for the same target.

    `framework` is that of the file with its version: Keras, onnxruntime or qonnx. Both are compared with its answers;
    `measures` are its qualities.
    """

    version: str
    file: str
    framework: str
    events: int
    origin: str
    part: str
    clock_ns: float
    io: str
    backend: str
    measures: Mapping[str, float]
    hls4ml: SideRecord
    fpgacnn: SideRecord
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA

    @property
    def line(self) -> str:
        """Both tools in a few words."""
        return f"{self.file}: {_words(self.hls4ml, self.reference)}; {_words(self.fpgacnn, self.reference)}"

    @property
    def reference(self) -> str:
        """The name of the framework without its version."""
        return self.framework.partition(" ")[0]

    @property
    def holds(self) -> bool:
        """Whether fpgacnn converts the file, and every one of its comparisons holds."""
        return self.fpgacnn.answers and not self.fpgacnn.why

    def to_json(self) -> str:
        """The record as JSON; numbers that JSON cannot hold are null."""
        return json.dumps(plain(self), indent=1)


def _words(side: SideRecord, reference: str) -> str:
    if side.why:
        return f"{side.tool} cannot {side.phase}"
    if not side.answers:
        return f"{side.tool} cannot {side.phase}" if side.phase else f"{side.tool} gives no answers"
    if side.first:
        return f"{side.tool} differs first in {side.first.layer}"
    if not side.outputs:
        return f"{side.tool} was not compared with {reference}"
    if any(one.largest > ROUNDING * max(one.span, 1e-30) for one in side.outputs):
        return f"{side.tool} differs from {reference}"
    return f"{side.tool} equals {reference}"
