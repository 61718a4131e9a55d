"""The request of a conversion: everything that the user decides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from fpgacnn.design import BackendName, Target
from fpgacnn.errors import UnknownNameError, UsageError
from fpgacnn.hardware.board.boards import Board
from fpgacnn.hardware.devices import completed, refuse_hls
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.ir.source import Quantizer
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.widths.widths import Point, Widths
from fpgacnn.pipeline.inputs import InputChoice
from fpgacnn.system.npz import ArraySource

CSIM_EVENTS = 1000
SQNR_DB = 40.0
"""Quantization noise of 1 % of the answers' root mean square."""


REFERENCE_VARIABLE = "FPGACNN_REFERENCE"


class Reference(StrEnum):
    """The framework that also runs the file: its own if installed, a named one, or none."""

    AUTO = "auto"
    KERAS = "keras"
    ONNX = "onnx"
    NONE = "none"

    @property
    def is_demanded(self) -> bool:
        """Whether the user named a framework, so that a run without it is an error."""
        return self in {Reference.KERAS, Reference.ONNX}


def parse_reference(word: str | None) -> Reference:
    """The value of `--reference`, else the environment variable FPGACNN_REFERENCE, else `auto`.

    Raises UnknownNameError.
    """
    found = word or os.environ.get(REFERENCE_VARIABLE) or Reference.AUTO
    if found.lower() not in set(Reference):
        raise UnknownNameError(what="reference", name=found, known=", ".join(Reference))
    return Reference(found.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedWidths:
    """Quantizers and input formats that were chosen before; `origin` says by what, for notes and reasons.

    `pruned`: the percent of the weights of layers that become zero before they are quantized.
    """

    quantizers: Mapping[Point, Quantizer]
    inputs: tuple[InputChoice, ...]
    origin: str
    pruned: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One conversion: the model, the events, the target, and how much is checked.

    `input_type` is a format as text for every input. `widths` and `calibration` (events) are for float networks; with
    events alone, widths are the fewest that keep the outputs `sqnr_db` above their quantization noise. `float_model` is
    a float network whose quality is compared. `fifo` chooses the depths of FIFOs; None: those of a project, else the
    smallest that keep the interval. `fold`: layers that only cast become the result type of the layer before them.
    `reference` decides whether the file's framework runs too. `csim_events` limits the events of C simulation (None:
    all); 0 leaves C simulation out. `scaled`: a large network gets fewer events, as many as take minutes.
    `unlisted_part`: the target's part need not be in the table. `open_io`: the user chose no io type, so a network that
    hls4ml cannot stream is built in parallel. `profile`: the record has the distributions of all weights and results.
    `board`: wrapper, scripts and drivers are written for it. `assigned`: quantizers and formats of a point of a study.
    """

    model: Path
    weights: Path | None = None
    output: Path | None = None
    events: ArraySource | None = None
    input_type: str | None = None
    target: Target = field(default_factory=Target)
    softmax: SoftmaxChoice = SoftmaxChoice.LOGITS
    widths: Widths | None = None
    assigned: AssignedWidths | None = None
    calibration: ArraySource | None = None
    sqnr_db: float = SQNR_DB
    float_model: Path | None = None
    csim_events: int | None = CSIM_EVENTS
    max_events: int | None = 10_000
    scaled: bool = True
    seconds: float = 900.0
    unlisted_part: bool = False
    open_io: bool = False
    profile: bool = False
    fifo: FifoChoice | None = None
    board: Board | None = None
    fold: bool = True
    reference: Reference = field(default_factory=lambda: parse_reference(None))

    def __post_init__(self) -> None:
        if self.csim_events is not None and self.csim_events < 0:
            raise UsageError(what=f"the number of events for C simulation cannot be {self.csim_events}")


def located(target: Target, *, unlisted: bool = False) -> tuple[Target, tuple[str, ...]]:
    """A target with the full name of its part, and notes about that name.

    Raises UnknownPartError, also for a part that the target's backend does not build.
    """
    part, notes = completed(target.part, unlisted=unlisted)
    if target.backend is not BackendName.RTL:
        refuse_hls(part)
    return replace(target, part=part), notes
