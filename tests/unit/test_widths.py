"""Float networks get widths: in the file's own terms, everywhere, and with batch normalizations multiplied in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import UsageError, WidthsNeededError
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import QuantizedBits, QuantizedRelu, SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.passes.widths.widths import Widths, fold_normalizations, is_float, parse_widths, uniform, with_quantizers
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import (
    Entry,
    entry,
    functional_file,
    input_layer,
    linear,
    normalization,
    sequential_file,
    tiny_model,
)

SEED = 9
INPUT = Format(width=10, integer=3)
EVENTS = np.random.default_rng(SEED).normal(size=(64, 6, 6, 1))


@pytest.fixture
def network(tmp_path: Path) -> SourceModel:
    """A float network with a batch normalization, ReLU, average pooling and two dense layers."""
    layers = (
        entry("Conv2D", "conv", filters=3, kernel_size=[3, 3], weights=linear(3, 3, 1, 3)),
        entry("BatchNormalization", "bn", axis=[3], epsilon=0.001, weights=normalization(3)),
        entry("Activation", "relu", activation="relu"),
        entry("AveragePooling2D", "pool", pool_size=[2, 2]),
        entry("Flatten", "flatten"),
        entry("Dense", "hidden", units=5, activation="relu", weights=linear(12, 5)),
        entry("Dense", "logits", units=2, weights=linear(5, 2)),
    )
    return frontends.load(sequential_file(tmp_path / "float.h5", *layers, shape=(6, 6, 1)))


def quantized(network: SourceModel, widths: Widths) -> SourceModel:
    folded = fold_normalizations(network)
    return with_quantizers(folded, uniform(folded, widths, evaluate(folded, [EVENTS], quantized=False)))


def test_a_normalization_with_quantizers_is_multiplied_in_as_it_quantizes(tmp_path: Path) -> None:
    quantizers = {f"{name}_quantizer": "quantized_bits(3,1,alpha=1)" for name in ("beta", "mean")}
    layers = (
        entry("Dense", "d", units=3, weights=linear(4, 3)),
        entry("QBatchNormalization", "n", weights=normalization(3), **quantizers),
    )
    network = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(4,)))
    events = [np.random.default_rng(SEED).normal(size=(16, 4))]
    wanted = evaluate(network, events, quantized=True)["n"]
    assert not np.allclose(evaluate(network, events, quantized=False)["n"], wanted)
    assert evaluate(fold_normalizations(network), events, quantized=True)["d"] == pytest.approx(wanted, abs=1e-5)


def functions(network: SourceModel) -> dict[str, src.Activation]:
    return {
        layer.name: layer.operation.function for layer in network.layers if isinstance(layer.operation, src.Activate)
    }


@pytest.mark.parametrize(
    ("text", "widths"),
    [("16", Widths(bits=16)), ("16,6", Widths(bits=16, integer=6)), (" 8 , -2 ", Widths(bits=8, integer=-2))],
)
def test_widths_are_bits_or_bits_and_integer_bits(text: str, widths: Widths) -> None:
    assert parse_widths(text) == widths


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--bits : expected W or W,I"),
        ("wide", "--bits wide: expected W or W,I"),
        ("16,6,2", "--bits 16,6,2: expected W or W,I"),
        ("16,", "--bits 16,: expected W or W,I"),
        ("1", "--bits 1 is not between 2 and 32"),
        ("33", "--bits 33 is not between 2 and 32"),
        ("-8", "--bits -8 is not between 2 and 32"),
        ("16,99", "--bits 16,99: the integer bits are not between -32 and 32"),
    ],
)
def test_other_widths_are_refused_by_what_was_said(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_widths(text)
    assert str(caught.value) == words


def test_a_network_is_float_until_every_kernel_has_a_quantizer(network: SourceModel, tmp_path: Path) -> None:
    assert is_float(network)
    assert not is_float(quantized(network, Widths(bits=12)))
    assert not is_float(frontends.load(tiny_model(tmp_path / "tiny.h5")))


def test_without_widths_a_float_network_is_refused_by_its_first_layer(network: SourceModel) -> None:
    with pytest.raises(WidthsNeededError, match=r"has float .* without a quantizer: bit widths are needed"):
        quantize(fold_normalizations(network), inputs=[INPUT])


def test_a_batch_normalization_is_multiplied_into_the_layer_before_it(network: SourceModel) -> None:
    folded = fold_normalizations(network)
    assert [layer.name for layer in folded.layers] == [layer.name for layer in network.layers if layer.name != "bn"]
    assert folded.layer("relu").inputs == ("conv",)
    before, after = (evaluate(one, [EVENTS], quantized=False) for one in (network, folded))
    assert after["conv"] == pytest.approx(before["bn"], abs=1e-5)
    assert after["logits"] == pytest.approx(before["logits"], abs=1e-4)


def test_folding_leaves_a_network_without_normalizations_as_it_is(network: SourceModel) -> None:
    folded = fold_normalizations(network)
    assert fold_normalizations(folded) is folded


def test_a_normalization_at_the_output_gives_its_place_to_the_layer_before(tmp_path: Path) -> None:
    layers = (
        entry("Dense", "d", units=3, use_bias=False, weights=linear(4, 3, bias=False)),
        entry("BatchNormalization", "bn", weights=normalization(3)),
    )
    network = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(4,)))
    folded = fold_normalizations(network)
    assert folded.outputs == ("d",)
    operation = folded.layer("d").operation
    assert isinstance(operation, src.Dense)
    assert operation.bias is not None


def widest_sum(network: SourceModel) -> int:
    """Bits of the longest sum of products."""
    _, planned = legalize(quantize(network, inputs=[INPUT]))
    sums = [one.accumulator for one in planned.layers.values()]
    return max(one.format.width for one in sums if one is not None)


SLOPED = {
    "normalization": entry("BatchNormalization", "odd", weights=normalization(3)),
    "leaky relu": entry("LeakyReLU", "odd", alpha=0.3),
    "prelu": entry("PReLU", "odd", shared_axes=[1, 2], weights={"alpha": np.float32([[[0.1, 0.2, 0.3]]])}),
    "hard sigmoid": entry("Activation", "odd", activation="hard_sigmoid"),
}
"""Layers that multiply what is already bounded by numbers of many bits."""


@pytest.mark.parametrize("name", SLOPED)
def test_a_float_number_behind_pooling_does_not_widen_what_follows(tmp_path: Path, name: str) -> None:
    layers = (
        entry("Conv2D", "conv", filters=3, kernel_size=[3, 3], activation="relu", weights=linear(3, 3, 1, 3)),
        entry("MaxPooling2D", "pool", pool_size=[2, 2]),
        SLOPED[name],
        entry("Conv2D", "next", filters=3, kernel_size=[2, 2], weights=linear(2, 2, 3, 3)),
    )
    network = quantized(frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(6, 6, 1))), Widths(bits=16))
    assert "odd/quantized" in [layer.name for layer in network.layers]
    assert widest_sum(network) <= 16 + 16 + 4  # products of 16 bits, twelve of them


@pytest.mark.parametrize("name", sorted(SLOPED.keys() - {"normalization"}))
def test_a_slope_multiplies_few_bits_only(tmp_path: Path, name: str) -> None:
    layers = (
        entry("Conv2D", "conv", filters=3, kernel_size=[3, 3], weights=linear(3, 3, 1, 3)),
        entry("MaxPooling2D", "pool", pool_size=[2, 2]),
        entry("BatchNormalization", "bn", weights=normalization(3)),
        SLOPED[name],
        entry("Conv2D", "next", filters=3, kernel_size=[2, 2], weights=linear(2, 2, 3, 3)),
    )
    network = quantized(frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(6, 6, 1))), Widths(bits=16))
    assert "bn/quantized" in [layer.name for layer in network.layers]
    assert widest_sum(network) <= 16 + 25  # the slopes have at most 24 bits and a sign


def test_products_of_tensors_do_not_widen_what_follows(tmp_path: Path) -> None:
    layers = (
        input_layer("x", 4),
        entry("Dense", "a", "x", units=4, weights=linear(4, 4)),
        entry("Multiply", "square", "a", "a"),
        entry("Multiply", "again", "square", "square"),
        entry("Dense", "d", "again", units=2, weights=linear(4, 2)),
    )
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["d"]))
    seen = evaluate(network, [EVENTS[:, :4, 0, 0]], quantized=False)
    given = with_quantizers(network, uniform(network, Widths(bits=12), seen))
    assert widest_sum(given) <= 12 + 12 + 2


def branches(normalization_of: str) -> tuple[Entry, ...]:
    """Two readers of one dense layer, of which one is a batch normalization."""
    return (
        input_layer("x", 4),
        entry("Dense", "d", "x", units=4, weights=linear(4, 4)),
        entry("BatchNormalization", "bn", normalization_of, weights=normalization(4)),
        entry("Add", "sum", "bn", "d"),
    )


@pytest.mark.parametrize("host", ["d", "x"])
def test_a_normalization_is_kept_where_others_read_what_it_normalizes(tmp_path: Path, host: str) -> None:
    network = frontends.load(functional_file(tmp_path / "m.h5", *branches(host), inputs=["x"], outputs=["sum"]))
    assert fold_normalizations(network) is network


def test_a_normalization_behind_a_quantized_layer_is_kept(tmp_path: Path) -> None:
    quantizer = "quantized_bits(4,0,alpha=1)"
    layers = (
        entry("QDense", "d", units=3, kernel_quantizer=quantizer, bias_quantizer=quantizer, weights=linear(4, 3)),
        entry("BatchNormalization", "bn", weights=normalization(3)),
    )
    network = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(4,)))
    assert fold_normalizations(network) is network


def test_every_weight_gets_the_bits_and_the_integer_bits_that_hold_its_largest_value(network: SourceModel) -> None:
    found = quantized(network, Widths(bits=9))
    for layer in found.layers:
        for weight in src.weights_of(layer.operation):
            assert isinstance(weight.quantizer, QuantizedBits)
            assert weight.quantizer.bits == 9
            largest = float(np.abs(weight.values).max())
            assert 2.0 ** (weight.quantizer.integer - 1) <= largest < 2.0**weight.quantizer.integer


def test_relus_become_quantized_relus_with_one_integer_bit_to_spare(network: SourceModel) -> None:
    seen = evaluate(fold_normalizations(network), [EVENTS], quantized=False)
    found = functions(quantized(network, Widths(bits=9)))
    for name in ("relu", "hidden"):
        function = found[name]
        assert isinstance(function, QuantizedRelu)
        assert function.bits == 9
        assert 2.0 ** (function.integer - 2) <= seen[name].max() < 2.0 ** (function.integer - 1)


def test_a_mean_gets_a_quantizer_of_its_own_or_none_where_its_input_is_bounded(network: SourceModel) -> None:
    """The ReLU before the pooling bounds the bits, so the mean of four is exact and keeps them."""
    assert set(functions(quantized(network, Widths(bits=9)))) == {"relu", "hidden"}


def test_the_users_integer_bits_win_and_count_the_sign(network: SourceModel) -> None:
    found = functions(quantized(network, Widths(bits=9, integer=3)))
    assert {function.integer for function in found.values() if isinstance(function, QuantizedRelu)} == {2}


def test_the_last_linear_layer_keeps_every_bit(network: SourceModel) -> None:
    found = quantized(network, Widths(bits=9))
    assert found.outputs == ("logits",)
    assert isinstance(found.layer("logits").operation, src.Dense)


def test_a_linear_layer_that_others_read_gets_a_cast_behind_it(tmp_path: Path) -> None:
    layers = (entry("Dense", "a", units=4, weights=linear(4, 4)), entry("Dense", "b", units=2, weights=linear(4, 2)))
    network = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(4,)))
    seen = evaluate(network, [EVENTS.reshape(64, 36)[:, :4]], quantized=False)
    found = with_quantizers(network, uniform(network, Widths(bits=8), seen))
    assert [layer.name for layer in found.layers] == ["x", "a", "a/quantized", "b"]
    assert found.layer("b").inputs == ("a/quantized",)
    function = functions(found)["a/quantized"]
    assert isinstance(function, QuantizedBits)
    assert 2.0 ** (function.integer - 2) <= np.abs(seen["a"]).max() < 2.0 ** (function.integer - 1)


def test_with_widths_a_float_network_is_planned_without_loss(network: SourceModel) -> None:
    _, planned = legalize(quantize(quantized(network, Widths(bits=8)), inputs=[INPUT]))
    assert planned.is_lossless


def test_more_bits_come_closer_to_the_float_network(network: SourceModel) -> None:
    wanted = evaluate(network, [EVENTS], quantized=False)["logits"]
    errors = [
        np.abs(evaluate(quantized(network, Widths(bits=bits)), [EVENTS], quantized=True)["logits"] - wanted).max()
        for bits in (6, 10, 16, 24)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4 * np.abs(wanted).max()
