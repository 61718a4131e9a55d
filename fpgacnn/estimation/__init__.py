"""Floor 5: what a design costs, before any vendor tool has seen it."""

from __future__ import annotations

from fpgacnn.estimation.core import estimate
from fpgacnn.estimation.result import Available, Caution, Estimate, Figure, LayerCost, Resources, Shortage, Totals

__all__ = ["Available", "Caution", "Estimate", "Figure", "LayerCost", "Resources", "Shortage", "Totals", "estimate"]
