"""Small hardware graphs for tests: many branches in one network, so that one g++ run checks them all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import permutations

import numpy as np

from fpgacnn.design import Design, IoType, Target
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, parse_format, quantize_values
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.source import MergeKind, PoolKind, Shape
from fpgacnn.passes.precision import Decision
from fpgacnn.pipeline.test_vectors import make_vectors
from tests.support.planned import plan


@dataclass(slots=True, kw_only=True)
class Builder:
    """Grows a network of independent branches, each with its own input."""

    seed: int
    nodes: list[hw.Layer] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    accumulators: dict[str, Format] = field(default_factory=dict)
    results: dict[str, Format] = field(default_factory=dict)
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def input(self, shape: Shape, form: str = "fixed<6,2>") -> str:
        """A new input."""
        name = self.add(hw.Input(format=parse_format(form)), shape)
        self.inputs.append(name)
        return name

    def add(self, operation: hw.Operation, shape: Shape, *inputs: str) -> str:
        """A node behind others."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(hw.Layer(name=name, source=name, operation=operation, inputs=inputs, shape=shape))
        return name

    def codes(self, shape: Shape, form: str = "fixed<5,1>") -> Codes:
        """Random weights."""
        fixed = parse_format(form)
        return Codes(array=self.random.integers(fixed.low, fixed.high, size=shape, endpoint=True), format=fixed)

    def convolution(
        self,
        source: str,
        kernel: Shape,
        shape: Shape,
        *,
        strides: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> str:
        """A convolution with random weights."""
        operation = hw.Convolution(
            kernel=self.codes(kernel), bias=self.codes(kernel[-1:], "fixed<7,3>"), strides=strides, pads=pads
        )
        return self.add(operation, shape, source)

    def dense(self, source: str, inputs: int, outputs: int) -> str:
        """A dense layer with random weights."""
        return self.add(
            hw.Dense(kernel=self.codes((inputs, outputs)), bias=self.codes((outputs,), "fixed<7,3>")),
            (outputs,),
            source,
        )

    def affine(self, source: str, shape: Shape) -> str:
        """A scale and shift for every channel."""
        scale, shift = self.codes(shape[-1:], "fixed<9,2>"), self.codes(shape[-1:], "fixed<11,3>")
        operation = hw.Affine(scale=scale, shift=shift)
        return self.add(operation, shape, source)

    def depthwise(
        self,
        source: str,
        kernel: Shape,
        shape: Shape,
        *,
        strides: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> str:
        """A depthwise convolution with random weights."""
        operation = hw.Depthwise(
            kernel=self.codes((*kernel, 1)), bias=self.codes(kernel[-1:], "fixed<7,3>"), strides=strides, pads=pads
        )
        return self.add(operation, shape, source)

    def leaky(self, source: str, shape: Shape, slopes: Shape) -> str:
        """A leaky ReLU with one random slope or one for each element."""
        slope = self.codes(slopes, "fixed<4,1>")
        return self.add(hw.LeakyRelu(slope=slope), shape, source)

    def thresholds(self, given: str, rows: int, levels: int) -> hw.Thresholds:
        """A step function with random thresholds, some of them equal, and random values."""
        form = parse_format(given)
        edges = np.sort(
            self.random.integers(form.low, form.high, size=(rows, (1 << levels) - 1), endpoint=True), axis=1
        )
        edges[:, -1] = edges[:, edges.shape[1] // 2]
        edges = Codes(array=np.sort(edges, axis=1), format=form)
        return hw.Thresholds(thresholds=edges, values=self.codes((rows, 1 << levels), "fixed<7,3>"))

    def cast(self, source: str, shape: Shape, form: str) -> str:
        """A cast."""
        return self.add(hw.Cast(format=parse_format(form)), shape, source)

    def end(self, name: str) -> None:
        """Make a node an output."""
        self.outputs.append(name)

    def design(self, io: IoType, **target: object) -> Design:
        """The network with its lossless plan, and the formats that a test overrides."""
        model = HardwareModel(
            name="test",
            source_digest="0" * 64,
            layers=tuple(self.nodes),
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
        )
        made = plan(model)
        layers = dict(made.layers)
        for name, form in self.accumulators.items():
            layers[name] = replace(layers[name], accumulator=Decision(format=form, reason="test"))
        for name, form in self.results.items():
            layers[name] = replace(layers[name], result=Decision(format=form, reason="test"))
        return Design(model=model, plan=replace(made, layers=layers), target=Target(io=io, **target))  # type: ignore[arg-type]

    def events(self, count: int) -> list[Codes]:
        """Random, extreme and coarse codes for every input."""
        found = []
        for number, name in enumerate(self.inputs):
            layer = next(node for node in self.nodes if node.name == name)
            assert isinstance(layer.operation, hw.Input)
            form = layer.operation.format
            values = make_vectors(form, layer.shape, count, seed=self.seed + number)
            found.append(Codes(array=quantize_values(values, form), format=form))
        return found


MODES = [(rounding, overflow) for rounding in Rounding for overflow in Overflow]


def linear_layers(build: Builder) -> None:
    """Convolutions of both ranks and dense layers in all shapes that hls4ml treats differently."""
    image = (6, 5, 3)
    build.end(build.convolution(build.input(image), (3, 3, 3, 2), (4, 3, 2)))
    build.end(build.convolution(build.input(image, "ufixed<5,0>"), (3, 2, 3, 4), (6, 5, 4), pads=(1, 1, 0, 1)))
    build.end(build.convolution(build.input(image), (3, 3, 3, 2), (3, 2, 2), strides=(2, 3), pads=(0, 1, 1, 0)))
    build.end(build.convolution(build.input(image), (1, 1, 3, 4), (6, 5, 4)))
    build.end(build.convolution(build.input(image), (1, 1, 3, 2), (3, 3, 2), strides=(2, 2)))
    sequence = (9, 2)
    build.end(build.convolution(build.input(sequence), (1, 3, 2, 3), (7, 3)))
    build.end(build.convolution(build.input(sequence), (1, 4, 2, 3), (9, 3), pads=(0, 0, 3, 0)))
    build.end(build.convolution(build.input(sequence), (1, 3, 2, 3), (5, 3), strides=(1, 2), pads=(0, 0, 1, 1)))
    build.end(build.convolution(build.input(sequence), (1, 1, 2, 3), (9, 3)))
    build.end(build.dense(build.input((7,)), 7, 4))
    build.end(build.depthwise(build.input(image), (3, 2, 3), (4, 4, 3)))
    build.end(
        build.depthwise(build.input(image, "ufixed<5,0>"), (3, 3, 3), (3, 3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
    )
    build.end(build.depthwise(build.input(sequence), (1, 3, 2), (9, 2), pads=(0, 0, 1, 1)))
    hidden = build.dense(build.input((5,), "ufixed<4,4>"), 5, 6)
    build.end(build.dense(build.cast(hidden, (6,), "fixed<6,6,RND_CONV,SAT>"), 6, 3))


def few_channels(build: Builder) -> None:
    """Convolutions over one or two channels, whose windows have their rows side by side in memory."""
    for form in ("ufixed<8,0>", "fixed<8,3>"):
        image = (8, 7, 1)
        build.end(build.convolution(build.input(image, form), (3, 3, 1, 20), (6, 5, 20)))
        build.end(build.convolution(build.input(image, form), (3, 3, 1, 20), (8, 7, 20), pads=(1, 1, 1, 1)))
        strides = (2, 2)
        build.end(
            build.convolution(build.input(image, form), (3, 3, 1, 20), (4, 4, 20), strides=strides, pads=(1, 0, 2, 0))
        )
        build.end(build.convolution(build.input((12, 1), form), (1, 5, 1, 20), (12, 20), pads=(0, 0, 1, 3)))
        two = build.convolution(build.input((6, 8, 2), form), (3, 5, 2, 20), (4, 4, 20))
        build.end(build.add(HALVED, (2, 2, 20), two))


def wide_layers(build: Builder) -> None:
    """Numbers and sums that 32 bits do not hold, of inputs of 16 bits and of more."""

    def weights(shape: Shape, form: str) -> Codes:
        return build.codes(shape, form)

    for form, weight in (
        ("fixed<16,6>", "fixed<16,2>"),
        ("fixed<20,6>", "fixed<16,2>"),
        ("ufixed<8,0>", "fixed<24,2>"),
        ("fixed<36,9>", "fixed<6,1>"),
    ):
        vector, image = build.input((9,), form), build.input((4, 4, 3), form)
        bias = build.codes((4,), "fixed<20,3>")
        build.end(build.add(hw.Dense(kernel=weights((9, 4), weight), bias=bias), (4,), vector))
        kernel = weights((2, 2, 3, 4), weight)
        sums = build.add(hw.Convolution(kernel=kernel, bias=bias, strides=(1, 1), pads=(1, 0, 1, 0)), (4, 4, 4), image)
        build.end(build.cast(sums, (4, 4, 4), "fixed<12,6,RND_CONV,SAT>"))
        pooled = hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0))
        again = build.add(hw.Convolution(kernel=kernel, bias=bias, strides=(1, 1), pads=(1, 0, 1, 0)), (4, 4, 4), image)
        build.end(build.add(pooled, (2, 2, 4), build.cast(again, (4, 4, 4), "fixed<12,6,RND,SAT>")))
        build.end(
            build.add(
                hw.Depthwise(
                    kernel=weights((2, 2, 3, 1), weight), bias=bias_of(bias, 3), strides=(1, 1), pads=(0, 0, 0, 0)
                ),
                (3, 3, 3),
                image,
            )
        )
    build.end(
        build.add(
            hw.Dense(kernel=build.codes((5, 2), "fixed<36,3>"), bias=build.codes((2,), "fixed<36,3>")),
            (2,),
            build.input((5,), "fixed<6,2>"),
        )
    )
    build.end(build.affine(build.input((4, 3), "fixed<30,9>"), (4, 3)))
    build.end(
        build.cast(build.affine(build.input((4, 3), "fixed<30,9>"), (4, 3)), (4, 3), "fixed<9,4,RND_INF,SAT_SYM>")
    )
    build.end(build.leaky(build.input((6,), "fixed<34,9>"), (6,), (1,)))
    build.end(build.add(hw.GlobalPool(kind=PoolKind.AVERAGE), (2,), build.input((3, 5, 2), "fixed<33,5>")))
    build.end(
        build.add(
            hw.Merge(kind=MergeKind.MULTIPLY), (6,), build.input((6,), "fixed<20,5>"), build.input((6,), "fixed<18,5>")
        )
    )


def bias_of(bias: Codes, channels: int) -> Codes:
    """The first few of a bias."""
    return Codes(array=bias.array[:channels], format=bias.format)


def odd_accumulators(build: Builder) -> None:
    """Accumulators that round each product or saturate, which no plan of ours makes but the semantics cover."""
    for rounding, overflow in [
        (Rounding.TRN, Overflow.WRAP),
        (Rounding.RND_CONV, Overflow.SAT),
        (Rounding.RND_ZERO, Overflow.SAT_SYM),
        (Rounding.TRN_ZERO, Overflow.WRAP),
    ]:
        form = Format(width=8, integer=4, rounding=rounding, overflow=overflow)
        dense = build.dense(build.input((6,)), 6, 5)
        convolution = build.convolution(build.input((4, 4, 2)), (2, 2, 2, 3), (3, 3, 3))
        for name in (dense, convolution):
            build.accumulators[name] = form
            build.results[name] = Format(width=7, integer=3, rounding=Rounding.RND, overflow=overflow)
            build.end(name)


HALVED = hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0))


def narrow_accumulators(build: Builder) -> None:
    """Accumulators of at most 16 bits that cast each product, as kernels add two output channels in a lane."""
    for given in ("ufixed<6,1>", "ufixed<8,0>", "fixed<8,3>"):
        for text in (
            "fixed<9,5>",
            "fixed<16,6>",
            "fixed<10,4,RND,SAT>",
            "fixed<7,2,TRN,SAT>",
            "fixed<16,5,RND,SAT>",
            "ufixed<8,4,RND>",
        ):
            dense = build.dense(build.input((9,), given), 9, 5)
            convolution = build.convolution(build.input((5, 5, 3), given), (2, 2, 3, 7), (4, 4, 7))
            for name in (dense, convolution):
                build.accumulators[name] = parse_format(text)
                build.results[name] = Format(width=7, integer=3, rounding=Rounding.RND, overflow=Overflow.SAT)
            build.end(dense)
            build.end(
                build.add(
                    hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0)), (2, 2, 7), convolution
                )
            )


