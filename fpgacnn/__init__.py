"""fpgacnn: from a trained (Q)Keras CNN file to an HLS project that provably computes what was trained.

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
