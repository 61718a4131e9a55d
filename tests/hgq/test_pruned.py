"""Quantizers with widths of their own for each channel, some as training leaves them where it prunes.

The living channels keep their bits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fpgacnn.design import Design, Target
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Rounding, parse_format, quantize_values, rounded_codes
from fpgacnn.ir.source import SourceLayer, SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate

SHAPE = (3, 2, 4)
FORM = parse_format("fixed<10,6>")
EVENTS = 20


def layer(name: str, operation: src.SourceOperation, *inputs: str, shape: tuple[int, ...] = SHAPE) -> SourceLayer:
    return SourceLayer(name=name, kind="", operation=operation, inputs=inputs, shape=shape)


def grid(*shape: int) -> src.Weight:
    codes = np.random.default_rng([7, *shape]).integers(-7, 8, size=shape)
    return src.Weight(
        values=codes / 8, quantizer=src.Uniform(scale=np.array([0.125]), low=np.array([-8.0]), high=np.array([7.0]))
    )


def cast(scale: np.ndarray, mode: Rounding, overflow: str) -> src.Activate:
    """Living channels have four bits; those of a large step have a sign bit alone."""
    bits = np.where(scale > 2.0, 1.0, 4.0)
    low, high = -np.exp2(bits - 1), np.exp2(bits - 1) - 1
    low = low + (overflow == "SAT_SYM")
    return src.Activate(function=src.Uniform(scale=scale, low=low, high=high, rounding=mode, wraps=overflow == "WRAP"))


def convolution(operation: type[src.Convolution | src.Depthwise], *kernel: int) -> src.SourceOperation:
    return operation(kernel=grid(*kernel), bias=None, strides=(1, 1), pads=(0, 0, 0, 0))


BEHIND: dict[str, tuple[src.SourceOperation, tuple[str, ...], tuple[int, ...]]] = {
    "nothing": (src.Activate(function=src.Relu()), ("cast",), SHAPE),
    "a sum": (src.Merge(kind=src.MergeKind.ADD), ("cast", "x"), SHAPE),
    "a product": (src.Merge(kind=src.MergeKind.MULTIPLY), ("cast", "x"), SHAPE),
    "the channels side by side": (src.Concatenate(axis=2), ("cast", "cast"), (3, 2, 8)),
    "a convolution": (convolution(src.Convolution, 2, 2, 4, 3), ("cast",), (2, 1, 3)),
    "each channel alone": (convolution(src.Depthwise, 2, 2, 4, 1), ("cast",), (2, 1, 4)),
    "a maximum": (src.GlobalPool(kind=src.PoolKind.MAX), ("cast",), (4,)),
    "a mean": (
        src.Pool(kind=src.PoolKind.AVERAGE, size=(2, 2), strides=(1, 1), pads=(0, 0, 0, 0)),
        ("cast",),
        (2, 1, 4),
    ),
    "a vector": (src.Reshape(), ("cast",), (24,)),
}


def network(scale: np.ndarray, mode: Rounding, overflow: str, behind: str) -> SourceModel:
    operation, inputs, shape = BEHIND[behind]
    layers = (
        layer("x", src.Input()),
        layer("cast", cast(scale, mode, overflow), "x"),
        layer("y", operation, *inputs, shape=shape),
    )
    return SourceModel(name="m", digest="", framework="", layers=layers, inputs=("x",), outputs=("y",))


def is_kept(source: SourceModel) -> bool:
    """Hardware answers as the network, without a loss anywhere."""
    codes = np.random.default_rng(3).integers(FORM.low, FORM.high, size=(EVENTS, *SHAPE), endpoint=True)
    wanted = evaluate(source, [codes * FORM.step], quantized=True)[source.outputs[0]]
    model, planned = legalize(quantize(source, inputs=[FORM]))
    found = (
        ReferenceEmulator(Design(model=model, plan=planned, target=Target()))
        .run([Codes(array=codes, format=FORM)])
        .outputs[model.outputs[0]]
        .values
    )
    return planned.is_lossless and bool(np.array_equal(found.reshape(wanted.shape), wanted))


SCALES: dict[str, Callable[[], np.ndarray]] = {
    "one channel": lambda: np.array([2.0**-3, 2.0**-2, 2.0**24, 2.0**-4]),
    "far beyond": lambda: np.array([2.0**60, 2.0**-2, 2.0**40, 2.0**-4]),
    "one cell": lambda: np.where(np.arange(24).reshape(SHAPE) % 5 == 2, 2.0**30, 0.125),
}
NEAREST = [mode for mode in Rounding if mode is not Rounding.TRN]


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("overflow", ["WRAP", "SAT", "SAT_SYM"])
@pytest.mark.parametrize("scale", SCALES)
def test_living_channels_keep_their_bits(scale: str, overflow: str, behind: str) -> None:
    modes = NEAREST if behind == "a sum" else [Rounding.RND, Rounding.TRN_ZERO]
    assert all(is_kept(network(SCALES[scale](), mode, overflow, behind)) for mode in modes)


@pytest.mark.parametrize("overflow", ["WRAP", "SAT", "SAT_SYM"])
@pytest.mark.parametrize("behind", ["nothing", "a sum", "a convolution"])
def test_a_step_that_is_rounded_down_to_is_kept(overflow: str, behind: str) -> None:
    """Rounded down, a negative value becomes one whole step, however large that is."""
    assert is_kept(network(SCALES["one channel"](), Rounding.TRN, overflow, behind))


def test_numbers_of_any_size_keep_bits_of_their_own() -> None:
    """A third has no exact format; beside 2^20 it keeps 26 bits of its own, beside 1 it shares them."""
    near, far = (rounded_codes(np.array([1 / 3, largest]), 30, 26) for largest in (1.0, 2.0**20))
    assert near.format.width <= 27
    assert np.all(np.abs(far.values / [1 / 3, 2.0**20] - 1) <= 2.0**-26)
    assert np.array_equal(rounded_codes(np.array([2.0**-6, 2.0**24]), 30, 26).values, [2.0**-6, 2.0**24])


def test_numbers_that_no_format_holds_together_are_those_of_the_largest() -> None:
    found = rounded_codes(np.array([2.0**-50, 1 / 3, 2.0**60]), 30, 26)
    assert np.array_equal(found.values, [0, 0, 2.0**60])


def test_the_answer_of_hgq2_for_a_pruned_channel() -> None:
    """Bits right of the point are -24 and left of it 24, as in a file of HGQ2 after training.

    The channel is 0, the others are what they were.
    """
    source = network(np.array([2.0**-6, 2.0**-5, 2.0**24, 1.0]), Rounding.RND, "WRAP", "a sum")
    x = quantize_values(np.random.default_rng(1).normal(size=(EVENTS, *SHAPE)), FORM) * FORM.step
    found = evaluate(source, [x], quantized=True)
    assert not np.any(found["cast"][..., 2])
    assert np.any(found["cast"][..., :2])
    assert is_kept(source)


@pytest.mark.parametrize("shape", [(1,), (1, 1, 1)])
def test_a_quantizer_of_the_whole_input_gives_its_format(shape: tuple[int, ...]) -> None:
    """HGQ2 stores widths of a whole tensor with an axis for each of its axes."""
    ends = {"low": np.full(shape, -8.0), "high": np.full(shape, 7.0)}
    whole = src.Uniform(scale=np.full(shape, 0.25), **ends, rounding=Rounding.RND_CONV)
    layers = (layer("x", src.Input()), layer("cast", src.Activate(function=whole), "x"))
    source = SourceModel(name="m", digest="", framework="", layers=layers, inputs=("x",), outputs=("cast",))
    assert str(leading_quantizer(source, "x")) == "fixed<4,2,RND_CONV,SAT>"
