"""The request and the result of `quantize`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fpgacnn.design import Target
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.ir.source import Quantizer
from fpgacnn.jobs.quantize.budget import Budget, BudgetRecord
from fpgacnn.jobs.quantize.training_data import TrainingData
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.widths.widths import Point, Widths
from fpgacnn.records.display import Displayed
from fpgacnn.records.record import ModelRecord, RunRecord, plain
from fpgacnn.system.npz import ArraySource, MemoryArrays
from fpgacnn.training.keras.loop import Epoch, TrainingSettings

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeRequest:
    """What to quantize, on which data, and how.

    `data`: a file, arrays in memory, or the name of a data set; `material`: its events, where they are read already.
    `assigned`: the quantizers of a point of a study, in place of `widths`; `pruned`: the percent of the weights of
    layers that are zero from the start, and stay zero. `converts`: also write a project, in the
    folder `project`; `softmax`, `fold`, `fifo` and `input_type` are those of its conversion.
    """

    model: Path
    data: str | MemoryArrays
    output: Path
    widths: Widths
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    weights: Path | None = None
    test: ArraySource | None = None
    augment: str | None = None
    budget: Budget | None = None
    material: TrainingData | None = None
    assigned: Mapping[Point, Quantizer] | None = None
    pruned: Mapping[str, int] = field(default_factory=dict)
    converts: bool = False
    project: Path | None = None
    target: Target = field(default_factory=Target)
    open_io: bool = False
    softmax: SoftmaxChoice = SoftmaxChoice.LOGITS
    fold: bool = True
    fifo: FifoChoice | None = None
    input_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWidths:
    """One linear layer or quantizer of the quantized network: quantizers as QKeras texts, and as fixed-point types."""

    layer: str
    kind: str
    weight: str = ""
    bias: str = ""
    result: str = ""
    weight_format: str = ""
    bias_format: str = ""
    result_format: str = ""
    parameters: int = 0
    zeros: int = 0
    multiplications: int = 0
    ebops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageQuality:
    """The same measure for the float network, after post-training quantization, and after fine-tuning."""

    measure: str
    part: str
    events: int
    float_network: float
    post_training: float
    fine_tuned: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QuantizeRecord(Displayed):
    """The result of `quantize`."""

    version: str
    model: ModelRecord
    output: str
    output_digest: str
    data: str
    events: Mapping[str, int]
    settings: TrainingSettings
    augment: str | None
    layers: tuple[LayerWidths, ...]
    ebops: int
    budget: BudgetRecord | None
    quality: tuple[StageQuality, ...]
    best_epoch: int
    epochs: tuple[Epoch, ...]
    continued_from: int | None
    conversion: RunRecord | None
    timings_s: Mapping[str, float]
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA

    @property
    def line(self) -> str:
        """The file, and the quality of the float and the fine-tuned network."""
        pairs = (
            f"{one.part} {one.measure} {one.float_network:.4g} float, {one.fine_tuned:.4g} quantized"
            for one in self.quality
        )
        return f"quantization of {self.model.file} to {self.output}: {'; '.join(pairs)}"

    @property
    def holds(self) -> bool:
        """Whether every comparison of the conversion holds; true if there was no conversion."""
        return self.conversion is None or self.conversion.holds

    def to_json(self) -> str:
        """The record as JSON; numbers that JSON cannot hold are null."""
        return json.dumps(plain(self), indent=1)