def byte_sums(build: Builder) -> None:
    """Sums of byte products that fit in 16 bits, and that do not, with scales whose products need 64 bits behind."""
    for width in (4, 7):
        dense = build.add(
            hw.Dense(kernel=build.codes((150, 9), f"fixed<{width},1>"), bias=build.codes((9,), "fixed<7,3>")),
            (9,),
            build.input((150,), "ufixed<8,0>"),
        )
        build.end(dense)
        scales = ("ufixed<26,2>", "fixed<28,3>", "fixed<28,3>", "fixed<20,-36>")
        for number, rounding in enumerate((Rounding.RND_CONV, Rounding.RND, Rounding.TRN, Rounding.RND)):
            convolution = build.convolution(build.input((6, 6, 3), "ufixed<8,0>"), (3, 3, 3, 6), (4, 4, 6))
            pool = build.add(HALVED, (2, 2, 6), convolution)
            shift = "fixed<20,-36>" if number == 3 else "fixed<30,9>"
            scale = hw.Affine(scale=build.codes((6,), scales[number]), shift=build.codes((6,), shift))
            integer = -30 if number == 3 else 4
            build.results[f"n{len(build.nodes)}"] = Format(
                width=width, integer=integer, rounding=rounding, overflow=Overflow.SAT, signed=number != 1
            )
            build.end(build.add(scale, (2, 2, 6), pool))


