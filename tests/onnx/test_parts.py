"""Parts of axes, sums over them and blocks of cells, on tensors whose axes all have one length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.design import IoType
from fpgacnn.errors import FpgacnnError
from fpgacnn.sim.source_reference import evaluate
from tests.onnx.kit import Graph, agree, answers, grid

CUBE, SQUARE, LINE = (1, 4, 4, 4), (1, 4, 4), (1, 4)
FAR = (1 << 63) - 1


def check(folder: Path, build: Callable[[Graph], str | list[str]], shape: tuple[Any, ...], *, opset: int = 17) -> None:
    graph = Graph.empty()
    ends = build(graph)
    agree(answers(graph.model({"x": shape}, ends if isinstance(ends, list) else [ends], opset), folder))


SLICES: dict[str, tuple[list[int], list[int], list[int], list[int]]] = {
    "rows": ([1], [3], [2], [1]),
    "columns to the end": ([2], [FAR], [3], [1]),
    "channels": ([1], [3], [1], [1]),
    "every second": ([0], [FAR], [3], [2]),
    "backwards": ([FAR], [-FAR], [2], [-1]),
    "backwards from the last but one": ([-2], [-FAR], [1], [-1]),
    "two axes": ([0, -3], [-1, FAR], [1, -1], [1, 1]),
    "the one event backwards": ([-1], [-FAR], [0], [-1]),
    "three axes": ([0, 1, 3], [2, 3, -5], [-3, 2, 3], [1, 1, -2]),
}


@pytest.mark.parametrize("name", SLICES)
def test_slices_of_any_axis(tmp_path: Path, name: str) -> None:
    check(tmp_path, lambda graph: graph.add("Slice", "x", *(graph.store(one, np.int64) for one in SLICES[name])), CUBE)


@pytest.mark.parametrize("shape", [SQUARE, LINE], ids=str)
@pytest.mark.parametrize(("start", "end", "step"), [(1, 3, 1), (-1, -FAR, -1), (0, FAR, 3)])
def test_slices_of_lines(tmp_path: Path, shape: tuple[int, ...], start: int, end: int, step: int) -> None:
    check(
        tmp_path,
        lambda graph: graph.add("Slice", "x", *(graph.store([one], np.int64) for one in (start, end, 1, step))),
        shape,
    )


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("opset", [11, 17, 18])
def test_every_part_of_a_split_can_be_read(tmp_path: Path, axis: int, opset: int) -> None:
    def build(graph: Graph) -> list[str]:
        sizes = [1, 3]
        if opset == 18:
            first = graph.add("Split", "x", axis=axis, num_outputs=2, outputs=2)
        elif opset == 17:
            first = graph.add("Split", "x", graph.store(sizes, np.int64), axis=axis, outputs=2)
        else:
            first = graph.add("Split", "x", axis=axis, split=sizes, outputs=2)
        return [graph.add("Relu", f"{first}_1"), first]

    check(tmp_path, build, CUBE, opset=opset)


@pytest.mark.parametrize("indices", [2, -1, [3, 0], [1, 1, -2], [[0, 1], [2, 3]]], ids=str)
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_gathering_on_any_axis(tmp_path: Path, axis: int, indices: Any) -> None:
    check(tmp_path, lambda graph: graph.add("Gather", "x", graph.store(indices, np.int64), axis=axis), CUBE)


@pytest.mark.parametrize("kind", ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"])
@pytest.mark.parametrize("axes", [[1], [2], [-1], [1, 2], [1, 3], [2, 3], [1, 2, 3]], ids=str)
def test_reductions_over_any_axes(tmp_path: Path, kind: str, axes: list[int]) -> None:
    def build(graph: Graph) -> str:
        return graph.add(kind, "x", graph.store(axes, np.int64), keepdims=len(axes) % 2)

    check(tmp_path, build, CUBE, opset=18)


@pytest.mark.parametrize("noop", [0, 1])
def test_a_reduction_without_axes_is_over_all_or_none(tmp_path: Path, noop: int) -> None:
    check(tmp_path, lambda graph: graph.add("ReduceMax", "x", noop_with_empty_axes=noop), CUBE, opset=18)


@pytest.mark.parametrize("shape", [(1, 8, 2, 3), (1, 4, 3, 4), (1, 12, 2, 2)], ids=str)
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_channels_become_cells(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    check(tmp_path, lambda graph: graph.add("DepthToSpace", "x", blocksize=2, mode=mode), shape)


def test_cells_become_channels(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("SpaceToDepth", "x", blocksize=2), (1, 3, 4, 6))


@pytest.mark.parametrize(
    "pads", [[0, 1, 0, 0, 0, 0, 0, 2], [0, 2, 0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 3, 0, 0]], ids=str
)
def test_zeros_at_the_ends_of_any_axis(tmp_path: Path, pads: list[int]) -> None:
    check(tmp_path, lambda graph: graph.add("Pad", "x", graph.store(pads, np.int64)), CUBE)


@pytest.mark.parametrize("kind", ["Max", "Min"])
@pytest.mark.parametrize("shape", [(), (4,), (4, 1), (4, 1, 1), (4, 4), (1, 4, 1, 4), (4, 4, 4)], ids=str)
def test_limits_of_every_broadcast_shape(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    check(tmp_path, lambda graph: graph.add(kind, graph.store(grid(4, *shape)), "x"), CUBE)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1,), (), (4, 1), (4, 4)], ids=str)
def test_a_bias_of_every_shape_is_added_where_it_belongs(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Four rows of four: a column of biases differs from a row of them in its places only."""

    def build(graph: Graph) -> str:
        rows = graph.add("Reshape", "x", graph.store([4, 4], np.int64))
        sums = graph.add("Gemm", rows, graph.store(grid(1, 4, 4)), graph.store(grid(2, *shape)))
        return graph.add("Reshape", sums, graph.store([1, 4, 4], np.int64))

    check(tmp_path, build, SQUARE)


