"""How windows fit images: the number of windows, and the zeros that SAME padding adds. Readers and validation share it."""

from __future__ import annotations

from typing import TypeAlias

Pair: TypeAlias = tuple[int, int]
"""(height, width)"""

Pads: TypeAlias = tuple[int, int, int, int]
"""Rows above, rows below, columns left, columns right."""


def reach_of(window: Pair, dilation: Pair) -> Pair:
    """The size (height, width) of the area that a dilated window covers."""
    return (window[0] - 1) * dilation[0] + 1, (window[1] - 1) * dilation[1] + 1


def window_count(size: int, window: int, stride: int, before: int = 0, after: int = 0) -> int:
    """How many windows fit along one axis: `floor((size + before + after - window) / stride) + 1`.

    `before` and `after` are cells of padding. The result is below 1 where no window fits.
    """
    return (size + before + after - window) // stride + 1


def window_counts(size: Pair, window: Pair, strides: Pair, pads: Pads) -> Pair:
    """How many rows and columns of windows fit an image; below 1 where none fits."""
    return (
        window_count(size[0], window[0], strides[0], pads[0], pads[1]),
        window_count(size[1], window[1], strides[1], pads[2], pads[3]),
    )


def covered_cells(size: int, window: int, stride: int, before: int = 0, after: int = 0) -> set[int]:
    """How many cells of one axis, without padding, a window can cover; several numbers where padding is inside some."""
    starts = range(-before, size + after - window + 1, stride)
    return {min(start + window, size) - max(start, 0) for start in starts}


def unread_cells(size: int, window: int, stride: int, before: int = 0, after: int = 0) -> int:
    """How many cells at the end of one axis no window covers, because the next window would not fit."""
    return (size + before + after - window) % stride


def same_padding(size: int, window: int, stride: int, *, odd_before: bool = False) -> Pair:
    """The zeros (before, after) with which there is one window for each `stride` cells (TensorFlow's SAME, ONNX' SAME_UPPER).

    An odd number of zeros has one more after; with `odd_before` (ONNX' SAME_LOWER) one more before.
    """
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if odd_before else (less, more)