def wraps_before_maxima(build: Builder) -> None:
    """Sums of bytes of which the bias makes about a half wrap in 32 bits, before a maximum."""
    source = build.input((4, 4, 4), "ufixed<8,8>")
    kernel = Codes(array=np.full((1, 1, 4, 4), 3), format=parse_format("fixed<4,4>"))
    bias = Codes(array=np.full(4, 2**31 - 1530), format=parse_format("fixed<32,32>"))
    layer = build.add(hw.Convolution(kernel=kernel, bias=bias, strides=(1, 1), pads=(0, 0, 0, 0)), (4, 4, 4), source)
    pool = build.add(HALVED, (2, 2, 4), layer)
    for name in (layer, pool):
        build.results[name] = build.accumulators[name] = parse_format("fixed<32,32>")
    build.end(pool)


def casts(build: Builder) -> None:
    """Every rounding and overflow mode, as a cast and as a ReLU with a format."""
    for number, (rounding, overflow) in enumerate(MODES):
        source = build.input((16,), "fixed<10,5>")
        form = Format(width=5, integer=3, signed=number % 3 != 0, rounding=rounding, overflow=overflow)
        operation = hw.Relu(format=form) if number % 5 == 1 else hw.Cast(format=form)
        build.end(build.add(operation, (16,), source))


