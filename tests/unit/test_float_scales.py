"""Trained floats between quantized layers are rounded if they need too many bits; the bound includes the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.errors import WidthLimitError
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.compare import against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import Entry, entry, functional_file, input_layer, quantized_bits, sequential_file

SEED = 41
FORM = parse_format("fixed<16,6>")
SIZE = 6


def batch(name: str, *inputs: str, channels: int = SIZE, gamma: float = 1.0) -> Entry:
    """A normalization with numbers that no short format holds."""
    random = np.random.default_rng([SEED, channels, len(name)])
    weights = {
        "gamma": random.uniform(0.5, 2.0, channels) * gamma,
        "beta": random.normal(0.0, 0.3, channels),
        "moving_mean": random.normal(0.0, 0.3, channels),
        "moving_variance": random.uniform(0.5, 2.0, channels),
    }
    return entry(
        "BatchNormalization", name, *inputs, weights={key: value.astype(np.float32) for key, value in weights.items()}
    )


def dense(
    name: str, *inputs: str, units: int = SIZE, bits: int = 10, bias: Any = "quantized", alpha: Any = 1.0
) -> Entry:
    """A quantized dense layer; `bias` may stay float."""
    random = np.random.default_rng([SEED, units, len(name)])
    weights = {
        "kernel": random.normal(size=(SIZE, units)).astype(np.float32),
        "bias": random.normal(size=units).astype(np.float32) * 0.01,
    }
    quantizer = quantized_bits(bits, 2)
    options = {
        "kernel_quantizer": quantized_bits(bits, 2, alpha=alpha),
        "bias_quantizer": quantizer if bias == "quantized" else None,
    }
    return entry("QDense", name, *inputs, units=units, weights=weights, **options)


def relu(name: str, *inputs: str, bits: int = 15) -> Entry:
    return entry("QActivation", name, *inputs, activation=f"quantized_relu({bits},0)")


CHAINS: dict[str, tuple[Entry, ...]] = {
    "a normalization on both sides": (
        relu("r"),
        batch("b"),
        dense("d"),
        batch("bb"),
        relu("rr"),
        dense("last", units=3),
    ),
    "three normalizations in a row": (relu("r"), batch("b"), batch("bb"), batch("bbb"), dense("last", units=3)),
    "no quantizer behind": (dense("d"), batch("b"), dense("dd"), batch("bb")),
    "automatic scales": (
        dense("d", alpha="auto"),
        dense("dd", alpha="auto"),
        dense("ddd", alpha="auto"),
        relu("r"),
        dense("last", units=3),
    ),
    "float biases": (dense("d", bias=None), dense("dd", bias=None), dense("ddd", bias=None), dense("last", bias=None)),
    "a slope between": (
        dense("d"),
        batch("b"),
        entry("LeakyReLU", "l", alpha=0.3),
        dense("dd"),
        batch("bb"),
        entry("LeakyReLU", "ll", alpha=0.3),
        dense("e"),
    ),
    "a scale of next to nothing": (
        dense("d"),
        batch("b", gamma=1e-18),
        dense("dd"),
        batch("bb", gamma=1e12),
        dense("last"),
    ),
    "a mean behind": (
        relu("r"),
        batch("b"),
        dense("d"),
        batch("bb"),
        entry("Reshape", "shape", target_shape=[SIZE // 2, 2]),
        entry("GlobalAveragePooling1D", "mean"),
    ),
}


def checked(network: SourceModel) -> Design:
    """The design, after random and extreme events showed that no layer passes its bound."""
    model, planned = legalize(quantize(network, inputs=[FORM] * len(network.inputs)))
    design = Design(model=model, plan=planned, target=Target())
    random = np.random.default_rng(SEED)
    codes = random.integers(FORM.low, FORM.high, size=(200, SIZE), endpoint=True)
    codes[100:150] = random.choice([FORM.low, FORM.high], size=(50, SIZE))
    codes[150:] = random.integers(-64, 64, size=(50, SIZE))
    given = [Codes(array=codes, format=FORM) for _ in network.inputs]
    reference = evaluate(network, [one.values for one in given], quantized=True)
    report = against_reference(
        design, ReferenceEmulator(design).run(given, trace=True), reference, name="network", exactness=1e-9
    )
    assert report.holds, report.first
    assert not report.loosest
    return design


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_with_float_scales_is_bounded_instead_of_refused(tmp_path: Path, chain: tuple[Entry, ...]) -> None:
    design = checked(frontends.load(sequential_file(tmp_path / "m.h5", *chain, shape=(SIZE,))))
    assert not design.plan.is_exact
    assert all(one.result.format.width <= 62 for one in design.plan.layers.values())


@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Concatenate"])
def test_two_scaled_branches_are_merged(tmp_path: Path, kind: str) -> None:
    layers = (
        input_layer("x", SIZE),
        dense("d", "x"),
        batch("b", "d"),
        dense("dd", "b"),
        batch("bb", "dd"),
        dense("ddd", "x"),
        batch("bbb", "ddd", gamma=1e-9),
        entry(kind, "m", "bb", "bbb", **({"axis": -1} if kind == "Concatenate" else {})),
        batch("bbbb", "m", channels=2 * SIZE if kind == "Concatenate" else SIZE),
    )
    design = checked(frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["bbbb"])))
    assert not design.plan.is_lossless


def test_what_is_rounded_is_said_and_named(tmp_path: Path) -> None:
    design = checked(
        frontends.load(sequential_file(tmp_path / "m.h5", *CHAINS["a normalization on both sides"], shape=(SIZE,)))
    )
    assert any("rounded to" in loss for _, loss in design.plan.losses), design.plan.losses


def test_formats_of_the_file_are_never_shortened(tmp_path: Path) -> None:
    """Sums of quantized weights that need more bits are refused.

    No float is to blame, and the file says what is wanted.
    """
    layers = [dense("d" * (number + 1), bits=16) for number in range(4)]
    with pytest.raises(WidthLimitError, match="a sum of products needs"):
        checked(frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(SIZE,))))
