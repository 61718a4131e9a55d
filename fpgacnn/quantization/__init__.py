"""Floor 3: from real weights to integer codes, as the framework quantizes them at inference."""

from fpgacnn.quantization.build import SoftmaxChoice, quantize

__all__ = ["SoftmaxChoice", "quantize"]