def elementwise(build: Builder) -> None:
    """Scales, activations and merges on images, sequences and vectors."""
    image, sequence, vector = (4, 3, 2), (5, 3), (6,)
    for shape in (image, sequence, vector):
        build.end(build.affine(build.input(shape), shape))
        build.end(build.add(hw.Relu(), shape, build.input(shape)))
        build.end(build.leaky(build.input(shape), shape, (1,)))
        build.end(build.leaky(build.input(shape), shape, shape))
        build.end(build.add(hw.ThresholdRelu(threshold=build.codes((1,), "ufixed<3,0>")), shape, build.input(shape)))
        form = parse_format("fixed<6,2>")
        table = hw.Lookup(table=build.codes((64,), "fixed<7,1>"))
        build.end(build.add(table, shape, build.input(shape, str(form))))
        for form, rows, levels in (
            ("fixed<13,4>", 1, 3),
            ("ufixed<9,2>", shape[-1], 2),
            ("fixed<45,20>", shape[-1], 4),
            ("ufixed<33,3>", 1, 1),
        ):
            build.end(build.add(build.thresholds(form, rows, levels), shape, build.input(shape, form)))
        build.end(build.add(hw.Saturate(integer=2, fraction=0), shape, build.input(shape, "fixed<9,5>")))
        left, right = build.input(shape), build.input(shape, "ufixed<5,3>")
        build.end(build.add(hw.Merge(kind=MergeKind.ADD), shape, left, right))
        for kind in MergeKind:
            build.end(build.add(hw.Merge(kind=kind), shape, build.input(shape), build.input(shape, "fixed<5,4>")))
    same = build.add(hw.Relu(), image, build.input(image))
    build.end(build.add(hw.Merge(kind=MergeKind.ADD), image, same, same))


