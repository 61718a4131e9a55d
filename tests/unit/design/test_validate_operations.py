"""Every operation of a design that was read is checked before it is computed or becomes C++."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.design.validate import InvalidDesignError, _check_layer, _check_network
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.ir.source import PoolKind, Shape, SourceLayer, SourceModel, SourceOperation
from fpgacnn.passes.precision import Decision, LayerPrecision

FORM = parse_format("fixed<8,3>")


def decided(form: str) -> Decision:
    return Decision(format=parse_format(form), reason="test")


def precision(**tables: str) -> LayerPrecision:
    return LayerPrecision(
        accumulator=decided("fixed<16,6>"),
        result=decided("fixed<8,3>"),
        tables={name: decided(form) for name, form in tables.items()},
    )


def codes(*shape: int, form: str = "fixed<8,3>") -> Codes:
    return Codes(array=np.ones(shape, np.int64), format=parse_format(form))


TABLES = dict.fromkeys(("difference", "exponential", "reciprocal", "index"), "fixed<10,4>")
SOFTMAX = hw.Softmax(kind=hw.SoftmaxKind.TABLES)
NODES: dict[str, tuple[hw.Operation, LayerPrecision, Shape, str, str]] = {
    "a table of 24 bits": (
        hw.Lookup(table=codes(4)),
        precision(),
        (4, 4, 2),
        "fixed<24,4>",
        "a table for inputs of 24",
    ),
    "a table that is too short": (
        hw.Lookup(table=codes(4)),
        precision(),
        (4, 4, 2),
        "fixed<8,3>",
        "an array of shape (4,), but its layer needs (256,)",
    ),
    "slopes for other channels": (
        hw.LeakyRelu(slope=codes(3)),
        precision(),
        (4, 4, 2),
        "fixed<8,3>",
        "an array of shape (3,), but its layer needs (1,)",
    ),
    "two thresholds": (
        hw.ThresholdRelu(threshold=codes(2)),
        precision(),
        (4, 4, 2),
        "fixed<8,3>",
        "an array of shape (2,), but its layer needs (1,)",
    ),
    "zeros that are taken away": (
        src.ZeroPad(pads=(0, -1, 0, 0)),
        precision(),
        (3, 4, 2),
        "fixed<8,3>",
        "pads of (0, -1, 0, 0)",
    ),
    "a border that grows": (src.Crop(borders=(0, 0, -1, 0)), precision(), (4, 5, 2), "fixed<8,3>", "borders of"),
    "a softmax without its tables": (SOFTMAX, precision(), (4, 4, 2), "fixed<8,3>", "not the tables of a softmax"),
    "a softmax with a table too many": (
        SOFTMAX,
        precision(**TABLES, more="fixed<8,3>"),
        (4, 4, 2),
        "fixed<8,3>",
        "not the tables of a softmax",
    ),
    "a softmax with a huge table": (
        SOFTMAX,
        precision(**{**TABLES, "index": "fixed<24,4>"}),
        (4, 4, 2),
        "fixed<8,3>",
        "a table that is too large",
    ),
    "no codes": (
        hw.LeakyRelu(slope=Codes(array=np.ones((0,), np.int64), format=FORM)),
        precision(),
        (4, 4, 2),
        "fixed<8,3>",
        "codes of type int64",
    ),
}


def node(operation: hw.Operation, shape: Shape) -> hw.Layer:
    return hw.Layer(name="n", source="n", operation=operation, inputs=("x",), shape=shape)


@pytest.mark.parametrize("name", NODES)
def test_a_node_that_does_not_fit_its_input_is_refused(name: str) -> None:
    operation, decisions, shape, given, words = NODES[name]
    with pytest.raises(InvalidDesignError) as caught:
        _check_layer(node(operation, shape), decisions, ((4, 4, 2),), (parse_format(given),))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "shape"),
    [
        (hw.LeakyRelu(slope=codes(1)), (4, 4, 2)),
        (hw.LeakyRelu(slope=codes(4, 4, 2)), (4, 4, 2)),
        (hw.ThresholdRelu(threshold=codes(1)), (4, 4, 2)),
        (hw.Lookup(table=codes(256)), (4, 4, 2)),
        (src.ZeroPad(pads=(1, 0, 0, 2)), (5, 6, 2)),
        (src.Crop(borders=(1, 0, 0, 2)), (3, 2, 2)),
        (SOFTMAX, (4, 4, 2)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_node_that_fits_is_accepted(operation: hw.Operation, shape: Shape) -> None:
    _check_layer(node(operation, shape), precision(**TABLES), ((4, 4, 2),), (FORM,))


def network(*layers: SourceLayer) -> SourceModel:
    """A network whose last layer is its output."""
    return SourceModel(
        name="m",
        digest="ab" * 32,
        framework="test",
        layers=layers,
        inputs=tuple(one.name for one in layers if isinstance(one.operation, src.Input)),
        outputs=(layers[-1].name,),
    )


LARGE = (1, 1 << 11, 1 << 10)
SOURCES: dict[str, tuple[SourceOperation, Shape, tuple[Shape, ...], str]] = {
    "zeros without end": (src.ZeroPad(pads=(0, 1 << 24, 0, 0)), (4, 4, 2), ((4, 4, 2),), "pads of"),
    "no repetition": (src.Upsample(factors=(0, 1)), (4, 4, 2), ((4, 4, 2),), "it needs too many values"),
    "repetition without end": (src.Upsample(factors=(1 << 20, 1)), (4, 4, 2), ((4, 4, 2),), "it needs too many values"),
    "large tensors joined": (src.Concatenate(axis=-1), (4, 4, 2), (LARGE, LARGE, LARGE), "it needs too many values"),
    "windows without end": (
        src.Pool(kind=PoolKind.MAX, size=(1 << 10, 1 << 10), strides=(1, 1), pads=(0, 0, 0, 0)),
        (64, 64, 1),
        ((64, 64, 1),),
        "its windows have too many values",
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_layer_of_the_network_that_needs_too_much_is_refused_by_its_name(name: str) -> None:
    operation, shape, given, words = SOURCES[name]
    inputs = [
        SourceLayer(name=f"x{number}", kind="Input", operation=src.Input(), inputs=(), shape=one)
        for number, one in enumerate(given)
    ]
    last = SourceLayer(
        name="y", kind="test", operation=operation, inputs=tuple(one.name for one in inputs), shape=shape
    )
    with pytest.raises(InvalidDesignError) as caught:
        _check_network(network(*inputs, last))
    assert str(caught.value).startswith(f"layer 'y': {words}")
