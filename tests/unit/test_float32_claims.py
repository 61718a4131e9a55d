"""A plan is exact only where the framework's own float32 cannot round.

The smallest networks on either side of the edge.

`tests/oracle/test_float32.py` holds the same networks against the real QKeras, which rounds in those that are not
exact.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.ir.fixed_point import parse_format
from fpgacnn.passes.precision import PrecisionPlan, legalize
from fpgacnn.passes.quantization import quantize
from tests.support.files import Entry, entry, quantized_bits, sequential_file


def activation(text: str) -> Entry:
    return entry("QActivation", "a", activation=text)


def dense(weight: float, bias: float, alpha: float) -> Entry:
    arrays = {"kernel": np.full((4, 2), weight), "bias": np.full(2, bias)}
    quantizers = {"kernel_quantizer": quantized_bits(4, 3, alpha=alpha), "bias_quantizer": quantized_bits(26, 25)}
    return entry("QDense", "d", units=2, weights=arrays, **quantizers)


def wide(bits: int) -> Entry:
    return activation(f"quantized_bits({bits},0,alpha=1)")


def weighted_mean(size: int) -> Entry:
    return entry("QAveragePooling2D", "m", pool_size=[size, size], average_quantizer=quantized_bits(8))


def folded(weight: float, mean: float) -> Entry:
    """A kernel of one weight, on which a batch normalization with a scale of 1 is folded."""
    scale = {"gamma": np.ones(1), "beta": np.zeros(1), "iteration": np.int64(0)}
    statistics = {**scale, "moving_mean": np.full(1, mean), "moving_variance": np.full(1, 0.75)}
    arrays = {"kernel": np.full((1, 1, 2, 1), weight), **statistics}
    quantizers = {"kernel_quantizer": quantized_bits(6), "bias_quantizer": quantized_bits(6)}
    return entry(
        "QConv2DBatchnorm",
        "c",
        filters=1,
        kernel_size=[1, 1],
        use_bias=False,
        epsilon=0.25,
        weights=arrays,
        **quantizers,
    )


MEAN = entry("AveragePooling2D", "m", pool_size=[3, 3], strides=[3, 3])

Case = tuple[tuple[Entry, ...], tuple[int, ...], str]

EXACT: dict[str, Case] = {
    "an end of 14 fraction bits behind 10": ((wide(15),), (4,), "fixed<12,11>"),
    "a large value that does not saturate": (
        (activation("quantized_bits(bits=27, integer=12, alpha=1)"),),
        (4,),
        "fixed<12,12>",
    ),
    "an end that float32 holds": ((activation("quantized_relu(bits=24, integer=2)"),), (4,), "fixed<12,8>"),
    "a hard tanh of 23 fraction bits": ((activation("quantized_tanh(bits=8)"),), (4,), "fixed<20,-3>"),
    "a hard sigmoid of 24 bits": (
        (activation("quantized_relu(bits=8, integer=4, use_sigmoid=1)"),),
        (4,),
        "fixed<24,5>",
    ),
    "products that a bias does not hide": (
        (dense(5, -4e6, 3.0), activation("quantized_bits(25,24,alpha=1)")),
        (4,),
        "ufixed<17,17>",
    ),
    "folded weights away from ties": ((folded(0.25, 0.5),), (2, 2, 2), "fixed<6,2>"),
    "a quantized mean of four values": ((weighted_mean(2),), (2, 2, 3), "fixed<6,2>"),
    "means that float32 can tell from half steps": (
        (MEAN, activation("quantized_relu(bits=18, integer=0)")),
        (3, 3, 2),
        "ufixed<16,0>",
    ),
}
ROUNDED: dict[str, Case] = {
    "an end of 15 fraction bits behind 10": ((wide(16),), (4,), "fixed<12,11>"),
    "an end behind a scale": ((dense(5, -4e6, 3.0), wide(8)), (4,), "ufixed<17,17>"),
    "an alpha that carries values away": (
        (activation("quantized_bits(bits=6, integer=0, alpha=2)"),),
        (4,),
        "fixed<8,2>",
    ),
    "an end that float32 does not hold": ((activation("quantized_relu(bits=26, integer=2)"),), (4,), "fixed<12,8>"),
    "a hard tanh of 24 fraction bits": ((activation("quantized_tanh(bits=8)"),), (4,), "fixed<20,-4>"),
    "a hard sigmoid of 25 bits": (
        (activation("quantized_relu(bits=8, integer=4, use_sigmoid=1)"),),
        (4,),
        "fixed<24,4>",
    ),
    "products that a bias hides": (
        (dense(7, -11e6, 3.0), activation("quantized_bits(bits=25, integer=24, alpha=1)")),
        (4,),
        "ufixed<18,18>",
    ),
    "a folded weight on a tie": ((folded(0.25 + 2.0**-6, 0.5),), (2, 2, 2), "fixed<6,2>"),
    "a folded bias on a tie": ((folded(0.25, 0.5 + 2.0**-6),), (2, 2, 2), "fixed<6,2>"),
    "a quantized mean of nine values": ((weighted_mean(3),), (3, 3, 3), "fixed<6,2>"),
    "means that float32 puts on half steps": (
        (MEAN, activation("quantized_relu(bits=23, integer=0)")),
        (3, 3, 2),
        "ufixed<16,0>",
    ),
}


def claimed(folder: Path, case: Case) -> PrecisionPlan:
    layers, shape, form = case
    network = frontends.load(sequential_file(folder / "m.h5", *layers, shape=shape))
    return legalize(quantize(network, inputs=[parse_format(form)]))[1]


@pytest.mark.parametrize("name", EXACT)
def test_exact_is_said_where_float32_cannot_round(tmp_path: Path, name: str) -> None:
    assert claimed(tmp_path, EXACT[name]).is_exact


@pytest.mark.parametrize("name", ROUNDED)
def test_lossless_is_said_where_float32_may_round(tmp_path: Path, name: str) -> None:
    found = claimed(tmp_path, ROUNDED[name])
    assert found.is_lossless
    assert not found.is_exact
