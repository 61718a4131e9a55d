"""The vendor's reports as typed numbers, each with its stage and file, and the vendor's tool."""

from fpgacnn.hardware.synthesis.read import read
from fpgacnn.hardware.synthesis.report import SynthesisReport

__all__ = ["SynthesisReport", "read"]