def sums_and_casts(build: Builder) -> dict[str, str]:
    """Every operation that can cast its exact result, and a ReLU or a quantizer behind it; by the name of the last."""
    image, vector = (4, 4, 2), (6,)
    relu, limited, finer = "ufixed<4,2,RND_CONV,SAT>", "fixed<5,3,RND_CONV,SAT_SYM>", "fixed<6,3,TRN,WRAP>"
    found: dict[str, str] = {}

    def behind(source: str, shape: Shape, form: str | None, *, rectifies: bool = True) -> None:
        cast = None if form is None else parse_format(form)
        operation = hw.Relu(format=cast) if rectifies else hw.Cast(format=cast or Format(width=1, integer=1))
        name = build.add(operation, shape, source)
        build.end(name)
        found[name] = source

    for form in (relu, None):
        behind(build.convolution(build.input(image), (3, 3, 2, 3), (2, 2, 3)), (2, 2, 3), form)
        behind(build.depthwise(build.input(image), (3, 3, 2), (4, 4, 2), pads=(1, 1, 1, 1)), image, form)
        behind(build.dense(build.input(vector), 6, 4), (4,), form)
        behind(build.affine(build.input(image), image), image, form)
        behind(build.add(hw.Merge(kind=MergeKind.ADD), image, build.input(image), build.input(image)), image, form)
    for kind in MergeKind:
        merge = hw.Merge(kind=kind)
        behind(build.add(merge, vector, build.input(vector), build.input(vector, "fixed<5,4>")), vector, relu)
    for form in (limited, finer):
        behind(build.convolution(build.input(image), (1, 1, 2, 3), (4, 4, 3)), (4, 4, 3), form, rectifies=False)
        behind(build.leaky(build.input(image), image, (1,)), image, form, rectifies=False)
        behind(build.add(hw.Relu(), image, build.input(image)), image, form, rectifies=False)
        threshold = hw.ThresholdRelu(threshold=build.codes((1,), "ufixed<3,0>"))
        behind(build.add(threshold, image, build.input(image)), image, form, rectifies=False)
        joined = build.add(src.Concatenate(axis=2), (4, 4, 4), build.input(image), build.input(image, "ufixed<5,4>"))
        behind(joined, (4, 4, 4), form, rectifies=False)
    return found


