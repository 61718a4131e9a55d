"""How many bits each value gets, why, and whether anything is lost."""

from fpgacnn.passes.precision.fold import fold_casts
from fpgacnn.passes.precision.legalize import legalize
from fpgacnn.passes.precision.plan import Decision, LayerPrecision, PrecisionPlan

__all__ = ["Decision", "LayerPrecision", "PrecisionPlan", "fold_casts", "legalize"]
