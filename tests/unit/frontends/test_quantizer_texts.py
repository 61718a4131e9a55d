"""Quantizers as QKeras writes them: dictionaries and texts are read as data, whatever they pretend to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import UnsupportedQuantizerError
from fpgacnn.frontends.keras.layer_config import MAX_NUMBER
from fpgacnn.frontends.keras.operations.quantizers import is_quantizer, parse_quantizer
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Binary, PowerOfTwo, QuantizedBits, QuantizedRelu, QuantizedSigmoid, QuantizedTanh, Ternary
from tests.support.files import entry, linear, quantized_bits, sequential_file


def written(name: str, **options: Any) -> dict[str, Any]:
    return {"class_name": name, "config": options}


def refused(value: Any) -> str:
    with pytest.raises(UnsupportedQuantizerError) as caught:
        parse_quantizer(value, layer="conv")
    assert caught.value.code == "FC022"
    assert str(caught.value).startswith("layer 'conv': quantizer ")
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "quantizer"),
    [
        (None, None),
        ("quantized_bits(6,0,alpha=1)", QuantizedBits(bits=6, integer=0, alpha=1.0)),
        ("quantized_bits(6, 0, 1)", QuantizedBits(bits=6, integer=0, symmetric=True)),
        (" quantized_bits( bits = 6 , integer=-2 ) ", QuantizedBits(bits=6, integer=-2)),
        (
            "quantized_bits(4,0,1,False,0.5)",
            QuantizedBits(bits=4, integer=0, symmetric=True, keep_negative=False, alpha=0.5),
        ),
        ("quantized_bits", QuantizedBits(bits=8, integer=0)),
        ("quantized_bits()", QuantizedBits(bits=8, integer=0)),
        ("quantized_bits(6,0,alpha='auto_po2')", QuantizedBits(bits=6, integer=0, symmetric=True, alpha="auto_po2")),
        (quantized_bits(6, 1), QuantizedBits(bits=6, integer=1, alpha=1.0)),
        (
            written("QKeras>quantized_bits", bits=4, integer=1.0, symmetric=True),
            QuantizedBits(bits=4, integer=1, symmetric=True),
        ),
        (written("quantized_bits", bits=None, keep_negative=0), QuantizedBits(bits=8, integer=0, keep_negative=False)),
        (
            written("quantized_bits", bits=4, use_stochastic_rounding=True, use_ste=False, var_name="x"),
            QuantizedBits(bits=4, integer=0),
        ),
        ("quantized_relu(6,2)", QuantizedRelu(bits=6, integer=2)),
        ("quantized_relu(6,2,1)", QuantizedRelu(bits=6, integer=2, use_sigmoid=True)),
        (written("quantized_relu", bits=6, negative_slope=0.25), QuantizedRelu(bits=6, integer=0, negative_slope=0.25)),
        (
            written("quantized_relu", bits=6, relu_upper_bound=1.5),
            QuantizedRelu(bits=6, integer=0, relu_upper_bound=1.5),
        ),
        (
            written("quantized_relu", bits=6, relu_upper_bound=None, is_quantized_clip=True),
            QuantizedRelu(bits=6, integer=0),
        ),
        ("binary(alpha=1)", Binary(alpha=1.0)),
        ("ternary(threshold=0.5,alpha=1)", Ternary(alpha=1.0, threshold=0.5)),
        ("quantized_po2(4)", PowerOfTwo(bits=4)),
        ("quantized_relu_po2(4,2)", PowerOfTwo(bits=4, max_value=2.0, relu=True)),
        ("quantized_tanh(6)", QuantizedTanh(bits=6)),
        ("quantized_sigmoid(6)", QuantizedSigmoid(bits=6)),
        ("quantized_sigmoid(10,4)", QuantizedSigmoid(bits=10, symmetric=4.0)),
        ("quantized_linear(6,0,alpha=2.0)", QuantizedBits(bits=6, integer=1, symmetric=True, alpha=1.0)),
    ],
    ids=str,
)
def test_a_quantizer_is_read_from_a_dictionary_or_a_text(value: Any, quantizer: object) -> None:
    assert parse_quantizer(value, layer="conv") == quantizer


@pytest.mark.parametrize(
    "alpha",
    [
        [1.0, 0.5],
        {"class_name": "__numpy__", "config": {"value": [1.0, 0.5], "dtype": "float32"}},
        {"class_name": "__tensor__", "config": {"value": [1.0, 0.5], "dtype": "float32"}},
    ],
    ids=["HDF5", "an array in an archive", "a tensor in an archive"],
)
def test_an_alpha_for_each_channel_is_an_array(alpha: Any) -> None:
    found = parse_quantizer(written("quantized_bits", bits=4, alpha=alpha), layer="conv")
    assert isinstance(found, QuantizedBits)
    assert np.asarray(found.alpha).tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    "text",
    [
        "quantized_bits(6,0",
        "quantized_bits(6,0)(3)",
        "quantized_bits(6,0).evil(3)",
        "quantized_bits(**{'bits':3})",
        "quantized_bits(*[6,0])",
        "quantized_bits(__import__('os').system('touch owned'))",
        "quantized_bits(open('owned','w'))",
        "quantized_bits(6 if True else 4)",
        "quantized_bits(6,0,1,1,1,1,1)",
        "quantized_bits(6); import os",
        "quantized_bits(alpha=float('nan'))",
        "quantized_bits(bits:=6)",
        "quantized_bits(" + "(" * 400 + ")",
        "quantized_bits(" + "6," * 600 + ")",
        "quantized_bits(\0)",
    ],
    ids=lambda text: ascii(text)[:48],
)
def test_a_text_that_is_more_than_a_call_with_plain_numbers_is_refused_unread(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(text).endswith("not a call with plain numbers or words")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("evil(3)", "quantizer evil: unknown quantizer"),
        (5, "quantizer 5: unknown quantizer"),
        ([1], "quantizer [1]: unknown quantizer"),
        ({"class_name": 5}, "unknown quantizer"),
        (written("Evil>os.system", command="id"), "quantizer Evil>os.system: unknown quantizer"),
        (written("quantized_bits", bits=0), "bits=0.0 is not a whole number from 1 to 32"),
        (written("quantized_bits", bits=33), "bits=33.0 is not a whole number from 1 to 32"),
        (written("quantized_bits", bits=4.5), "bits=4.5 is not a whole number from 1 to 32"),
        (written("quantized_bits", bits="4"), "bits='4' is not a number"),
        (written("quantized_bits", bits=[4]), "bits=[4] is not a number"),
        (written("quantized_bits", bits=float("nan")), "bits=nan is not a number"),
        (written("quantized_bits", bits=10**40), "is not a number"),
        (written("quantized_bits", integer=-33), "integer=-33.0 is not a whole number from -32 to 32"),
        (written("quantized_bits", symmetric=2), "symmetric=2.0 is not a whole number from 0 to 1"),
        (written("quantized_bits", alpha=0), "alpha=0 is neither a number, 'auto' nor 'auto_po2'"),
        (written("quantized_bits", alpha=10**40), "is neither a number, 'auto' nor 'auto_po2'"),
        (written("quantized_bits", alpha=2 * MAX_NUMBER), "is neither a number, 'auto' nor 'auto_po2'"),
        (written("quantized_bits", alpha="automatic"), "alpha='automatic' is neither a number"),
        (written("quantized_bits", alpha=[]), "alpha=[] is neither a number"),
        (written("quantized_bits", alpha=[1.0, None]), "alpha=[1.0, None] is neither a number"),
        (written("quantized_bits", alpha=[[1.0], [0.5]]), "alpha=[[1.0], [0.5]] is neither a number"),
        (written("quantized_bits", alpha={"class_name": "__numpy__", "config": {}}), "is neither a number"),
        (written("quantized_bits", scale_axis=1), "scale_axis is not supported"),
        (
            written("quantized_bits", qnoise_factor=0.5),
            "qnoise_factor is not 1, so training mixes in unquantized values",
        ),
        (written("quantized_bits", evil=1, worse=2), "unknown options ['evil', 'worse']"),
        (written("quantized_sigmoid", bits=4, symmetric=16), "symmetric=16.0 is not a whole number from 0 to 15"),
        (written("quantized_relu", negative_slope=0.3), "negative_slope=0.3 is no power of two up to 1"),
        (written("quantized_relu", negative_slope=-0.5), "negative_slope=-0.5 is no power of two up to 1"),
        (
            written("quantized_relu", negative_slope=0.5, use_sigmoid=1),
            "use_sigmoid together with negative_slope is not supported",
        ),
        (written("quantized_relu", relu_upper_bound="6"), "relu_upper_bound='6' is not a number"),
        (written("quantized_relu", relu_upper_bound=10**40), "is not a number"),
        (written("ternary", threshold=10**40), "is not supported with alpha=None"),
        (written("ternary", threshold=-1), "threshold=-1 is not supported with alpha=None"),
        (written("quantized_po2", bits=4, max_value=10**40), "is not a positive number"),
        (written("quantized_po2", bits=4, max_value=-1), "max_value=-1 is not a positive number"),
        (written("binary", alpha=[1.0, 2.0]), "alpha per channel is not supported here"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_an_option_without_a_hardware_meaning_is_refused_by_name(value: Any, words: str) -> None:
    assert words in refused(value)


@pytest.mark.parametrize(
    "options",
    [{"bits": 10**400}, {"integer": -(10**400)}, {"alpha": 10**400}, {"alpha": [10**400]}, {"qnoise_factor": 10**400}],
)
def test_a_whole_number_of_any_length_is_refused(options: dict[str, Any]) -> None:
    refused(written("quantized_bits", **options))


@pytest.mark.parametrize(
    ("value", "answer"),
    [("quantized_bits(4)", True), ("quantized_relu", True), ("relu", False), (None, False), ({"config": {}}, False)],
)
def test_a_quantizer_is_told_from_an_activation(value: Any, *, answer: bool) -> None:
    assert is_quantizer(value) is answer


@pytest.mark.parametrize(
    ("written_quantizer", "alpha"),
    [
        ("quantized_bits(6,0)", "auto_po2"),
        ("quantized_bits", "auto_po2"),
        ("quantized_bits()", "auto_po2"),
        (written("quantized_bits", bits=6, alpha=None), "auto_po2"),
        (written("quantized_bits", bits=6, alpha="auto"), "auto"),
        ("quantized_bits(6,0,alpha=1)", 1.0),
        ("quantized_bits(6,0,1,True,0.5)", 0.5),
    ],
    ids=str,
)
def test_a_kernel_without_alpha_gets_the_automatic_one_that_qkeras_gives_it_and_a_bias_does_not(
    tmp_path: Path, written_quantizer: Any, alpha: object
) -> None:
    layer = entry(
        "QDense",
        "d",
        units=3,
        kernel_quantizer=written_quantizer,
        bias_quantizer="quantized_bits(6,0)",
        weights=linear(4, 3),
    )
    operation = frontends.load(sequential_file(tmp_path / "m.h5", layer, shape=(4,))).layer("d").operation
    assert isinstance(operation, src.Dense)
    assert isinstance(operation.kernel.quantizer, QuantizedBits)
    assert operation.kernel.quantizer.alpha == alpha
    assert operation.kernel.quantizer.symmetric == (isinstance(alpha, str) or "1,True" in str(written_quantizer))
    assert operation.bias is not None
    assert operation.bias.quantizer == QuantizedBits(bits=6, integer=0)
