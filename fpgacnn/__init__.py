"""Convert trained CNNs (Keras, QKeras, HGQ2, ONNX) to HLS projects that compute what was trained.

Every command of the command line is one function here; each returns a frozen record. Every error is an FpgacnnError.
"""

from importlib.metadata import version as _version

from fpgacnn.api import (
    board,
    board_report,
    boards,
    compare,
    compare_hls4ml,
    convert,
    demo,
    doctor,
    estimate,
    explain,
    explore,
    fit,
    freeze,
    inspect,
    profile,
    quantize,
    report,
    simulate,
    simulate_to_files,
    synth,
    verify,
    verify_locked,
    verify_models,
)
from fpgacnn.errors import FpgacnnError

__version__ = _version("fpgacnn")

__all__ = [
    "FpgacnnError",
    "__version__",
    "board",
    "board_report",
    "boards",
    "compare",
    "compare_hls4ml",
    "convert",
    "demo",
    "doctor",
    "estimate",
    "explain",
    "explore",
    "fit",
    "freeze",
    "inspect",
    "profile",
    "quantize",
    "report",
    "simulate",
    "simulate_to_files",
    "synth",
    "verify",
    "verify_locked",
    "verify_models",
]


def __dir__() -> list[str]:
    return __all__
