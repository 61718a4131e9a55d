"""What a plan promises holds for every code of the input: equality, or its bound, against the trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.ir.fixed_point import Codes, Format, parse_format
from fpgacnn.ir.interval import Interval
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.precision.softmax import softmax_tables
from fpgacnn.passes.quantization import SoftmaxChoice, quantize
from fpgacnn.sim.compare import VerificationReport, against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import Entry, entry, linear, normalization, quantized_bits, sequential_file

SEED = 17
FORMATS = ("fixed<8,4>", "ufixed<7,2>", "fixed<2,2>", "fixed<1,1>", "fixed<9,-2>", "fixed<10,5>")
FLOAT64_SLACK = 1e-9
"""What the reference's own float64 may be off where a plan is not exact."""


def proven(folder: Path, layers: tuple[Entry, ...], form: Format, *, features: int = 2) -> VerificationReport:
    """The emulator against the trained network on every code of a narrow input, each beside a random one."""
    network = frontends.load(sequential_file(folder / "m.h5", *layers, shape=(features,)))
    model, planned = legalize(quantize(network, inputs=[form], softmax=SoftmaxChoice.KEEP))
    design = Design(model=model, plan=planned, target=Target())
    every = np.arange(form.low, form.high + 1)
    beside = np.random.default_rng(SEED).integers(form.low, form.high, size=(len(every), features - 1), endpoint=True)
    codes = Codes(array=np.column_stack([every, beside]), format=form)
    exactness = 0.0 if design.plan.is_exact else FLOAT64_SLACK
    reference = evaluate(network, [codes.values], quantized=True)
    return against_reference(
        design, ReferenceEmulator(design).run([codes], trace=True), reference, name="network", exactness=exactness
    )


def quantizer(name: str, **options: Any) -> Entry:
    return entry("QActivation", "a", activation={"class_name": name, "config": options})


ACTIVATIONS: tuple[Entry, ...] = (
    *(
        entry("Activation", "a", activation=name)
        for name in ("relu", "relu6", "leaky_relu", "hard_sigmoid", "hard_tanh", "hard_swish")
    ),
    *(
        entry("Activation", "a", activation=name)
        for name in ("sigmoid", "tanh", "softplus", "softsign", "elu", "selu", "swish", "gelu", "exponential")
    ),
    entry("LeakyReLU", "a", alpha=0.3),
    entry("ReLU", "a", max_value=0.1),
    entry("ReLU", "a", max_value=1.7, negative_slope=0.01),
    entry("ThresholdedReLU", "a", theta=0.7),
    entry("ELU", "a", alpha=5.0),
    entry("BatchNormalization", "a", weights=normalization(2)),
    quantizer("quantized_bits", bits=4, integer=1, alpha=0.3),
    quantizer("quantized_bits", bits=1, alpha=1),
    quantizer("quantized_bits", bits=5, integer=2, keep_negative=0),
    quantizer("quantized_relu", bits=3, integer=1),
    quantizer("quantized_relu", bits=4, integer=2, use_sigmoid=1),
    quantizer("quantized_relu", bits=6, integer=3, negative_slope=0.25),
    quantizer("quantized_tanh", bits=4),
    quantizer("quantized_sigmoid", bits=3),
    quantizer("binary", alpha=1),
    quantizer("ternary", alpha=1, threshold=0.4),
    quantizer("quantized_po2", bits=4),
)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layer", ACTIVATIONS, ids=lambda layer: f"{layer.kind} {list(layer.config.values())}")
def test_every_activation_keeps_its_plans_promise_on_every_code(tmp_path: Path, layer: Entry, form: str) -> None:
    report = proven(tmp_path, (layer,), parse_format(form))
    assert report.holds, report
    assert report.allowed >= 0.0


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "kernel",
    [quantized_bits(4, 0), quantized_bits(4, 0, alpha="auto"), quantized_bits(4, 0, alpha=[0.3, 1.0, 2.0])],
    ids=["1", "auto", "3"],
)
def test_dense_layers_with_scales_keep_their_promise_on_every_code(
    tmp_path: Path, kernel: dict[str, Any], form: str
) -> None:
    layers = (
        entry(
            "QDense", "d", units=3, weights=linear(2, 3), kernel_quantizer=kernel, bias_quantizer=quantized_bits(6, 1)
        ),
        entry("QActivation", "q", activation="quantized_relu(4,2)"),
        entry(
            "QDense",
            "logits",
            units=2,
            activation="softmax",
            weights=linear(3, 2),
            kernel_quantizer=quantized_bits(4, 0),
            bias_quantizer=quantized_bits(6, 1),
        ),
    )
    report = proven(tmp_path, layers, parse_format(form))
    assert report.holds, report


@pytest.mark.parametrize("form", [*FORMATS, "fixed<4,4>", "ufixed<3,3>", "fixed<5,5>"])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_softmax_stays_within_its_bound(tmp_path: Path, classes: int, form: str) -> None:
    report = proven(tmp_path, (entry("Softmax", "s"),), parse_format(form), features=classes)
    assert report.holds, report
    assert 0.0 < report.allowed < 0.05


@pytest.mark.parametrize("classes", [2, 10, 1000, 1 << 20])
def test_the_bound_of_a_softmax_is_a_probability_for_every_spread(classes: int) -> None:
    """A spread that is a power of two saturates by one step, which once made the bound negative."""
    errors = []
    for spread in range(1, 70):
        logits = Interval(low=np.array([-spread // 2]), high=np.array([spread - spread // 2]), fraction=1)
        errors.append(softmax_tables(logits, classes, 0.0).error)
    assert 0.0 < min(errors) <= max(errors) <= 1.0


@pytest.mark.parametrize("limit", [None, 0.5])
def test_powers_of_two_beyond_the_arithmetic_are_refused_in_words(tmp_path: Path, limit: float | None) -> None:
    layer = quantizer("quantized_po2", bits=8, max_value=limit)
    with pytest.raises(
        UnsupportedOptionError, match=r"a: the values of quantized_po2\(8.* span more bits than the arithmetic has"
    ):
        proven(tmp_path, (layer,), parse_format("fixed<8,4>"))


def test_a_normalization_that_float32_cannot_hold_is_refused_in_words(tmp_path: Path) -> None:
    weights = {**normalization(2), "gamma": np.full(2, 3e38, np.float32), "moving_variance": np.zeros(2)}
    with pytest.raises(UnsupportedOptionError, match="a: its scale or shift is larger than float32 can hold"):
        proven(tmp_path, (entry("BatchNormalization", "a", weights=weights),), parse_format("fixed<8,4>"))
