"""Vendor reports as typed numbers with their stage and file, and the vendor's synthesis tool."""

from fpgacnn.hardware.synthesis.read import read
from fpgacnn.hardware.synthesis.report import SynthesisReport

__all__ = ["SynthesisReport", "read"]
