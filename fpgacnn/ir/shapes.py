"""Shapes: how many windows fit an image, the zeros of SAME padding, and the shape of every result.

Shapes are without the events axis, channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias, assert_never

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape, SourceLayer

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
    """How many cells at the end of one axis are in no window, because the next window would not fit."""
    return (size + before + after - window) % stride


def same_padding(size: int, window: int, stride: int, *, odd_before: bool = False) -> Pair:
    """The zeros (before, after) that give one window for each `stride` cells (TensorFlow's SAME, ONNX' SAME_UPPER).

    If the number of zeros is odd, one more is after; with `odd_before` (ONNX' SAME_LOWER), one more is before.
    """
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if odd_before else (less, more)


def output_size(width: int, window: int, padding: int = 0, stride: int = 1) -> int:
    """How many windows fit: (W - F + 2P) / S + 1.

    Raises ValueError where that is no whole number; frameworks round it down.
    """
    count = window_count(width, window, stride, padding, padding)
    if count < 1 or unread_cells(width, window, stride, padding, padding):
        formula = f"({width} - {window} + 2*{padding}) / {stride} + 1"
        message = f"{formula} is not a whole positive number: windows do not fill the image"
        raise ValueError(message)
    return count


def unread_borders(layers: Sequence[SourceLayer]) -> tuple[str, ...]:
    """A sentence for each layer whose stride leaves rows or columns at the end of its input unread."""
    shapes = {layer.name: layer.shape for layer in layers}
    found = []
    for layer in layers:
        geometry = _geometry(layer.operation)
        if geometry is None:
            continue
        (window, strides, pads), given = geometry, shapes[layer.inputs[0]]
        lengths = (1, given[0]) if len(given) == 2 else (given[0], given[1])
        rows, columns = (
            unread_cells(length, size, stride, before, after)
            for length, size, stride, (before, after) in zip(
                lengths, window, strides, (pads[:2], pads[2:]), strict=True
            )
        )
        if rows or columns:
            words = " and ".join(
                f"{count} {name}{'s' if count > 1 else ''}"
                for count, name in ((rows, "row"), (columns, "column"))
                if count
            )
            windows = f"windows of {window[0]}x{window[1]} with stride {strides[0]}x{strides[1]}"
            found.append(f"{layer.name}: {windows} leave the last {words} of its input unread")
    return tuple(found)


def _geometry(
    operation: src.SourceOperation,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]] | None:
    """The area of a dilated window, strides and padding; None for operations without windows."""
    match operation:
        case src.Convolution() | src.Depthwise():
            height, width = operation.kernel.values.shape[:2]
            return reach_of((height, width), operation.dilation), operation.strides, operation.pads
        case src.Pool():
            return operation.size, operation.strides, operation.pads
        case _:
            return None


# --- results ---------------------------------------------------------------------------------------------------


def image_of(shape: Shape) -> tuple[int, int, int]:
    """Height, width and channels; height 1 for one-dimensional data.

    Raises ValueError for other shapes.
    """
    match shape:
        case (height, width, channels):
            return height, width, channels
        case (width, channels):
            return 1, width, channels
        case _:
            message = f"not an image, but a shape of {shape}"
            raise ValueError(message)


def result_shape(operation: hw.Operation, given: Sequence[Shape], declared: Shape) -> Shape:
    """The shape of a node's result for inputs of the shapes `given`.

    `declared` is the shape that the node states: that of an input port, and of a reshape, which may be any with as many
    elements. Raises ValueError where the inputs do not fit the operation.
    """
    match operation:
        case hw.Input():
            return declared
        case hw.Convolution() | hw.Depthwise():
            height, width, channels, filters = operation.kernel.array.shape
            outputs = filters if isinstance(operation, hw.Convolution) else channels
            return _windows(given[0], (height, width), operation.strides, operation.pads, outputs)
        case hw.Dense():
            return (operation.kernel.array.shape[1],)
        case hw.Pool():
            return _windows(given[0], operation.size, operation.strides, operation.pads, given[0][-1])
        case hw.GlobalPool():
            *_, channels = image_of(given[0])
            return declared if prod(declared) == declared[-1] == channels else (channels,)
        case src.ZeroPad():
            return _windows(given[0], (1, 1), (1, 1), operation.pads, given[0][-1])
        case src.Crop():
            top, bottom, left, right = (-border for border in operation.borders)
            return _windows(given[0], (1, 1), (1, 1), (top, bottom, left, right), given[0][-1])
        case src.Upsample():
            height, width, channels = image_of(given[0])
            return _like(given[0], height * operation.factors[0], width * operation.factors[1], channels)
        case src.Permute():
            if sorted(operation.axes) != list(range(len(given[0]))):
                message = f"axes of {operation.axes}"
                raise ValueError(message)
            return tuple(given[0][axis] for axis in operation.axes)
        case src.Reshape():
            return declared if prod(declared) == prod(given[0]) else given[0]
        case src.Concatenate():
            return _concatenated(operation.axis, given)
        case hw.Merge():
            if given[0] != given[1]:
                message = f"shapes of {given[0]} and {given[1]}"
                raise ValueError(message)
            return given[0]
        case (
            hw.Affine()
            | hw.Lookup()
            | hw.Thresholds()
            | hw.Cast()
            | hw.Relu()
            | hw.Saturate()
            | hw.LeakyRelu()
            | hw.ThresholdRelu()
            | hw.Softmax()
        ):
            return given[0]
        case _:
            assert_never(operation)


def _windows(given: Shape, size: Pair, strides: Pair, pads: Pads, channels: int) -> Shape:
    height, width, _ = image_of(given)
    if min(*size, *strides) < 1:
        message = f"windows of {size} with strides of {strides}"
        raise ValueError(message)
    return _like(given, *window_counts((height, width), size, strides, pads), channels)


def _like(given: Shape, height: int, width: int, channels: int) -> Shape:
    """Height and width with as many axes as the input has."""
    if len(given) == 3:
        return height, width, channels
    if height != 1:
        message = f"{height} rows of one-dimensional data"
        raise ValueError(message)
    return width, channels


def _concatenated(axis: int, given: Sequence[Shape]) -> Shape:
    first = given[0]
    rests = [one[:axis] + one[axis + 1 :] for one in given]
    if not 0 <= axis < len(first) or any(
        len(one) != len(first) or rest != rests[0] for one, rest in zip(given, rests, strict=True)
    ):
        message = f"shapes that cannot be joined along axis {axis}"
        raise ValueError(message)
    return (*first[:axis], sum(one[axis] for one in given), *first[axis + 1 :])
