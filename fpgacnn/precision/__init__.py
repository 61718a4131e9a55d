"""Floor 3: how many bits carry each value, why, and whether anything is lost."""

from fpgacnn.precision.plan import Decision, LayerPrecision, PrecisionPlan, plan
from fpgacnn.precision.refine import refine

__all__ = ["Decision", "LayerPrecision", "PrecisionPlan", "plan", "refine"]