def casts_behind_moves(build: Builder) -> None:
    """Quantizers, ReLUs and quantized scales behind operations that only move values, or choose the largest."""
    relu, narrow = parse_format("ufixed<4,2,RND_CONV,SAT>"), parse_format("fixed<3,2,RND,SAT>")
    pads = (0, 0, 0, 0)

    def sums(channels: int, size: int = 4) -> str:
        return build.convolution(build.input((size, size, 2)), (1, 1, 2, channels), (size, size, channels))

    def line(channels: int) -> hw.Affine:
        scale, shift = build.codes((channels,), "fixed<9,2>"), build.codes((channels,), "fixed<11,3>")
        return hw.Affine(scale=scale, shift=shift, format=narrow)

    for operation in (hw.Relu(format=relu), hw.Cast(format=narrow), line(5)):
        joined = build.add(src.Concatenate(axis=2), (4, 4, 5), sums(3), sums(2))
        build.end(build.add(operation, (4, 4, 5), joined))
        wider = build.add(src.Concatenate(axis=2), (4, 4, 5), sums(3), build.input((4, 4, 2), "ufixed<3,1>"))
        build.end(build.add(operation, (4, 4, 5), wider))
    rows = build.add(src.Concatenate(axis=0), (8, 4, 3), sums(3), sums(3))
    build.end(build.add(line(3), (8, 4, 3), rows))
    three = build.add(src.Concatenate(axis=2), (4, 4, 5), sums(3), sums(2))
    three = build.add(src.Concatenate(axis=2), (4, 4, 6), three, sums(1))
    build.end(build.add(hw.Relu(format=relu), (4, 4, 6), three))
    largest = hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=pads)
    for operation in (
        hw.Relu(format=relu),
        hw.Cast(format=narrow),
        hw.Cast(format=parse_format("fixed<3,2,RND,WRAP>")),
    ):
        build.end(build.add(operation, (2, 2, 3), build.add(largest, (2, 2, 3), sums(3))))
    padded = hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 1, 0, 1))
    build.end(build.add(hw.Cast(format=narrow), (3, 3, 3), build.add(padded, (3, 3, 3), sums(3, size=5))))
    for moved, shape in (
        (src.ZeroPad(pads=(1, 1, 0, 2)), (6, 6, 3)),
        (src.Upsample(factors=(2, 2)), (8, 8, 3)),
        (src.Crop(borders=(1, 0, 0, 1)), (3, 3, 3)),
        (src.Permute(axes=(1, 0, 2)), (4, 4, 3)),
    ):
        for operation in (hw.Relu(format=relu), line(3)):
            build.end(build.add(operation, shape, build.add(moved, shape, sums(3))))
    flat = build.add(hw.Relu(format=relu), (48,), build.add(src.Reshape(), (48,), sums(3)))
    build.end(build.dense(flat, 48, 2))


def step_functions(build: Builder) -> None:
    """Step functions after sums, scales and flattened images, before maxima and sums, with one row or several."""
    image, sequence, vector = (5, 4, 3), (6, 2), (7,)
    for form, per_channel in (
        ("fixed<9,3>", True),
        ("fixed<26,8>", True),
        ("ufixed<12,2>", False),
        ("fixed<40,9>", True),
    ):
        for shape in (image, sequence, vector):
            rows = shape[-1] if per_channel else 1
            steps = build.add(
                build.thresholds(form, rows, 3), shape, build.cast(build.input(shape, "fixed<20,6>"), shape, form)
            )
            build.end(steps)
    sums = build.cast(build.convolution(build.input((6, 6, 2)), (3, 3, 2, 4), (4, 4, 4)), (4, 4, 4), "fixed<14,5>")
    steps = build.add(build.thresholds("fixed<14,5>", 4, 4), (4, 4, 4), sums)
    build.end(build.add(hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0)), (2, 2, 4), steps))
    build.end(build.convolution(build.add(hw.Relu(), (4, 4, 4), steps), (2, 2, 4, 3), (3, 3, 3)))
    sums = build.cast(build.depthwise(build.input((5, 5, 3)), (2, 2, 3), (4, 4, 3)), (4, 4, 3), "fixed<13,5>")
    build.end(build.add(build.thresholds("fixed<13,5>", 3, 2), (4, 4, 3), sums))
    flat = build.add(src.Reshape(), (12,), build.input((2, 3, 2), "fixed<13,5>"))
    steps = build.add(build.thresholds("fixed<13,5>", 12, 2), (12,), flat)
    build.end(build.dense(steps, 12, 3))


