"""Inputs keep the element type of the file.

Formats and events that it cannot hold are refused, the framework gets what it can.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import fpgacnn
from fpgacnn import frontends
from fpgacnn.errors import EventTypeError, InputTypeError, UnsupportedOptionError
from fpgacnn.frontends.onnx.protobuf.kinds import ELEMENTS
from fpgacnn.ir.element_types import WHOLE, ElementKind, holds_format, own_format, shortened, stored
from fpgacnn.ir.fixed_point import Format, fits, parse_format
from fpgacnn.ir.source import SourceModel
from fpgacnn.pipeline.inputs import Events, choose_formats, element_of, to_codes
from fpgacnn.pipeline.test_vectors import own_events
from fpgacnn.sim.source_reference import evaluate
from tests.onnx.kit import Graph, grid

WHOLE_NAMES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def saved(folder: Path, element: str, *, floors: bool = False) -> Path:
    """A matrix product after a cast, or floor and limits, of the input, in a file whose input has an element type."""
    graph = Graph.empty()
    numbers = graph.add("Cast", "x", to=TensorProto.FLOAT)
    end = (
        graph.add("Clip", graph.add("Floor", numbers), graph.store(-3.0), graph.store(90.0))
        if floors
        else graph.add("MatMul", numbers, graph.store(grid(3, 6, 4)))
    )
    model = graph.model({"x": ("events", 6)}, [end])
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(element))
    model.graph.input[0].type.tensor_type.elem_type = kind
    onnx.save(model, path := folder / f"{element}.onnx")
    return path


def read(folder: Path, element: str) -> SourceModel:
    return frontends.load(saved(folder, element))


@pytest.mark.parametrize("element", [*WHOLE_NAMES, "float16", "float32", "float64"])
def test_the_source_network_keeps_the_element_type_of_an_input(tmp_path: Path, element: str) -> None:
    network = read(tmp_path, element)
    assert element_of(network, network.inputs[0]) == element


def test_every_element_type_of_numbers_has_its_range() -> None:
    for kind, element in ELEMENTS.items():
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        if dtype.kind in "iu":
            assert WHOLE[element] == (np.iinfo(dtype).min, np.iinfo(dtype).max)
    assert set(ELEMENTS.values()) == set(ElementKind)


@pytest.mark.parametrize(
    ("element", "form"),
    [
        ("uint8", "fixed<8,8>"),
        ("uint8", "fixed<4,4>"),
        ("uint8", "ufixed<9,9>"),
        ("uint8", "ufixed<8,7>"),
        ("uint8", "ufixed<8,9>"),
        ("int8", "ufixed<8,8>"),
        ("int8", "fixed<9,9>"),
        ("int8", "fixed<8,0>"),
        ("bool", "fixed<1,1>"),
        ("bool", "ufixed<2,2>"),
        ("uint16", "fixed<16,16>"),
        ("int16", "fixed<17,17>"),
        ("int16", "fixed<16,6>"),
        ("uint32", "fixed<8,8>"),
        ("int32", "ufixed<32,32>"),
        ("int64", "fixed<16,15>"),
        ("uint64", "fixed<8,8>"),
        ("float16", "fixed<20,18>"),
        ("float16", "ufixed<4,-22>"),
    ],
)
def test_a_format_with_values_that_the_element_type_lacks_is_refused(tmp_path: Path, element: str, form: str) -> None:
    with pytest.raises(
        InputTypeError, match=f"is {element} in the model file, which cannot hold every value of {form}"
    ):
        choose_formats(read(tmp_path, element), None, form)


@pytest.mark.parametrize(
    ("element", "form"),
    [
        ("uint8", "ufixed<8,8>"),
        ("uint8", "ufixed<4,4>"),
        ("uint8", "ufixed<7,8>"),
        ("uint8", "ufixed<1,1>"),
        ("int8", "fixed<8,8>"),
        ("int8", "ufixed<7,7>"),
        ("bool", "ufixed<1,1>"),
        ("uint16", "ufixed<16,16>"),
        ("int32", "fixed<24,24>"),
        ("uint64", "ufixed<20,20>"),
        ("float16", "fixed<16,6>"),
        ("float32", "fixed<16,6>"),
        ("float64", "ufixed<4,-22>"),
    ],
)
def test_a_format_whose_values_the_element_type_has_is_taken(tmp_path: Path, element: str, form: str) -> None:
    (choice,) = choose_formats(read(tmp_path, element), None, form)
    assert (str(choice.format), choice.element) == (form, element)


@pytest.mark.parametrize(
    ("element", "form"),
    [
        ("bool", "ufixed<1,1>"),
        ("int8", "fixed<8,8>"),
        ("uint8", "ufixed<8,8>"),
        ("int16", "fixed<16,16>"),
        ("uint16", "ufixed<16,16>"),
        ("int32", "fixed<16,16>"),
        ("uint64", "ufixed<16,16>"),
    ],
)
def test_whole_numbers_have_a_port_of_their_type_where_nothing_else_is_said(
    tmp_path: Path, element: str, form: str
) -> None:
    network = read(tmp_path, element)
    (choice,) = choose_formats(network, None, None)
    assert str(choice.format) == form
    (values,) = own_events(network, [choice]).values
    assert np.array_equal(stored(ElementKind(element), values), values)


@pytest.mark.parametrize("element", list(ElementKind))
@pytest.mark.parametrize(
    "text", ["fixed<12,5>", "ufixed<8,8>", "fixed<4,4>", "ufixed<3,9>", "fixed<20,4>", "fixed<30,16>"]
)
def test_events_of_our_own_are_values_of_the_format_and_of_the_element_type(element: ElementKind, text: str) -> None:
    form = parse_format(text)
    if not holds_format(element, form):
        return
    codes = np.random.default_rng(1).integers(form.low, form.high, 500, endpoint=True)
    values = shortened(element, np.append(codes, [form.low, form.high, 0]) * form.step)
    assert np.array_equal(stored(element, values), values)
    assert fits(values, form).all()
    assert np.abs(values).max() >= form.high * form.step / 2


def test_half_precision_rounds_as_numpy_does() -> None:
    values = np.random.default_rng(2).normal(size=400) * 2.0 ** np.random.default_rng(3).integers(-26, 15, 400)
    assert np.array_equal(stored(ElementKind.FLOAT16, values), values.astype(np.float16).astype(np.float64))
    with pytest.raises(ValueError, match="65600"):
        stored(ElementKind.FLOAT16, np.array([1.0, 65600.0]))


@pytest.mark.parametrize(
    ("element", "value"),
    [("uint8", -1.0), ("uint8", 256.0), ("uint8", 0.5), ("bool", 2.0), ("int8", 128.0), ("float16", 1e5)],
)
def test_events_outside_the_element_type_are_refused(tmp_path: Path, element: str, value: float) -> None:
    network, events = read(tmp_path, element), np.zeros((3, 6))
    events[2, 4] = value
    with pytest.raises(
        EventTypeError, match=f"is {element} in the model file, which cannot hold {value:.10g} of the events"
    ):
        choose_formats(network, Events(values=(events,), labels=None, origin="x.npz"), None)
    (choice,) = choose_formats(network, None, None)
    with pytest.raises(EventTypeError):
        to_codes(events, choice, None)


def test_whole_numbers_are_never_limited_without_a_word(tmp_path: Path) -> None:
    network, events = read(tmp_path, "uint8"), np.full((2, 6), 16.0)
    (choice,) = choose_formats(network, None, "ufixed<4,4>")
    with pytest.raises(EventTypeError, match=r"is ufixed<4,4> in the hardware \(--input-type\), which cannot hold 16 "):
        to_codes(events, choice, None)


def test_a_quantizer_at_an_input_gives_its_format_only_where_the_element_type_has_its_values(tmp_path: Path) -> None:
    def network(scale: float, signed: int) -> SourceModel:
        graph = Graph.empty()
        end = graph.quant(graph.add("Cast", "x", to=TensorProto.FLOAT), scale, 4.0, signed=signed)
        model = graph.model({"x": (1, 6)}, [end])
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
        onnx.save(model, tmp_path / "q.onnx")
        return frontends.load(tmp_path / "q.onnx")

    assert [str(choose_formats(network(2.0, signed), None, None)[0].format) for signed in (0, 1)] == [
        "ufixed<4,5>",
        "ufixed<8,8>",
    ]
    (choice,) = choose_formats(network(2.0, 0), None, None)
    codes, changed = to_codes(np.array([[255.0, 3.0, 4.0]]), choice, Format(width=4, integer=5, signed=False))
    assert (codes.values.max(), changed) == (30.0, 2)


@pytest.mark.parametrize("element", ["uint8", "int16", "bool", "float16", "float64"])
def test_the_framework_gets_events_that_its_input_can_hold(tmp_path: Path, element: str) -> None:
    """A file whose input is uint8 answers for no negative number, and one of float16 for eleven digits."""
    path = saved(tmp_path, element, floors=True)
    form = None if element in WHOLE_NAMES else "fixed<16,8>"
    record = fpgacnn.convert(path, output=tmp_path / "project", csim_events=0, reference="onnx", input_type=form)
    (report,) = [one for one in record.verification if one.left == "network as read"]
    assert (report.holds, report.mismatches, record.holds) == (True, 0, True)
    again = fpgacnn.verify(tmp_path / "project", csim_events=0) if element == "uint8" else record
    assert again.holds


def test_simulate_refuses_events_that_the_element_type_cannot_hold(tmp_path: Path) -> None:
    path = saved(tmp_path, "int8")
    np.save(tmp_path / "x.npy", np.array([[1, 2, 3, 4, 5, 128.0]]))
    with pytest.raises(EventTypeError, match="is int8 in the model file, which cannot hold 128 of the events"):
        fpgacnn.simulate(path, tmp_path / "x.npy")


# --- operators on short types ----------------------------------------------------------------------------------------


def half_precision(folder: Path, kind: str, *inputs: Any, opset: int = 17, **options: Any) -> SourceModel:
    graph = Graph.empty()
    end = graph.add(kind, "x", *(graph.store(one, np.float16) for one in inputs), **options)
    model = graph.model({"x": (1, 6)}, [end], opset)
    for port in (model.graph.input[0], model.graph.output[0]):
        port.type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(model, folder / "half.onnx")
    return frontends.load(folder / "half.onnx")


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [("Add", [0.5]), ("Mul", [3.0]), ("MatMul", [grid(1, 6, 2)]), ("Sigmoid", []), ("ReduceSum", [])],
)
def test_operators_that_round_to_half_precision_are_refused(tmp_path: Path, kind: str, inputs: list[Any]) -> None:
    with pytest.raises(UnsupportedOptionError, match="computes in real numbers of 16 bits"):
        half_precision(tmp_path, kind, *inputs)


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [("Relu", []), ("Floor", []), ("Max", [0.5]), ("Clip", [-1.0, 2.5]), ("Transpose", []), ("Neg", [])],
)
def test_operators_that_round_nothing_are_read_in_half_precision(tmp_path: Path, kind: str, inputs: list[Any]) -> None:
    network = half_precision(tmp_path, kind, *inputs)
    assert element_of(network, network.inputs[0]) is ElementKind.FLOAT16
    events = np.arange(-3, 3, dtype=np.float16).reshape(1, 6) * np.float16(1.25)
    (wanted,) = onnxruntime.InferenceSession((tmp_path / "half.onnx").as_posix()).run(None, {"x": events})
    assert wanted.dtype == np.float16
    found = evaluate(network, [events.astype(np.float64)], quantized=True)[network.outputs[0]]
    assert np.array_equal(found.reshape(wanted.shape), wanted)


def test_a_cast_to_half_precision_is_read_where_it_rounds_nothing(tmp_path: Path) -> None:
    def cast(kind: int) -> SourceModel:
        graph = Graph.empty()
        half = graph.add("Cast", "x", to=TensorProto.FLOAT16)
        model = graph.model({"x": (1, 6)}, [graph.add("Cast", half, to=TensorProto.FLOAT)])
        model.graph.input[0].type.tensor_type.elem_type = kind
        onnx.save(model, tmp_path / "cast.onnx")
        return frontends.load(tmp_path / "cast.onnx")

    assert len(cast(TensorProto.UINT8).layers) == 1
    for kind in (TensorProto.FLOAT, TensorProto.INT16):
        with pytest.raises(UnsupportedOptionError, match="cast to real numbers of 16 bits rounds"):
            cast(kind)


def test_truth_values_are_cast_before_anything_computes_on_them(tmp_path: Path) -> None:
    graph = Graph.empty()
    model = graph.model({"x": (1, 6)}, [graph.add("Relu", "x")])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.BOOL
    onnx.save(model, tmp_path / "truth.onnx")
    with pytest.raises(UnsupportedOptionError, match="computes on truth values"):
        frontends.load(tmp_path / "truth.onnx")


def test_the_own_format_of_a_type_has_exactly_its_values() -> None:
    for element in ("bool", "int4", "uint4", "int8", "uint8", "int16", "uint16"):
        form = own_format(ElementKind(element))
        assert form is not None
        assert (form.low, form.high) == WHOLE[ElementKind(element)]
