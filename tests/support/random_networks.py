"""Small random networks of hardware nodes, made from a seed: every operation, several inputs, branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, smallest_format
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.source import MergeKind, PoolKind, Shape

OPERATIONS = (
    *("convolution", "depthwise", "affine", "cast", "relu", "relu_cast", "saturate", "leaky", "threshold"),
    *("pool", "pad", "crop", "upsample", "permute", "merge", "concatenate"),
)
MAX_WIDTH = 24
"""Casts keep random networks below this width, so that twenty more bits still fit the arithmetic."""


def random_network(seed: int, nodes: int = 6) -> HardwareModel:
    """A network of `nodes` random nodes on an image or a line, flattened to a dense layer or pooled at its end."""
    return _Maker(random=np.random.default_rng(seed)).network(f"random{seed}", nodes)


def random_inputs(model: HardwareModel, events: int, seed: int) -> tuple[Codes, ...]:
    """Codes of all inputs: the extremes first, then random ones."""
    random = np.random.default_rng(seed)
    found = []
    for layer, operation in model.input_layers:
        form = operation.format
        codes = random.integers(form.low, form.high, size=(events, *layer.shape), endpoint=True)
        ends = random.integers(0, 2, size=codes.shape, dtype=np.int64) * (form.high - form.low) + form.low
        codes[: events // 2] = ends[: events // 2]
        codes[0], codes[1] = form.low, form.high
        found.append(Codes(array=codes, format=form))
    return tuple(found)


@dataclass(slots=True)
class _Maker:
    random: np.random.Generator
    nodes: list[hw.Layer] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)

    def network(self, name: str, count: int) -> HardwareModel:
        rank = int(self.random.integers(1, 3))
        shape = (*map(int, self.random.integers(4, 7, size=rank)), int(self.random.integers(1, 4)))
        inputs = [
            self._add(hw.Input(format=self._format(8)), (), shape, 8) for _ in range(int(self.random.integers(1, 3)))
        ]
        at = inputs[0]
        for other in inputs[1:]:
            at = self._add(hw.Merge(kind=MergeKind.ADD), (at, other), shape, 12)
        for _ in range(count):
            at = self._step(at)
        end = self._end(at)
        return HardwareModel(
            name=name, source_digest="0", layers=tuple(self.nodes), inputs=tuple(inputs), outputs=(end,)
        )

    def _add(self, operation: hw.Operation, inputs: tuple[str, ...], shape: Shape, width: int) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(hw.Layer(name=name, source=name, operation=operation, inputs=inputs, shape=shape))
        self.widths[name] = width
        return name

    def _shape(self, name: str) -> Shape:
        return next(layer.shape for layer in self.nodes if layer.name == name)

    def _format(self, bits: int, *, modes: bool = False) -> Format:
        width = int(self.random.integers(2, bits + 1))
        form = Format(
            width=width, integer=int(self.random.integers(-1, width + 2)), signed=bool(self.random.random() < 0.5)
        )
        if not modes:
            return form
        rounding, overflow = self.random.choice(list(Rounding)), self.random.choice(list(Overflow))
        return Format(
            width=form.width,
            integer=form.integer,
            signed=form.signed,
            rounding=Rounding(rounding),
            overflow=Overflow(overflow),
        )

    def _codes(self, shape: Shape, bits: int) -> Codes:
        array = self.random.integers(-(1 << (bits - 1)), 1 << (bits - 1), size=shape)
        return Codes(
            array=array, format=smallest_format(int(array.min()), int(array.max()), int(self.random.integers(0, 5)))
        )

    def _step(self, at: str) -> str:
        if self.widths[at] > MAX_WIDTH - 8:
            return self._add(hw.Cast(format=self._format(10, modes=True)), (at,), self._shape(at), 10)
        shape, width = self._shape(at), self.widths[at]
        match str(self.random.choice(OPERATIONS)):
            case "convolution":
                return self._convolution(at)
            case "affine":
                scale, shift = self._codes(shape[-1:], 4), self._codes(shape[-1:], 6)
                return self._add(
                    hw.Affine(scale=scale, shift=shift),
                    (at,),
                    shape,
                    width + 8,
                )
            case "cast":
                return self._add(hw.Cast(format=self._format(10, modes=True)), (at,), shape, 10)
            case "relu":
                return self._add(hw.Relu(), (at,), shape, width)
            case "relu_cast":
                return self._add(hw.Relu(format=self._format(10, modes=True)), (at,), shape, 10)
            case "saturate":
                return self._add(
                    hw.Saturate(integer=int(self.random.integers(0, 6)), fraction=int(self.random.integers(2, 6))),
                    (at,),
                    shape,
                    width + 6,
                )
            case "leaky":
                slope = Codes(
                    array=np.array([1]), format=Format(width=1, integer=-int(self.random.integers(0, 4)), signed=False)
                )
                return self._add(hw.LeakyRelu(slope=slope), (at,), shape, width + 4)
            case "depthwise":
                return self._depthwise(at)
            case "threshold":
                return self._add(hw.ThresholdRelu(threshold=self._codes((1,), 4)), (at,), shape, width + 4)
            case "crop":
                borders = (
                    *((0, 1) if len(shape) == 3 and shape[0] > 1 else (0, 0)),
                    *((1, 0) if shape[-2] > 1 else (0, 0)),
                )
                rows = (shape[0] - borders[1],) if len(shape) == 3 else ()
                return self._add(src.Crop(borders=borders), (at,), (*rows, shape[-2] - borders[2], shape[-1]), width)
            case "upsample":
                factors = (1 if len(shape) == 2 else 2, 2)
                rows = (2 * shape[0],) if len(shape) == 3 else ()
                return self._add(src.Upsample(factors=factors), (at,), (*rows, 2 * shape[-2], shape[-1]), width)
            case "permute":
                axes = tuple(map(int, self.random.permutation(len(shape))))
                return self._add(src.Permute(axes=axes), (at,), tuple(shape[axis] for axis in axes), width)
            case "pool":
                return self._pool(at)
            case "pad":
                pads = (*((0, 0) if len(shape) == 2 else (1, 0)), 1, 1)
                return self._add(
                    src.ZeroPad(pads=pads),
                    (at,),
                    (*([shape[0] + 1] if len(shape) == 3 else []), shape[-2] + 2, shape[-1]),
                    width,
                )
            case "merge":
                other = self._add(hw.Cast(format=self._format(8, modes=True)), (at,), shape, 8)
                kind = MergeKind(str(self.random.choice(list(MergeKind))))
                return self._add(hw.Merge(kind=kind), (at, other), shape, width + 9)
            case _:
                other = self._add(hw.Relu(format=self._format(8, modes=True)), (at,), shape, 8)
                return self._add(
                    src.Concatenate(axis=len(shape) - 1), (at, other), (*shape[:-1], 2 * shape[-1]), width + 6
                )

    def _window(self, shape: Shape) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int], Shape]:
        """A window, its strides, pads and the shape of positions."""
        flat = len(shape) == 2
        height, width = (1, shape[0]) if flat else (shape[0], shape[1])
        size = (1 if flat else min(2, height), min(int(self.random.integers(1, 4)), width))
        strides = (1 if flat else int(self.random.integers(1, 3)), int(self.random.integers(1, 3)))
        pads = (0, 0, 0, 0) if self.random.random() < 0.5 else (0, size[0] - 1, 0, size[1] - 1)
        rows = (height + pads[0] + pads[1] - size[0]) // strides[0] + 1
        columns = (width + pads[2] + pads[3] - size[1]) // strides[1] + 1
        return size, strides, pads, (columns,) if flat else (rows, columns)

    def _convolution(self, at: str) -> str:
        shape = self._shape(at)
        size, strides, pads, positions = self._window(shape)
        filters = int(self.random.integers(1, 4))
        kernel, bias = self._codes((*size, shape[-1], filters), 4), self._codes((filters,), 5)
        operation = hw.Convolution(kernel=kernel, bias=bias, strides=strides, pads=pads)
        return self._add(operation, (at,), (*positions, filters), self.widths[at] + 9)

    def _depthwise(self, at: str) -> str:
        shape = self._shape(at)
        size, strides, pads, positions = self._window(shape)
        kernel, bias = self._codes((*size, shape[-1], 1), 4), self._codes(shape[-1:], 5)
        operation = hw.Depthwise(kernel=kernel, bias=bias, strides=strides, pads=pads)
        return self._add(operation, (at,), (*positions, shape[-1]), self.widths[at] + 7)

    def _pool(self, at: str) -> str:
        shape = self._shape(at)
        size, strides, pads, positions = self._window(shape)
        kind = PoolKind.MAX if self.random.random() < 0.5 else PoolKind.AVERAGE
        return self._add(
            hw.Pool(kind=kind, size=size, strides=strides, pads=pads),
            (at,),
            (*positions, shape[-1]),
            self.widths[at] + 9,
        )

    def _end(self, at: str) -> str:
        at = self._add(hw.Cast(format=self._format(10, modes=True)), (at,), self._shape(at), 10)
        shape = self._shape(at)
        if self.random.random() < 0.4:
            kind = PoolKind.MAX if self.random.random() < 0.5 else PoolKind.AVERAGE
            return self._add(hw.GlobalPool(kind=kind), (at,), shape[-1:], 20)
        flat = self._add(src.Reshape(), (at,), (prod(shape),), 10)
        kernel, bias = self._codes((prod(shape), 3), 4), self._codes((3,), 6)
        return self._add(hw.Dense(kernel=kernel, bias=bias), (flat,), (3,), 20)


def merged(models: Sequence[HardwareModel]) -> HardwareModel:
    """Several networks side by side in one."""
    layers = [
        replace(
            layer,
            name=f"m{number}_{layer.name}",
            source=f"m{number}_{layer.source}",
            inputs=tuple(f"m{number}_{name}" for name in layer.inputs),
        )
        for number, model in enumerate(models)
        for layer in model.layers
    ]
    ends = [
        [f"m{number}_{name}" for number, model in enumerate(models) for name in getattr(model, side)]
        for side in ("inputs", "outputs")
    ]
    return HardwareModel(
        name="merged", source_digest="0", layers=tuple(layers), inputs=tuple(ends[0]), outputs=tuple(ends[1])
    )
