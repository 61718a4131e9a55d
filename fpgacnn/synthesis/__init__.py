"""Floor 5: the vendor's reports as typed numbers, each with its stage and file, and the vendor's tool."""

from fpgacnn.synthesis.read import read
from fpgacnn.synthesis.report import SynthesisReport

__all__ = ["SynthesisReport", "read"]