def test_infinite_limits_limit_nothing(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Clip", "x", graph.store(-np.inf), graph.store(1.5)), CUBE)


OLD: dict[str, Callable[[Graph], str]] = {
    "a constant counted from its axis": lambda graph: graph.add(
        "Add", "x", graph.store(grid(1, 4)), axis=1, broadcast=1
    ),
    "two axes counted from the first": lambda graph: graph.add(
        "Mul", "x", graph.store(grid(1, 4, 4)), axis=1, broadcast=1
    ),
    "a constant at the end": lambda graph: graph.add("Sub", "x", graph.store(grid(1, 4)), broadcast=1),
    "slopes for each channel": lambda graph: graph.add("PRelu", "x", graph.store(grid(1, 4))),
}


@pytest.mark.parametrize("name", OLD)
def test_constants_of_old_operator_sets_are_aligned_as_these_say(tmp_path: Path, name: str) -> None:
    """No evaluator takes operator set 6 any more, so the same operator of set 17 gives the answer."""
    shapes = {
        "a constant counted from its axis": (4, 1, 1),
        "two axes counted from the first": (4, 4, 1),
        "slopes for each channel": (4, 1, 1),
    }
    old = Graph.empty()
    onnx.save(old.model({"x": CUBE}, [OLD[name](old)], 6), path := tmp_path / "old.onnx")
    twin = Graph.empty()
    end = OLD[name](twin)
    del twin.nodes[-1].attribute[:]
    twin.stored["w0"] = twin.stored["w0"].reshape(shapes.get(name, (4,)))
    found = answers(twin.model({"x": CUBE}, [end]), tmp_path)
    agree(found)
    events = [grid(3, 5, 4, 4, 4).astype(np.float64)]
    results = [evaluate(one, events, quantized=True)[one.outputs[0]] for one in (frontends.load(path), found.source)]
    assert np.array_equal(*results)


REFUSED: dict[str, tuple[Callable[[Graph], str], tuple[Any, ...], str]] = {
    "a constant for each of several events": (
        lambda graph: graph.add("Add", "x", graph.store(grid(1, 4, 1, 1, 1))),
        (4, 4, 4, 4),
        "that of events",
    ),
    "a constant of more axes": (
        lambda graph: graph.add("Mul", "x", graph.store(grid(1, 4, 1, 4, 4, 4))),
        ("N", 4, 4, 4),
        "that of events",
    ),
    "a constant of another length": (
        lambda graph: graph.add("Mul", "x", graph.store(grid(1, 3, 1))),
        CUBE,
        "does not fit",
    ),
    "the first of several events": (
        lambda graph: graph.add("Slice", "x", *(graph.store([one], np.int64) for one in (0, 1, 0, 1))),
        ("N", 4, 4),
        "that of events",
    ),
    "several events backwards": (
        lambda graph: graph.add("Slice", "x", *(graph.store([one], np.int64) for one in (-1, -FAR, 0, -1))),
        (4, 4, 4),
        "that of events",
    ),
    "one of several events": (
        lambda graph: graph.add("Gather", "x", graph.store(0, np.int64)),
        ("N", 4),
        "that of events",
    ),
    "a sum over events": (
        lambda graph: graph.add("ReduceSum", "x", graph.store([0], np.int64)),
        ("N", 4),
        "that of events",
    ),
    "a sum over everything": (lambda graph: graph.add("ReduceSum", "x", keepdims=0), (4, 4), "that of events"),
    "softmax over events": (lambda graph: graph.add("Softmax", "x", axis=0), (4, 4), "that of events"),
    "events and channels exchanged": (
        lambda graph: graph.add("Transpose", "x", perm=[1, 0]),
        ("N", 4),
        "that of events",
    ),
    "events joined": (lambda graph: graph.add("Concat", "x", "x", axis=0), ("N", 4), "that of events"),
    "events flattened": (lambda graph: graph.add("Flatten", "x", axis=0), ("N", 4), "that of events"),
    "a number of events of its own": (
        lambda graph: graph.add("Reshape", "x", graph.store([2, -1], np.int64)),
        ("N", 4),
        "not that of events",
    ),
    "an input without events": (lambda graph: graph.add("Relu", "x"), (10,), "no axis of events"),
    "an index that is not there": (
        lambda graph: graph.add("Gather", "x", graph.store(4, np.int64), axis=1),
        LINE,
        "does not have",
    ),
    "parts that do not fit": (
        lambda graph: graph.add("Split", "x", graph.store([1, 2], np.int64), axis=1, outputs=2),
        LINE,
        "cannot be split",
    ),
    "an empty slice": (
        lambda graph: graph.add("Slice", "x", *(graph.store([one], np.int64) for one in (3, 1, 1))),
        LINE,
        "is empty",
    ),
    "an axis cut twice": (
        lambda graph: graph.add("Slice", "x", *(graph.store(one, np.int64) for one in ([0, 1], [2, 3], [1, -1]))),
        LINE,
        "do not fit",
    ),
    "an unknown attribute": (
        lambda graph: graph.add("Relu", "x", limit=6.0),
        LINE,
        "the attribute 'limit' of Relu is not known",
    ),
    "a comparison": (lambda graph: graph.add("Greater", "x", graph.store(0.0)), LINE, "comparisons of tensors"),
    "a choice": (lambda graph: graph.add("Where", "x", "x", "x"), LINE, "a condition that the network computes"),
    "a square root": (lambda graph: graph.add("ReduceL2", "x"), LINE, "square roots"),
    "kernel sizes that differ": (
        lambda graph: graph.add("ConvTranspose", "x", graph.store(grid(1, 4, 2, 3)), kernel_shape=[2]),
        SQUARE,
        "kernel_shape differs",
    ),
    "a bias that is no vector": (
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 4, 4, 1)), graph.store(grid(2, 4, 1))),
        SQUARE,
        "does not fit 4 outputs",
    ),
    "a zero point of another shape": (
        lambda graph: graph.add("QuantizeLinear", "x", graph.store([0.5, 1, 1, 1]), graph.store([0, 0], np.int8)),
        LINE,
        "does not fit a scale",
    ),
    "blocks that do not fit": (lambda graph: graph.add("DepthToSpace", "x", blocksize=3), CUBE, "do not become blocks"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_right_answer_is_refused_by_name(tmp_path: Path, name: str) -> None:
    build, shape, words = REFUSED[name]
    graph = Graph.empty()
    onnx.save(graph.model({"x": shape}, [build(graph)], 17), path := tmp_path / "m.onnx")
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    assert words in str(caught.value)
    assert caught.value.code != "FC001"


FOLDED: dict[str, tuple[Callable[[Graph], str], Any]] = {
    "a limit above only": (lambda graph: graph.add("Clip", graph.store([1.0, 5.0]), "", graph.store(2.0)), [1.0, 2.0]),
    "whole numbers wrap": (
        lambda graph: graph.add(
            "Cast", graph.add("Add", graph.store([200], np.uint8), graph.store([100], np.uint8)), to=1
        ),
        [44.0],
    ),
    "a narrower type": (
        lambda graph: graph.add("Cast", graph.add("Cast", graph.store([300], np.int32), to=2), to=1),
        [44.0],
    ),
    "truth values": (
        lambda graph: graph.add("Cast", graph.add("Cast", graph.store([2.5, 0.0]), to=9), to=1),
        [1.0, 0.0],
    ),
    "half precision": (
        lambda graph: graph.add("Cast", graph.add("Cast", graph.store([0.1]), to=10), to=1),
        [float(np.float16(0.1))],
    ),
    "a division of whole numbers": (
        lambda graph: graph.add(
            "Cast", graph.add("Div", graph.store([-7, 7], np.int64), graph.store([2, -2], np.int64)), to=1
        ),
        [-3.0, -3.0],
    ),
    "a part of a shape": (
        lambda graph: graph.add("Cast", graph.add("Shape", graph.store(np.ones((5, 6, 7))), start=1, end=-1), to=1),
        [6.0],
    ),
}


@pytest.mark.parametrize("name", FOLDED)
def test_operators_on_constants_answer_as_the_reference(tmp_path: Path, name: str) -> None:
    build, wanted = FOLDED[name]
    graph = Graph.empty()
    folded = build(graph)
    agree(answers(graph.model({"x": (1, len(wanted))}, [graph.add("Add", "x", folded)]), tmp_path, form="fixed<24,12>"))
    (bias,) = (layer.operation for layer in frontends.load(tmp_path / "m.onnx").layers[1:])
    np.testing.assert_array_equal(bias.statistics.beta.values, wanted)


@pytest.mark.agree
@pytest.mark.parametrize("io", list(IoType))
def test_parts_of_channels_and_blocks_are_proven(tmp_path: Path, io: IoType) -> None:
    graph = Graph.empty()
    image = graph.quant(
        graph.add("Conv", graph.quant("x", 0.5, 4), graph.quant(graph.store(grid(1, 8, 4, 1, 1)), 0.25, 4)), 0.5, 5
    )
    first = graph.add("Split", image, axis=1, outputs=2)
    both = graph.add("Sub", graph.add("Abs", first), graph.add("Floor", f"{first}_1"))
    total = graph.add("ReduceSum", both, graph.store([1], np.int64), keepdims=0)
    turned = graph.add("Gather", both, graph.store([3, 1], np.int64), axis=1)
    onnx.save(graph.model({"x": CUBE}, [total, turned]), path := tmp_path / "m.onnx")
    record = fpgacnn.convert(path, output=tmp_path / "project", input_type="fixed<8,4>", io=str(io), csim_events=16)
    assert record.holds
