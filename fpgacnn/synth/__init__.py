"""Floor 5: the vendor's reports as typed numbers, each with its stage and file, and the vendor's tool."""

from fpgacnn.synth.read import read
from fpgacnn.synth.report import SynthesisReport

__all__ = ["SynthesisReport", "read"]
