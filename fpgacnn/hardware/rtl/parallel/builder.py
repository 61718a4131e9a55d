"""Each layer unrolled: one word holds all values of an event, and the next event follows in the next clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import assert_never

import numpy as np

from fpgacnn.design import Design
from fpgacnn.errors import RtlUnsupportedError
from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.folding import Fold, digits
from fpgacnn.hardware.rtl.kernels import operations as kernels
from fpgacnn.hardware.rtl.kernels import pools
from fpgacnn.hardware.rtl.kernels.module import Kernel
from fpgacnn.hardware.rtl.moves import as_planned, image_of
from fpgacnn.hardware.rtl.parallel import order
from fpgacnn.hardware.rtl.schedule import Geometry
from fpgacnn.hardware.rtl.stream import Netlist, Stream
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.ir.hardware import across_channels

MOST_ADDERS = 60_000
"""Adders, comparisons and multipliers of the largest design that is unrolled."""

LARGEST_SHARING = 10
"""Common terms save less than this factor of the signed digits of a matrix."""


class ParallelBuilder:
    """Makes the words of a design, layer by layer."""

    def __init__(self, design: Design, netlist: Netlist, top: str) -> None:
        self._design, self._netlist, self._top = design, netlist, top
        self._adders = 0
        self.folds: dict[str, Fold] = {}

    def layer(self, layer: hw.Layer, given: Sequence[Stream]) -> Stream:
        """The words of a layer's result.

        Raises RtlUnsupportedError, also where the design becomes too large.
        """
        operation, precision = layer.operation, self._design.plan.layers[layer.name]
        name = f"{self._top}_{layer.name}"
        positions, channels = prod(layer.shape[:-1]), layer.shape[-1]
        match operation:
            case hw.Convolution() | hw.Depthwise():
                return self._convolution(layer, operation, given[0])
            case hw.Dense():
                return self._product(layer, operation, given[0], operation.kernel.array, given[0].data, 1)
            case hw.LeakyRelu() if operation.slope.array.size > 1:
                made = kernels.elementwise(layer, precision, given[0].form, prod(layer.shape), 1, name)
                return self._kernel(layer, made, given[0], [given[0].data], 1)
            case (
                hw.Cast()
                | hw.Relu()
                | hw.Saturate()
                | hw.LeakyRelu()
                | hw.ThresholdRelu()
                | hw.Lookup()
                | hw.Affine()
                | hw.Thresholds()
            ):
                made = kernels.elementwise(layer, precision, given[0].form, channels, positions, name)
                return self._kernel(layer, made, given[0], [given[0].data], positions)
            case hw.Pool():
                return self._pool(layer, operation, given[0])
            case hw.GlobalPool():
                cells = prod(self._shape(layer)[:-1])
                made = pools.whole_image(operation, precision, given[0].form, cells, channels, name)
                return self._kernel(layer, made, given[0], [given[0].data], 1)
            case hw.Merge():
                both = self._together(layer, given)
                forms = [one.form for one in both]
                made = kernels.merged(operation.kind, precision, forms, channels, name)
                return self._kernel(layer, made, both[0], [one.data for one in both], positions)
            case src.Concatenate():
                return self._concatenate(layer, operation, given)
            case hw.Softmax():
                made = kernels.softmax(layer, operation.kind, precision, given[0].form, channels, name)
                return self._kernel(layer, made, given[0], [given[0].data], positions)
            case src.Reshape():
                return given[0]
            case src.Crop() | src.Upsample() | src.ZeroPad() | src.Permute():
                places = order.of_values(operation, self._shape(layer))
                return as_planned(self._netlist, layer.name, self._in_order(layer, given[0], places), precision)
            case hw.Input():
                raise AssertionError(layer)
            case _:
                assert_never(operation)

    def _shape(self, layer: hw.Layer, number: int = 0) -> src.Shape:
        """The shape of a layer's input."""
        return self._design.model.layer(layer.inputs[number]).shape

    # --- arithmetic -------------------------------------------------------------------------------------------------

    def _convolution(self, layer: hw.Layer, operation: hw.Convolution | hw.Depthwise, given: Stream) -> Stream:
        full = across_channels(operation.kernel) if isinstance(operation, hw.Depthwise) else operation.kernel
        height, width, _, filters = full.array.shape
        windows, _ = self._windows(layer, given, (height, width), operation.strides, operation.pads, 0)
        return self._product(layer, operation, given, full.array.reshape(-1, filters), windows, prod(layer.shape[:-1]))

    def _product(
        self, layer: hw.Layer, operation: hw.Linear, given: Stream, matrix: CodeArray, vector: str, copies: int
    ) -> Stream:
        least = digits(matrix) * copies // LARGEST_SHARING
        if least > MOST_ADDERS:  # known before the search for shared terms, which takes long here
            raise _too_large(layer, f"more than {least:,}")
        precision = self._design.plan.layers[layer.name]
        name = f"{self._top}_{layer.name}"
        made = kernels.linear(layer, operation, precision, given.form, matrix, name)
        return self._kernel(layer, made, given, [vector], copies)

    def _pool(self, layer: hw.Layer, operation: hw.Pool, given: Stream) -> Stream:
        height, width, channels = image_of(self._shape(layer))
        counts = pools.cell_counts(operation, height, width)
        fill = pools.fill_code(operation, given.form)
        windows, inside = self._windows(layer, given, operation.size, operation.strides, operation.pads, fill)
        precision = self._design.plan.layers[layer.name]
        made = pools.pooling(operation, precision, given.form, channels, counts, f"{self._top}_{layer.name}")
        vectors = [windows, *([inside] if len(counts) > 1 else [])]
        return self._kernel(layer, made, given, vectors, prod(layer.shape[:-1]))

    def _kernel(self, layer: hw.Layer, kernel: Kernel, given: Stream, vectors: list[str], copies: int) -> Stream:
        """Copies of a kernel, each for its part of the vectors.

        Raises RtlUnsupportedError where the design becomes too large.
        """
        self._adders += kernel.operators * copies
        if self._adders > MOST_ADDERS:
            raise _too_large(layer, f"{self._adders:,}")
        result = self._design.plan.layers[layer.name].result.format
        return self._netlist.kernel(kernel, layer.name, given, vectors, result, copies=copies)

    # --- wires ------------------------------------------------------------------------------------------------------

    def _windows(
        self,
        layer: hw.Layer,
        given: Stream,
        size: tuple[int, int],
        strides: tuple[int, int],
        pads: tuple[int, int, int, int],
        fill_code: int,
    ) -> tuple[str, str]:
        """The wires of all windows of an image side by side, and of which cells are inside of the image."""
        height, width, channels = image_of(self._shape(layer))
        geometry = Geometry(height=height, width=width, size=size, strides=strides, pads=pads)
        cells, positions, bits = prod(size), geometry.rows * geometry.columns, given.form.width
        data, inside = f"window_data_{layer.name}", f"inside_{layer.name}"
        self._netlist.wire(data, positions * cells * channels * bits)
        self._netlist.wire(inside, positions * cells)
        parameters = {
            "C": channels,
            "EW": bits,
            "H": height,
            "W": width,
            "KH": size[0],
            "KW": size[1],
            "SH": strides[0],
            "SW": strides[1],
            "PT": pads[0],
            "PL": pads[2],
            "OH": geometry.rows,
            "OW": geometry.columns,
            "PAD": f"{bits}'h{fill_code & ((1 << bits) - 1):x}",
        }
        values = ", ".join(f".{key}({value})" for key, value in parameters.items())
        self._netlist.lines.append(
            f"  fpgacnn_windows #({values}) u_windows_{layer.name}"
            f" (.in_data({given.data}), .out_data({data}), .out_inside({inside}));"
        )
        return data, inside

    def _concatenate(self, layer: hw.Layer, operation: src.Concatenate, given: Sequence[Stream]) -> Stream:
        """All values of the inputs, each cast to the result, then in the order of the axis."""
        both, precision = self._together(layer, given), self._design.plan.layers[layer.name]
        forms, sizes = [one.form for one in both], [one.channels for one in both]
        made = kernels.concatenated(precision, forms, sizes, f"{self._top}_{layer.name}")
        joint = self._kernel(layer, made, both[0], [one.data for one in both], 1)
        shapes = [self._shape(layer, number) for number in range(len(given))]
        return self._in_order(layer, joint, order.of_parts(shapes, operation.axis))

    def _in_order(self, layer: hw.Layer, given: Stream, places: CodeArray) -> Stream:
        """The values at some places, -1 for a zero; wires only."""
        if np.array_equal(places, np.arange(given.channels)):
            return given
        bits, data = given.form.width, f"order_{layer.name}"
        zero = f"{bits}'d0"
        values = [zero if place < 0 else f"{given.data}[{place * bits} +: {bits}]" for place in places[::-1].tolist()]
        if given.bits == 1:  # a wire of one bit has no parts
            values = [zero if place < 0 else given.data for place in places[::-1].tolist()]
        self._netlist.wire(data, len(places) * bits)
        self._netlist.lines.append(f"  assign {data} = {{{', '.join(values)}}};")
        return replace(given, channels=len(places), data=data)

    def _together(self, layer: hw.Layer, given: Sequence[Stream]) -> list[Stream]:
        """The words of several layers in the same clock; the earlier ones wait in registers."""
        clocks = [int(one.times[0][0, 0]) for one in given]
        last = given[int(np.argmax(clocks))]
        found = list[Stream]()
        for number, (one, clock) in enumerate(zip(given, clocks, strict=True)):
            data, waits = one.data, max(clocks) - clock
            if waits:
                data = f"late_data_{number}_{layer.name}"
                self._netlist.wire(data, one.bits)
                self._netlist.module(
                    "fpgacnn_delay",
                    f"late_{number}_{layer.name}",
                    {"DW": one.bits, "N": waits},
                    {"in_valid": one.valid, "in_data": one.data, "out_valid": "", "out_data": data},
                )
            times = schedule.later(one.times, waits)
            found.append(replace(one, data=data, valid=last.valid, times=times))
        return found


def _too_large(layer: hw.Layer, adders: str) -> RtlUnsupportedError:
    why = f"with --io parallel the design up to it has {adders} adders, and {MOST_ADDERS:,} are built"
    return RtlUnsupportedError(layer=layer.name, why=f"{why}; --io stream builds it pixel by pixel")
