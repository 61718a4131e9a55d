"""Convert trained CNNs (Keras, QKeras, HGQ2, ONNX) to HLS projects that compute what was trained.

Every command of the command line is one function here; each returns a frozen record.
"""

from fpgacnn.api import (
    compare,
    convert,
    estimate,
    fit,
    freeze,
    inspect,
    quantize,
    report,
    simulate,
    synth,
    verify,
    verify_locked,
    verify_models,
)

__all__ = [
    "compare",
    "convert",
    "estimate",
    "fit",
    "freeze",
    "inspect",
    "quantize",
    "report",
    "simulate",
    "synth",
    "verify",
    "verify_locked",
    "verify_models",
]
