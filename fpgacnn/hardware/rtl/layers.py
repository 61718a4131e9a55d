"""Each layer of a design as modules of the top level: windows, kernels, FIFOs and folded products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.errors import RtlUnsupportedError
from fpgacnn.hardware.rtl import folding, schedule
from fpgacnn.hardware.rtl.folded import folded_product
from fpgacnn.hardware.rtl.folding import Fold
from fpgacnn.hardware.rtl.kernels import operations as kernels
from fpgacnn.hardware.rtl.kernels import pools
from fpgacnn.hardware.rtl.moves import (
    as_planned,
    as_word,
    becomes_padding,
    cropped,
    joined,
    paced,
    padded,
    rearranged,
    reduced,
    upsampled,
    windows_of,
)
from fpgacnn.hardware.rtl.schedule import Geometry
from fpgacnn.hardware.rtl.stream import Netlist, Stream
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Format
from fpgacnn.ir.hardware import across_channels
from fpgacnn.ir.source import PoolKind

LARGEST_WORD = 4096
"""Most values of a frame that become one word, to change their order by wires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStream:
    """The cells of each window as a stream; `inside` is the wire that says which of them are in the image."""

    stream: Stream
    inside: str


class StreamBuilder:
    """Makes the streams of a design, layer by layer."""

    def __init__(self, design: Design, netlist: Netlist, top: str) -> None:
        self._design, self._netlist, self._top = design, netlist, top
        self.folds: dict[str, Fold] = {}

    def layer(self, layer: hw.Layer, given: Sequence[Stream]) -> Stream:
        """The stream of a layer's result.

        Raises RtlUnsupportedError.
        """
        operation, precision = layer.operation, self._design.plan.layers[layer.name]
        result, name, kernel = precision.result.format, layer.name, f"{self._top}_{layer.name}"
        match operation:
            case hw.Convolution() | hw.Depthwise():
                return self._convolution(layer, operation, given[0])
            case hw.Dense():
                return self._dense(layer, operation, given[0])
            case hw.Cast() | hw.Relu() | hw.Saturate() | hw.LeakyRelu() | hw.ThresholdRelu() | hw.Lookup():
                made = kernels.elementwise(layer, precision, given[0].form, given[0].channels, given[0].tokens, kernel)
                return self._netlist.kernel(made, name, given[0], [given[0].data], result)
            case hw.Affine() | hw.Thresholds():
                stream = (
                    given[0]
                    if len(layer.shape) > 1 or _same_everywhere(operation)
                    else as_word(self._netlist, name, given[0])
                )
                made = kernels.elementwise(layer, precision, stream.form, stream.channels, stream.tokens, kernel)
                return self._netlist.kernel(made, name, stream, [stream.data], result)
            case hw.Pool():
                return self._pool(layer, operation, given[0])
            case hw.GlobalPool():
                return reduced(self._netlist, layer, operation, precision, given[0], kernel)
            case src.Reshape():
                return self._reshape(layer, given[0])
            case src.Crop():
                return cropped(self._netlist, name, given[0], operation.borders)
            case hw.Merge():
                left, right = self._alike(layer, given)
                both = joined(self._netlist, name, [left, right])
                made = kernels.merged(operation.kind, precision, [left.form, right.form], left.channels, kernel)
                return self._netlist.kernel(made, name, both[0], [one.data for one in both], result)
            case src.Concatenate():
                return self._concatenate(layer, operation, given)
            case hw.Softmax():
                stream = given[0] if len(layer.shape) > 1 else as_word(self._netlist, name, given[0])
                made = kernels.softmax(layer, operation.kind, precision, stream.form, stream.channels, kernel)
                return self._netlist.kernel(made, name, stream, [stream.data], result)
            case src.Upsample():
                return upsampled(self._netlist, name, given[0], operation.factors)
            case src.ZeroPad():
                return self._pad(layer, operation, given[0])
            case src.Permute():
                return self._permute(layer, operation, given[0])
            case hw.Input():
                raise AssertionError(layer)
            case _:
                assert_never(operation)

    # --- products ---------------------------------------------------------------------------------------------------

    def _convolution(self, layer: hw.Layer, operation: hw.Convolution | hw.Depthwise, given: Stream) -> Stream:
        full = across_channels(operation.kernel) if isinstance(operation, hw.Depthwise) else operation.kernel
        filters = full.array.shape[-1]
        matrix = full.array.reshape(-1, filters)
        geometry = windows_of(operation, (given.height, given.width), given.border)
        if geometry.why_refused() is not None:  # padding as large as the window, or windows behind the last pixel
            given = padded(self._netlist, layer.name, given, geometry.pads)
            geometry = replace(geometry, height=given.height, width=given.width, pads=(0, 0, 0, 0))
        given = replace(given, border=(0, 0, 0, 0))
        frame = self._netlist.frame_clocks
        fold = self._fold(
            layer,
            matrix,
            len(matrix),
            given,
            lambda clocks: folding.admissible_windows(given.times, geometry, clocks, frame),
        )
        cells = self._windows(layer, given, geometry, 1 if fold is None else fold.clocks, 0).stream
        return self._product(layer, operation, cells, matrix, fold)

    def _dense(self, layer: hw.Layer, operation: hw.Dense, given: Stream) -> Stream:
        matrix = operation.kernel.array
        frame = self._netlist.frame_clocks
        fold = self._fold(
            layer, matrix, given.channels, given, lambda clocks: folding.admissible(given.times, clocks, frame)
        )
        if fold is None:
            word = as_word(self._netlist, layer.name, given)
            return self._product(layer, operation, word, matrix, None)
        given = paced(self._netlist, layer.name, given, fold.clocks)
        return self._product(layer, operation, given, matrix, fold)

    def _fold(
        self, layer: hw.Layer, matrix: CodeArray, word: int, given: Stream, is_admissible: Callable[[int], bool]
    ) -> Fold | None:
        """The fold of a product: the user's reuse factor, else the best one that keeps the interval.

        Raises RtlUnsupportedError where the user's factor costs interval.
        """
        wanted = self._design.reuse(layer.sums_of)
        if wanted == 1:
            return folding.best_fold(matrix, word, given.form, int(given.times[0][0, -1]), is_admissible)
        fold = next((one for one in folding.folds(word) if one.clocks <= wanted), None)
        if fold is None or fold.clocks == 1:
            return None
        if not is_admissible(fold.clocks):
            raise RtlUnsupportedError(
                layer=layer.name, why=f"its tokens are too close for a reuse factor of {wanted}; leave it at 1"
            )
        return fold

    def _product(
        self, layer: hw.Layer, operation: hw.Linear, given: Stream, matrix: CodeArray, fold: Fold | None
    ) -> Stream:
        """A product with a matrix: an adder graph, or folded multipliers."""
        precision, name = self._design.plan.layers[layer.name], layer.name
        kernel = f"{self._top}_{name}"
        if fold is None:
            made = kernels.linear(layer, operation, precision, given.form, matrix, kernel)
            return self._netlist.kernel(made, name, given, [given.data], precision.result.format)
        self.folds[name] = fold
        sums, ends = folded_product(self._netlist, name, given, matrix, fold)
        made = kernels.folded_end(layer, operation, precision, given.form, ends, kernel)
        return self._netlist.kernel(made, name, sums, [sums.data], precision.result.format)

    # --- windows ----------------------------------------------------------------------------------------------------

    def _geometry(
        self,
        layer: hw.Layer,
        given: Stream,
        size: tuple[int, int],
        strides: tuple[int, int],
        pads: tuple[int, int, int, int],
    ) -> Geometry:
        geometry = Geometry(height=given.height, width=given.width, size=size, strides=strides, pads=pads)
        why = geometry.why_refused()
        if why:
            raise RtlUnsupportedError(layer=layer.name, why=why)
        return geometry

    def _windows(self, layer: hw.Layer, given: Stream, geometry: Geometry, pace: int, fill_code: int) -> WindowStream:
        """The windows of an image; none are needed for a kernel of one pixel that reads every pixel."""
        name, cells = layer.name, geometry.size[0] * geometry.size[1]
        if cells == 1 and geometry.strides == (1, 1) and pace == 1:
            return WindowStream(stream=given, inside="1'b1")
        out_times, taken = schedule.window_times(given.times, geometry, pace)
        valid, data, inside, take = (f"{word}_{name}" for word in ("window_valid", "window_data", "inside", "taken"))
        self._netlist.wire(valid, 1)
        self._netlist.wire(data, cells * given.bits)
        self._netlist.wire(inside, cells)
        self._netlist.wire(take, 1)
        source = given
        if pace > 1:
            source = self._netlist.fifo(name, given, take, schedule.fill(given.times, taken))
        parameters: dict[str, object] = {
            "C": given.channels,
            "EW": given.form.width,
            "H": given.height,
            "W": given.width,
            "KH": geometry.size[0],
            "KW": geometry.size[1],
            "SH": geometry.strides[0],
            "SW": geometry.strides[1],
            **dict(zip(("PT", "PB", "PL", "PR"), geometry.pads, strict=True)),
            "PACE": pace,
            "PAD": f"{given.form.width}'h{fill_code & ((1 << given.form.width) - 1):x}",
        }
        self._netlist.module(
            "fpgacnn_window",
            f"window_{name}",
            parameters,
            {
                "in_valid": source.valid,
                "in_data": source.data,
                "in_take": take,
                "out_valid": valid,
                "out_data": data,
                "out_inside": inside,
            },
        )
        stream = replace(
            given,
            height=geometry.rows,
            width=geometry.columns,
            channels=cells * given.channels,
            valid=valid,
            data=data,
            times=out_times,
        )
        return WindowStream(stream=stream, inside=inside)

    def _pool(self, layer: hw.Layer, operation: hw.Pool, given: Stream) -> Stream:
        precision, name = self._design.plan.layers[layer.name], layer.name
        geometry = self._geometry(layer, given, operation.size, operation.strides, operation.pads)
        result = precision.result.format
        plain = operation.strides == operation.size and not any(operation.pads)
        if operation.kind is PoolKind.MAX and plain and result == given.form:
            return self._plain_maximum(name, operation, geometry, given)
        counts = pools.cell_counts(operation, given.height, given.width)
        windows = self._windows(layer, given, geometry, 1, pools.fill_code(operation, given.form))
        made = pools.pooling(operation, precision, given.form, given.channels, counts, f"{self._top}_{name}")
        vectors = [windows.stream.data, *([windows.inside] if len(counts) > 1 else [])]
        return self._netlist.kernel(made, name, windows.stream, vectors, result)

    def _plain_maximum(self, name: str, operation: hw.Pool, geometry: Geometry, given: Stream) -> Stream:
        valid, data = f"valid_{name}", f"data_{name}"
        self._netlist.wire(valid, 1)
        self._netlist.wire(data, given.bits)
        self._netlist.module(
            "fpgacnn_maxpool",
            f"pool_{name}",
            {
                "C": given.channels,
                "EW": given.form.width,
                "H": given.height,
                "W": given.width,
                "KH": operation.size[0],
                "KW": operation.size[1],
                "SIGNED": int(given.form.signed),
            },
            {"in_valid": given.valid, "in_data": given.data, "out_valid": valid, "out_data": data},
        )
        rows = np.arange(geometry.rows) * operation.size[0] + operation.size[0] - 1
        columns = np.arange(geometry.columns) * operation.size[1] + operation.size[1] - 1
        tokens = (rows[:, None] * given.width + columns[None, :]).reshape(-1)
        return replace(
            given,
            height=geometry.rows,
            width=geometry.columns,
            valid=valid,
            data=data,
            times=schedule.later(schedule.chosen(given.times, tokens), 2),
        )

    # --- shapes -----------------------------------------------------------------------------------------------------

    def _reshape(self, layer: hw.Layer, given: Stream) -> Stream:
        """The same tokens with other names: a flat tensor, or an image with as many channels."""
        shape = layer.shape
        if len(shape) == 1:
            return given
        height, width = (1, shape[0]) if len(shape) == 2 else (shape[0], shape[1])
        if shape[-1] == given.channels and height * width == given.tokens:
            return replace(given, height=height, width=width)
        self._refuse_large(layer, given)
        return rearranged(self._netlist, layer.name, given, range(prod(shape)), (height, width, shape[-1]))

    def _refuse_large(self, layer: hw.Layer, given: Stream) -> None:
        if given.tokens * given.channels > LARGEST_WORD:
            raise RtlUnsupportedError(
                layer=layer.name,
                why=f"another order of more than {LARGEST_WORD:,} values needs a frame memory, which is not built",
            )

    def _permute(self, layer: hw.Layer, operation: src.Permute, given: Stream) -> Stream:
        """Another order of the axes, by the wires of one word."""
        self._refuse_large(layer, given)
        before = self._design.model.layer(layer.inputs[0]).shape
        order = np.arange(prod(before)).reshape(before).transpose(operation.axes).reshape(-1)
        shape = (1,) * (3 - len(layer.shape)) + layer.shape
        return rearranged(self._netlist, layer.name, given, order.tolist(), (shape[0], shape[1], shape[2]))

    def _pad(self, layer: hw.Layer, operation: src.ZeroPad, given: Stream) -> Stream:
        """Zeros around an image: padding of the convolutions behind it, or pixels of their own."""
        given = as_planned(self._netlist, layer.name, given, self._design.plan.layers[layer.name])
        if becomes_padding(self._design.model, layer):
            return replace(given, border=operation.pads)
        return padded(self._netlist, layer.name, given, operation.pads)

    def _alike(self, layer: hw.Layer, given: Sequence[Stream]) -> list[Stream]:
        """The streams with the same tokens; flat tensors become words where they are cut in different ways."""
        if len({(one.tokens, one.channels) for one in given}) == 1:
            return list(given)
        if len(layer.shape) > 1:
            raise RtlUnsupportedError(layer=layer.name, why="its inputs come in tokens of different sizes")
        return [as_word(self._netlist, f"{number}_{layer.name}", one) for number, one in enumerate(given)]

    def _concatenate(self, layer: hw.Layer, operation: src.Concatenate, given: Sequence[Stream]) -> Stream:
        precision, name = self._design.plan.layers[layer.name], layer.name
        if operation.axis != len(layer.shape) - 1:
            return self._stack(layer, operation, given)
        if len(layer.shape) == 1:
            streams = [as_word(self._netlist, f"{number}_{name}", one) for number, one in enumerate(given)]
        elif len({one.tokens for one in given}) == 1:
            streams = list(given)
        else:
            raise RtlUnsupportedError(layer=name, why="its inputs come in tokens of different sizes")
        forms: list[Format] = [one.form for one in streams]
        joint = joined(self._netlist, name, streams)
        made = kernels.concatenated(precision, forms, [one.channels for one in streams], f"{self._top}_{name}")
        return self._netlist.kernel(made, name, joint[0], [one.data for one in joint], precision.result.format)

    def _stack(self, layer: hw.Layer, operation: src.Concatenate, given: Sequence[Stream]) -> Stream:
        """Images side by side in space: their words together, in another order."""
        precision, name = self._design.plan.layers[layer.name], layer.name
        words = list[Stream]()
        for number, one in enumerate(given):
            self._refuse_large(layer, one)
            words.append(as_word(self._netlist, f"{number}_{name}", one))
        joint = joined(self._netlist, name, words)
        forms, sizes = [one.form for one in words], [one.channels for one in words]
        made = kernels.concatenated(precision, forms, sizes, f"{self._top}_{name}")
        together = self._netlist.kernel(
            made, name, joint[0], [one.data for one in joint], precision.result.format, role="stack_"
        )
        places, first = list[NDArray[np.int64]](), 0
        for source in layer.inputs:
            before = self._design.model.layer(source).shape
            places.append(np.arange(first, first + prod(before)).reshape(before))
            first += prod(before)
        order = np.concatenate(places, axis=operation.axis).reshape(-1)
        shape = (1,) * (3 - len(layer.shape)) + layer.shape
        return rearranged(self._netlist, name, together, order.tolist(), (shape[0], shape[1], shape[2]))


def _same_everywhere(operation: hw.Affine | hw.Thresholds) -> bool:
    """Whether every channel has the same constants."""
    if isinstance(operation, hw.Affine):
        return operation.scale.array.size == 1 and operation.shift.array.size == 1
    return len(operation.thresholds.array) == 1 and len(operation.values.array) == 1
