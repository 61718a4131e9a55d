"""What a user asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fpgacnn.design import Target
from fpgacnn.quantization import SoftmaxChoice
from fpgacnn.quantization.widths import Widths


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One conversion: the model, the events, the target, and how much is to be proven.

    `input_type` is a format as text for every input. `widths` are for float networks. `float_model` is a float twin whose quality is compared.
    `csim_events` bounds how many events go through C simulation (None: all); 0 leaves C simulation out.
    """

    model: Path
    weights: Path | None = None
    output: Path | None = None
    events: Path | None = None
    input_type: str | None = None
    target: Target = field(default_factory=Target)
    softmax: SoftmaxChoice = SoftmaxChoice.LOGITS
    widths: Widths | None = None
    float_model: Path | None = None
    csim_events: int | None = 1000
    max_events: int | None = 10_000
    seconds: float = 900.0
    keras: bool = False
