"""From real weights to integer codes, as the framework quantizes them at inference."""

from fpgacnn.passes.quantization.quantize import SoftmaxChoice, quantize

__all__ = ["SoftmaxChoice", "quantize"]
