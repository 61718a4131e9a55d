"""Random networks of windows, pools, merges and products for the RTL backend: many small branches in one build."""

from __future__ import annotations

import numpy as np

from fpgacnn.hardware.rtl.schedule import Geometry
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import parse_format
from fpgacnn.ir.source import MergeKind, PoolKind, Shape
from tests.support.networks import Builder

FORMS = ("fixed<5,3>", "ufixed<4,2>", "fixed<6,2>")
CASTS = ("fixed<5,3,RND,SAT>", "ufixed<4,2,RND_CONV,SAT>", "fixed<6,2>", "fixed<4,2,TRN_ZERO,SAT_SYM>")


def random_network(seed: int, branches: int) -> Builder:
    """Branches of one to four random layers, each behind its own input."""
    build = Builder(seed=seed)
    for _ in range(branches):
        _Branch(build).grow()
    return build


class _Branch:
    """A chain of random layers; `shape` is that of its end."""

    def __init__(self, build: Builder) -> None:
        self._build, self._random = build, build.random
        if self._pick(4) == 0:
            self.shape: Shape = (self._between(2, 14), self._between(1, 3))
        else:
            self.shape = (self._between(2, 9), self._between(2, 9), self._between(1, 3))
        self.end = build.input(self.shape, FORMS[self._pick(len(FORMS))])

    def _pick(self, count: int) -> int:
        return int(self._random.integers(count))

    def _between(self, low: int, high: int) -> int:
        return int(self._random.integers(low, high + 1))

    def grow(self) -> None:
        """Random layers, and an output."""
        steps = (
            self._convolve,
            self._convolve,
            self._pool,
            self._residual,
            self._join,
            self._crop,
            self._surround,
            self._repeat,
            self._turn,
            self._compute,
        )
        for _ in range(self._between(1, 3)):
            steps[self._pick(len(steps))]()
        last = (self._flatten, self._mean, self._choose, self._keep, self._keep)
        last[self._pick(len(last))]()
        self._build.end(self.end)

    def _image(self) -> tuple[int, int, int]:
        height, width = (1, self.shape[0]) if len(self.shape) == 2 else self.shape[:2]
        return height, width, self.shape[-1]

    def _windows(self) -> tuple[Geometry, Shape]:
        """Windows that the backend builds, and the shape of their positions."""
        height, width, _ = self._image()
        while True:
            flat = len(self.shape) == 2
            size = (1 if flat else self._between(1, 4), self._between(1, 4))
            strides = (1 if flat else self._between(1, 3), self._between(1, 3))
            pads = (0, 0, 0, 0)
            if self._pick(3):
                rows, columns = self._between(0, size[0] - 1), self._between(0, size[1] - 1)
                top, left = self._between(0, rows), self._between(0, columns)
                pads = (top, rows - top, left, columns - left)
            geometry = Geometry(height=height, width=width, size=size, strides=strides, pads=pads)
            fits = height + pads[0] + pads[1] >= size[0] and width + pads[2] + pads[3] >= size[1]
            if fits and geometry.why_refused() is None:
                return geometry, (geometry.columns,) if flat else (geometry.rows, geometry.columns)

    def _cast(self) -> None:
        form = CASTS[self._pick(len(CASTS))]
        operation = hw.Relu(format=parse_format(form)) if self._pick(2) else hw.Cast(format=parse_format(form))
        self.end = self._build.add(operation, self.shape, self.end)

    def _convolve(self) -> None:
        geometry, places = self._windows()
        channels = self.shape[-1]
        if self._pick(4) == 0:
            self.end = self._build.depthwise(
                self.end,
                (*geometry.size, channels),
                (*places, channels),
                strides=geometry.strides,
                pads=geometry.pads,
            )
            self.shape = (*places, channels)
        else:
            filters = self._between(1, 4)
            self.end = self._build.convolution(
                self.end,
                (*geometry.size, channels, filters),
                (*places, filters),
                strides=geometry.strides,
                pads=geometry.pads,
            )
            self.shape = (*places, filters)
        self._cast()

    def _pool(self) -> None:
        geometry, places = self._windows()
        kind = PoolKind.MAX if self._pick(2) else PoolKind.AVERAGE
        strides = geometry.size if self._pick(2) and not any(geometry.pads) else geometry.strides
        geometry = Geometry(
            height=geometry.height, width=geometry.width, size=geometry.size, strides=strides, pads=geometry.pads
        )
        places = (geometry.columns,) if len(self.shape) == 2 else (geometry.rows, geometry.columns)
        operation = hw.Pool(kind=kind, size=geometry.size, strides=geometry.strides, pads=geometry.pads)
        self.shape = (*places, self.shape[-1])
        self.end = self._build.add(operation, self.shape, self.end)

    def _same(self) -> str:
        """A convolution that keeps the size, so that its answers come later than the values that it reads."""
        size = (1 if len(self.shape) == 2 else 3, 3)
        channels = self.shape[-1]
        pads = (size[0] // 2, size[0] // 2, 1, 1)
        height, width, _ = self._image()
        geometry = Geometry(height=height, width=width, size=size, strides=(1, 1), pads=pads)
        if geometry.why_refused() is not None:
            size, pads = (1, 1), (0, 0, 0, 0)
        sums = self._build.convolution(self.end, (*size, channels, channels), self.shape, pads=pads)
        return self._build.cast(sums, self.shape, "fixed<6,3,RND,SAT>")

    def _residual(self) -> None:
        kinds = list(MergeKind)
        kind = kinds[self._pick(len(kinds))]
        self.end = self._build.add(hw.Merge(kind=kind), self.shape, self.end, self._same())
        self._cast()

    def _join(self) -> None:
        other = self._same()
        total = (*self.shape[:-1], 2 * self.shape[-1])
        self.end = self._build.add(src.Concatenate(axis=len(self.shape) - 1), total, other, self.end)
        self.shape = total

    def _crop(self) -> None:
        height, width, channels = self._image()
        if width < 3 or (len(self.shape) == 3 and height < 3):
            return
        rows = (0, 0) if len(self.shape) == 2 else (self._pick(2), self._pick(2))
        columns = (self._pick(2), self._pick(2))
        places = (width - sum(columns),) if len(self.shape) == 2 else (height - sum(rows), width - sum(columns))
        self.shape = (*places, channels)
        self.end = self._build.add(src.Crop(borders=(*rows, *columns)), self.shape, self.end)

    def _surround(self) -> None:
        """Zeros around the image; a convolution behind them may take them as its padding."""
        rows = (0, 0) if len(self.shape) == 2 else (self._pick(3), self._pick(4))
        columns = (self._pick(4), self._pick(3))
        height, width, channels = self._image()
        places = (height + sum(rows), width + sum(columns))
        self.shape = (*places[2 - len(self.shape) + 1 :], channels)
        self.end = self._build.add(src.ZeroPad(pads=(*rows, *columns)), self.shape, self.end)

    def _repeat(self) -> None:
        factors = (1 if len(self.shape) == 2 else self._between(1, 2), self._between(1, 3))
        height, width, channels = self._image()
        if height * width > 40:
            return
        places = (height * factors[0], width * factors[1])
        self.shape = (*places[2 - len(self.shape) + 1 :], channels)
        self.end = self._build.add(src.Upsample(factors=factors), self.shape, self.end)

    def _turn(self) -> None:
        """Another order of the axes, or another shape of the same values."""
        axes = tuple(int(one) for one in self._random.permutation(len(self.shape)))
        turned = tuple(self.shape[axis] for axis in axes)
        operation = src.Permute(axes=axes) if self._pick(2) else src.Reshape()
        self.shape = turned
        self.end = self._build.add(operation, self.shape, self.end)

    def _compute(self) -> None:
        """An operation on single values."""
        threshold = self._build.codes((1,), "ufixed<3,1>")
        slopes = self._build.codes((1,), "fixed<4,1>")
        kind = self._pick(4)
        if kind == 0:
            self.end = self._build.affine(self.end, self.shape)
        else:
            operations = (hw.LeakyRelu(slope=slopes), hw.ThresholdRelu(threshold=threshold), hw.Relu())
            self.end = self._build.add(operations[kind - 1], self.shape, self.end)
        self._cast()

    def _choose(self) -> None:
        self._cast()
        self.end = self._build.add(hw.Softmax(kind=list(hw.SoftmaxKind)[self._pick(2)]), self.shape, self.end)

    def _flatten(self) -> None:
        size = int(np.prod(self.shape))
        self.end = self._build.add(src.Reshape(), (size,), self.end)
        units = self._between(1, 12)
        self.end = self._build.dense(self.end, size, units)
        self.shape = (units,)

    def _mean(self) -> None:
        kind = PoolKind.MAX if self._pick(2) else PoolKind.AVERAGE
        self.shape = self.shape[-1:]
        self.end = self._build.add(hw.GlobalPool(kind=kind), self.shape, self.end)

    def _keep(self) -> None:
        return
