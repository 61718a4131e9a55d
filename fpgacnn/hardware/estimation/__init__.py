"""Estimate resources and cycles of a design without a vendor tool."""

from __future__ import annotations

from fpgacnn.hardware.estimation.core import estimate
from fpgacnn.hardware.estimation.result import (
    Available,
    Caution,
    Estimate,
    Figure,
    LayerEstimate,
    PartVerdict,
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
    "PartVerdict",
    "ProcessSpan",
    "ResourceEstimate",
    "Shortage",
    "Simulated",
    "StreamEstimate",
    "Totals",
    "estimate",
]
