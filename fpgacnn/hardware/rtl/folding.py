"""How many clocks a product takes: as many as lie between two tokens, where that saves logic and costs no interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np

from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.kernels.products import signed_digits
from fpgacnn.hardware.rtl.schedule import Geometry, Times
from fpgacnn.ir.fixed_point import CodeArray, Format, signed_bits

LUTS_A_DIGIT = 4.0
"""Look-up tables of an adder graph for each signed digit of its weights, after sharing (measured with Yosys)."""

LUTS_A_MULTIPLIER = 30.0
"""Look-up tables of a multiplier beside its partial products: its share of sum, accumulator and control."""

ROM_BITS_A_LUT = 48.0
LOGIC_DIGITS = 60_000
"""Signed digits of the largest matrix that becomes an adder graph."""

DEEPEST = 4096
"""Words of the deepest FIFO in front of a folded product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A product in `clocks` parts: `elements` of a word are multiplied at once, for all outputs."""

    clocks: int
    elements: int


def digits(matrix: CodeArray) -> int:
    """Signed digits of all weights."""
    values, counts = np.unique(matrix, return_counts=True)
    return sum(sum(1 for _ in signed_digits(int(one))) * int(many) for one, many in zip(values, counts, strict=True))


def logic_cost(matrix: CodeArray) -> float:
    """Look-up tables of the matrix as an adder graph, roughly."""
    return LUTS_A_DIGIT * digits(matrix)


def folded_cost(matrix: CodeArray, word: int, fold: Fold, given: Format) -> float:
    """Look-up tables of the folded product, roughly: multipliers and weights."""
    bits = weight_bits(matrix)
    multipliers = fold.elements * matrix.shape[1]
    lines = len(matrix) // word * fold.clocks
    return multipliers * (2.0 * bits * given.width + LUTS_A_MULTIPLIER) + lines * multipliers * bits / ROM_BITS_A_LUT


def weight_bits(matrix: CodeArray) -> int:
    """Bits of a signed weight."""
    return signed_bits(int(matrix.min()), int(matrix.max()))


def folds(word: int) -> list[Fold]:
    """Every way to cut a word into parts, the most clocks first; equal parts in the fewest clocks."""
    found = {elements: ceil(word / elements) for elements in range(1, word + 1)}
    least = {clocks: elements for elements, clocks in sorted(found.items(), reverse=True)}
    return [Fold(clocks=clocks, elements=least[clocks]) for clocks in sorted(least, reverse=True)]


def admissible(times: Times, clocks: int, frame_clocks: int) -> bool:
    """Whether tokens that take so many clocks each keep the interval of frames."""
    if clocks <= schedule.closest(times):
        return True
    if times[0].shape[1] * clocks > frame_clocks:
        return False
    leaving = schedule.paced(times, clocks)
    return schedule.interval(leaving) == frame_clocks and schedule.fill(times, leaving) <= DEEPEST


def admissible_windows(times: Times, geometry: Geometry, clocks: int, frame_clocks: int) -> bool:
    """Whether a window module that steps only every so many clocks keeps the interval of frames."""
    if times[0].shape[1] * clocks > frame_clocks:
        return False
    windows, taken = schedule.window_times(times, geometry, clocks)
    return schedule.interval(windows) == frame_clocks and schedule.fill(times, taken) <= DEEPEST


def best_fold(
    matrix: CodeArray, word: int, given: Format, latency: int, is_admissible: Callable[[int], bool]
) -> Fold | None:
    """The fold with the smallest product of look-up tables and latency; None where an adder graph takes fewer tables.

    `latency` is the clock of the last token in front of the product.
    """
    logic = logic_cost(matrix)
    needed = digits(matrix) > LOGIC_DIGITS
    costs = [(folded_cost(matrix, word, fold, given), fold) for fold in folds(word) if fold.clocks > 1]
    worth = [(cost * (latency + fold.clocks), fold.clocks, fold) for cost, fold in costs if cost < logic or needed]
    ordered = sorted(worth, key=lambda one: one[:2])
    return next((fold for _, _, fold in ordered if is_admissible(fold.clocks)), None)