def shapes(build: Builder) -> None:
    """Padding, reshaping and concatenation along every axis."""
    build.end(build.add(src.ZeroPad(pads=(1, 2, 0, 3)), (6, 6, 2), build.input((3, 3, 2))))
    build.end(build.add(src.ZeroPad(pads=(0, 0, 2, 1)), (7, 2), build.input((4, 2))))
    flat = build.add(src.Reshape(), (12,), build.input((2, 3, 2)))
    build.end(build.dense(flat, 12, 3))
    flat = build.add(src.Reshape(), (12,), build.input((2, 3, 2)))
    build.end(build.affine(flat, (12,)))
    flat = build.add(src.Reshape(), (8,), build.add(hw.Relu(), (4, 2), build.input((4, 2))))
    build.end(build.add(hw.Relu(format=parse_format("ufixed<3,1,RND,SAT>")), (8,), flat))
    image = build.add(src.Reshape(), (2, 3, 2), build.input((12,)))
    build.end(build.convolution(image, (2, 2, 2, 2), (1, 2, 2)))
    build.end(build.add(src.Reshape(), (6,), build.add(hw.Relu(), (3, 2), build.input((3, 2)))))
    for axis, other in ((0, (1, 2, 2)), (1, (3, 4, 2)), (2, (3, 2, 1))):
        total = tuple(size + (other[axis] if number == axis else 0) for number, size in enumerate((3, 2, 2)))
        build.end(
            build.add(src.Concatenate(axis=axis), total, build.input((3, 2, 2)), build.input(other, "ufixed<4,1>"))
        )
    build.end(build.add(src.Concatenate(axis=0), (7, 2), build.input((4, 2)), build.input((3, 2), "ufixed<4,1>")))
    build.end(build.add(src.Concatenate(axis=1), (4, 5), build.input((4, 2)), build.input((4, 3), "ufixed<4,1>")))
    build.end(build.add(src.Concatenate(axis=0), (9,), build.input((4,)), build.input((5,), "ufixed<4,1>")))


def moves(build: Builder) -> None:
    """Cropping, repeating and reordering."""
    build.end(build.add(src.Crop(borders=(1, 2, 0, 1)), (2, 3, 2), build.input((5, 4, 2))))
    build.end(build.add(src.Crop(borders=(0, 0, 2, 1)), (3, 2), build.input((6, 2))))
    build.end(build.add(src.Upsample(factors=(2, 3)), (6, 6, 2), build.input((3, 2, 2))))
    build.end(build.add(src.Upsample(factors=(1, 2)), (8, 3), build.input((4, 3))))
    build.end(build.add(src.Permute(axes=(1, 0)), (3, 4), build.input((4, 3))))
    for axes in ((1, 0, 2), (2, 0, 1), (0, 2, 1)):
        shape = (2, 3, 4)
        build.end(build.add(src.Permute(axes=axes), tuple(shape[axis] for axis in axes), build.input(shape)))
    swapped = build.add(src.Permute(axes=(2, 1, 0)), (2, 3, 2), build.input((2, 3, 2)))
    build.end(build.dense(build.add(src.Reshape(), (12,), swapped), 12, 3))


def many_readers(build: Builder) -> None:
    """A value that nine others read, more than hls4ml copies at once."""
    source = build.add(hw.Relu(), (3, 3, 2), build.input((3, 3, 2)))
    for _ in range(9):
        build.end(build.affine(source, (3, 3, 2)))


