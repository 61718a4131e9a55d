"""The plan of a hardware graph that a test makes by hand: its codes are the trained numbers."""

from __future__ import annotations

from fpgacnn.ir.model import QuantizedModel
from fpgacnn.passes.precision import PrecisionPlan
from fpgacnn.passes.precision.plan import Walk


def plan(model: QuantizedModel) -> PrecisionPlan:
    """Lossless formats for every node."""
    walk = Walk()
    for layer in model.layers:
        walk.add(layer)
    return PrecisionPlan(layers=walk.decided)
