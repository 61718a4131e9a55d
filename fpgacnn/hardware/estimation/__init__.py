"""What a design costs, before any vendor tool has seen it."""

from __future__ import annotations

from fpgacnn.hardware.estimation.core import estimate
from fpgacnn.hardware.estimation.result import (
    Available,
    Caution,
    Estimate,
    Figure,
    LayerEstimate,
    ProcessSpan,
    ResourceEstimate,
    Shortage,
    Simulated,
    StreamEstimate,
    Totals,
)

__all__ = [
    "Available",
    "Caution",
    "Estimate",
    "Figure",
    "LayerEstimate",
    "ProcessSpan",
    "ResourceEstimate",
    "Shortage",
    "Simulated",
    "StreamEstimate",
    "Totals",
    "estimate",
]
