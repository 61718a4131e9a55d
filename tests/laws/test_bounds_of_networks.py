"""Intervals and error bounds of small networks as the file has them, against every input that there is.

Transposed convolutions, tensors that are read twice, padded means, maxima, tables and concatenations behind each other.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgacnn.design import Design, Target
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format
from fpgacnn.ir.source import FloatArray, Shape, SourceLayer, SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.real_networks import MERGES

FORM = Format(width=2, integer=1)
SHAPE = (2, 2, 1)
EVERY = np.array(list(product(range(FORM.low, FORM.high + 1), repeat=4))).reshape(-1, *SHAPE)
"""All inputs of the network, as codes (256, 2, 2, 1)."""

GRID = src.Uniform(scale=np.array([0.25]), low=np.array([-8.0]), high=np.array([7.0]))
Answers = FloatArray


def transposed(
    image: Answers, kernel: FloatArray, stride: tuple[int, int], begin: tuple[int, int], end: Shape
) -> Answers:
    """What every input cell adds to the cells that it reaches, cut to the shape `end`."""
    found = np.zeros((len(image), *end))
    for row, column in product(*map(range, image.shape[1:3])):
        for down, across in product(*map(range, kernel.shape[:2])):
            place = row * stride[0] + down - begin[0], column * stride[1] + across - begin[1]
            if 0 <= place[0] < end[0] and 0 <= place[1] < end[1]:
                found[:, place[0], place[1]] += image[:, row, column] @ kernel[down, across].T
    return found


def pooled(image: Answers, kind: src.PoolKind, size: tuple[int, int], pads: tuple[int, int, int, int]) -> Answers:
    """A maximum or a mean of the cells of every window that are no padding."""
    top, bottom, left, right = pads
    wide = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=np.nan)
    rows, columns = (wide.shape[axis + 1] - size[axis] + 1 for axis in range(2))
    reduce = np.nanmax if kind is src.PoolKind.MAX else np.nanmean
    places = [
        [reduce(wide[:, r : r + size[0], c : c + size[1]], axis=(1, 2)) for c in range(columns)] for r in range(rows)
    ]
    return np.stack([np.stack(line, axis=1) for line in places], axis=1)


class Drawn:
    """A network that grows layer by layer, with its exact answers to every input."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.layers = [SourceLayer(name="x", kind="", operation=src.Input(), inputs=(), shape=SHAPE)]
        self.answers: dict[str, Answers] = {"x": EVERY * FORM.step}

    def add(self, operation: src.SourceOperation, inputs: tuple[str, ...], answers: Answers) -> None:
        name, shape = f"n{len(self.layers)}", tuple(answers.shape[1:])
        self.layers.append(SourceLayer(name=name, kind="", operation=operation, inputs=inputs, shape=shape))
        self.answers[name] = answers

    def grow(self) -> None:
        """One more layer on the last tensor."""
        name = self.layers[-1].name
        x = self.answers[name]
        kind = self.draw(st.sampled_from(["transposed", "pool", "merge", "merge", "concatenate", "table", "table"]))
        if kind == "transposed" and x.shape[1] <= 3:
            self._transposed(name, x)
        elif kind == "pool":
            self._pool(name, x)
        elif kind == "concatenate" and x.shape[-1] <= 2:
            pair = self._pair(name, x)
            self.add(src.Concatenate(axis=2), pair, np.concatenate([self.answers[one] for one in pair], axis=-1))
        elif kind == "table":
            self.add(src.Activate(function=src.Function(kind=src.FunctionKind.TANH)), (name,), np.tanh(x))
        else:
            pair, merge = self._pair(name, x), self.draw(st.sampled_from(list(src.MergeKind)))
            self.add(src.Merge(kind=merge), pair, MERGES[merge](*(self.answers[one] for one in pair)))

    def _pair(self, name: str, x: Answers) -> tuple[str, str]:
        """The tensor and one of its shape, perhaps itself, in either order."""
        like = [other for other, answers in self.answers.items() if answers.shape == x.shape]
        other = self.draw(st.sampled_from(like))
        return (name, other) if self.draw(st.booleans()) else (other, name)

    def _transposed(self, name: str, x: Answers) -> None:
        size, stride = (self.draw(st.tuples(st.integers(1, 3), st.integers(1, 2))) for _ in range(2))
        codes = self.draw(st.lists(st.integers(-8, 7), min_size=6 * x.shape[-1], max_size=6 * x.shape[-1]))
        kernel = np.resize(np.array(codes) / 4, (*size, 2, x.shape[-1]))
        begin = tuple(self.draw(st.integers(0, length - 1)) for length in size)
        end = tuple(
            self.draw(st.integers(1, (x.shape[axis + 1] - 1) * stride[axis] + size[axis] - begin[axis]))
            for axis in range(2)
        )
        operation = src.Transposed(
            kernel=src.Weight(values=kernel, quantizer=GRID), bias=None, strides=stride, begin=(begin[0], begin[1])
        )
        self.add(operation, (name,), transposed(x, kernel, stride, (begin[0], begin[1]), (*end, 2)))

    def _pool(self, name: str, x: Answers) -> None:
        kind = self.draw(st.sampled_from(list(src.PoolKind)))
        size = tuple(self.draw(st.integers(1, min(3, length))) for length in x.shape[1:3])
        top, bottom, left, right = (self.draw(st.integers(0, size[place // 2] - 1)) for place in range(4))
        pads = (top, bottom, left, right)
        operation = src.Pool(kind=kind, size=(size[0], size[1]), strides=(1, 1), pads=pads)
        self.add(operation, (name,), pooled(x, kind, (size[0], size[1]), pads))


@st.composite
def networks(draw: st.DrawFn) -> Drawn:
    drawn = Drawn(draw)
    for _ in range(draw(st.integers(1, 4))):
        drawn.grow()
    return drawn


@settings(max_examples=120, deadline=None)
@given(drawn=networks())
def test_every_answer_to_every_input_lies_within_its_reach_and_its_bound(drawn: Drawn) -> None:
    end = drawn.layers[-1].name
    network = SourceModel(name="m", digest="", framework="", layers=tuple(drawn.layers), inputs=("x",), outputs=(end,))
    model, planned = legalize(quantize(network, inputs=[FORM]))
    found = ReferenceEmulator(Design(model=model, plan=planned, target=Target())).run(
        [Codes(array=EVERY, format=FORM)], trace=True
    )
    for layer in model.layers:
        claimed, values = planned.layers[layer.name], found.trace[layer.name].values
        assert claimed.reach is not None
        assert claimed.reach[0] <= values.min() <= values.max() <= claimed.reach[1], layer.name
        if layer.is_result:
            exact = drawn.answers[layer.source].reshape(values.shape)
            assert np.abs(values - exact).max() <= claimed.error + 1e-12, layer.name
