"""How windows fit images: sizes of results, and what a stride leaves unread without a word from the framework."""

from __future__ import annotations

from collections.abc import Sequence

from fpgacnn.ir import source as src
from fpgacnn.ir.shapes import reach_of, unread_cells, window_count
from fpgacnn.ir.source import SourceLayer


def output_size(width: int, window: int, padding: int = 0, stride: int = 1) -> int:
    """How many windows fit: (W - F + 2P) / S + 1.

    Raises ValueError where that is not whole; frameworks round it down.
    """
    count = window_count(width, window, stride, padding, padding)
    if count < 1 or unread_cells(width, window, stride, padding, padding):
        message = f"({width} - {window} + 2*{padding}) / {stride} + 1 is not a whole positive number: windows do not fill the image"
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
            found.append(
                f"{layer.name}: windows of {window[0]}x{window[1]} with stride {strides[0]}x{strides[1]} leave the last {words} of its input unread"
            )
    return tuple(found)


def _geometry(
    operation: src.SourceOperation,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]] | None:
    """Window with its dilation, strides and padding; None where no window moves."""
    match operation:
        case src.Convolution() | src.Depthwise():
            height, width = operation.kernel.values.shape[:2]
            return reach_of((height, width), operation.dilation), operation.strides, operation.pads
        case src.Pool():
            return operation.size, operation.strides, operation.pads
        case _:
            return None