def pooling(build: Builder, io: IoType) -> None:
    """Maximum and mean, with and without padding, over windows and whole images."""
    for kind in PoolKind:
        build.end(
            build.add(
                hw.Pool(kind=kind, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0)), (3, 2, 2), build.input((6, 5, 2))
            )
        )
        build.end(
            build.add(
                hw.Pool(kind=kind, size=(2, 3), strides=(2, 3), pads=(0, 0, 0, 0)),
                (2, 2, 3),
                build.input((4, 6, 3), "ufixed<5,2>"),
            )
        )
        build.end(
            build.add(hw.Pool(kind=kind, size=(1, 2), strides=(1, 2), pads=(0, 0, 0, 0)), (4, 3), build.input((9, 3)))
        )
        build.end(build.add(hw.GlobalPool(kind=kind), (3,), build.input((4, 4, 3))))
        build.end(build.add(hw.GlobalPool(kind=kind), (2,), build.input((3, 5, 2), "ufixed<5,2>")))
        build.end(build.add(hw.GlobalPool(kind=kind), (2,), build.input((6, 2))))
        for form in ("ufixed<8,0>", "fixed<16,6>"):
            build.end(
                build.add(
                    hw.Pool(kind=kind, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0)),
                    (2, 2, 3),
                    build.input((4, 4, 3), form),
                )
            )
    padded = hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 1, 0, 1))
    build.end(build.add(padded, (3, 3, 2), build.input((5, 5, 2), "ufixed<5,2>")))
    for kind in PoolKind:
        build.end(
            build.add(
                hw.Pool(kind=kind, size=(3, 3), strides=(2, 2), pads=(0, 0, 0, 0)), (3, 3, 2), build.input((7, 8, 2))
            )
        )
        build.end(
            build.add(
                hw.Pool(kind=kind, size=(2, 3), strides=(1, 2), pads=(0, 0, 0, 0)), (4, 3, 2), build.input((5, 7, 2))
            )
        )
        build.end(
            build.add(hw.Pool(kind=kind, size=(1, 3), strides=(1, 2), pads=(0, 0, 0, 0)), (3, 2), build.input((7, 2)))
        )
        build.end(
            build.add(
                hw.Pool(kind=kind, size=(2, 2), strides=(3, 3), pads=(0, 0, 0, 0)), (2, 2, 2), build.input((6, 5, 2))
            )
        )
        if io is IoType.PARALLEL or kind is PoolKind.MAX:
            overlapping = hw.Pool(kind=kind, size=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
            build.end(build.add(overlapping, (3, 3, 2), build.input((5, 5, 2))))
            same = hw.Pool(kind=kind, size=(1, 3), strides=(1, 2), pads=(0, 0, 1, 1))
            build.end(build.add(same, (4, 2), build.input((7, 2))))


def softmaxes(build: Builder) -> None:
    """Softmax with tables and as argmax, of vectors and of images channel by channel."""
    for kind in hw.SoftmaxKind:
        build.end(build.add(hw.Softmax(kind=kind), (10,), build.input((10,), "fixed<12,5>")))
        build.end(build.add(hw.Softmax(kind=kind), (3,), build.input((3,), "ufixed<6,2>")))
        build.end(build.add(hw.Softmax(kind=kind), (2, 3, 4), build.input((2, 3, 4), "fixed<8,4>")))


def moves_in_memory(build: Builder) -> None:
    """Resize layers and transposes of every kind, with odd sizes, behind a value that changes from event to event."""
    for shape, factors in (((3, 2, 2), (2, 3)), ((2, 3, 1), (1, 2)), ((2, 3, 2), (3, 1)), ((1, 1, 3), (2, 2))):
        after = (shape[0] * factors[0], shape[1] * factors[1], shape[2])
        build.end(build.add(src.Upsample(factors=factors), after, build.input(shape)))
    build.end(build.add(src.Upsample(factors=(1, 3)), (12, 3), build.input((4, 3))))
    for axes in permutations(range(3)):
        shape = (2, 6, 4) if axes[0] else (3, 2, 5)
        build.end(build.add(src.Permute(axes=axes), tuple(shape[axis] for axis in axes), build.input(shape)))
    build.end(build.add(src.Permute(axes=(1, 0)), (3, 4), build.input((4, 3))))
    build.end(build.add(src.Permute(axes=(0, 2, 1, 3)), (2, 4, 3, 2), build.input((2, 3, 4, 2))))
    swapped = build.add(src.Permute(axes=(2, 1, 0)), (2, 3, 2), build.input((2, 3, 2)))
    build.end(build.dense(build.add(src.Reshape(), (12,), swapped), 12, 3))
    pixels = build.add(src.Permute(axes=(1, 0, 2)), (2, 2, 2), build.input((2, 2, 2)))
    build.end(build.cast(build.add(src.Upsample(factors=(2, 2)), (4, 4, 2), pixels), (4, 4, 2), "fixed<4,2>"))
