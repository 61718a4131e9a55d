"""The ranges of numbers that functions of the API take."""

from __future__ import annotations

from collections.abc import Mapping

from fpgacnn.system.number_range import NumberRange

MAX_SECONDS = 2e6
"""The longest time limit, 23 days: the kernel waits for at most 2^31 milliseconds."""

LARGEST_WHOLE = (1 << 62) - 1
COMPARED_EVENTS = 1000
"""Most events of `compare-hls4ml`, unless the caller says another number."""

RANGES: Mapping[str, tuple[str, NumberRange]] = {
    "timeout_s": ("a time limit in seconds", NumberRange(1e-3, MAX_SECONDS)),
    "csim_events": ("a number of events for C simulation", NumberRange(0, 1 << 40)),
    "events": ("a number of events", NumberRange(1, 1 << 40)),
    "threads": ("a number of threads", NumberRange(1, 1 << 12)),
    "at_once": ("a number of models at once", NumberRange(1, 1 << 12)),
    "epochs": ("a number of epochs", NumberRange(0, 1 << 31)),
    "batch": ("a batch", NumberRange(1, 1 << 31)),
    "learning_rate": ("a learning rate", NumberRange(0.0, 1e3)),
    "patience": ("a patience in epochs", NumberRange(1, 1 << 31)),
    "sparsity": ("a fraction of zeros", NumberRange(0.0, 0.99)),
    "seed": ("a seed", NumberRange(0, (1 << 32) - 1)),
    "sqnr_db": ("a ratio in dB", NumberRange(0.0, 1e3)),
    "trials": ("a number of trials", NumberRange(1, 1 << 24)),
    "seconds": ("a time in seconds", NumberRange(1e-3, MAX_SECONDS)),
    "workers": ("a number of workers", NumberRange(0, 1 << 10)),
    "tune": ("a number of points", NumberRange(0, 1 << 16)),
    "point": ("the number of a point", NumberRange(0, 1 << 24)),
}
"""Argument -> its name in messages, and its range; other numbers are checked where they are used."""
