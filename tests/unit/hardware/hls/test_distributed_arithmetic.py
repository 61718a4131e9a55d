"""The strategy da: what it refuses by name, and that its code is the one that hls4ml itself would write."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import Design, IoType, Strategy
from fpgacnn.errors import AdderGraphFailedError, ForeignToolError, MissingExtraError, UnsupportedOptionError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.calibration.own_designs import OwnDesign, write_own_designs
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.hls.da import kernels
from fpgacnn.hardware.hls.da.kernels import ConstantMatrix, kernel_codes, kernels_of
from fpgacnn.hardware.hls.da.rules import significant_bits
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.hardware.hls.node import DISTRIBUTED_ARITHMETIC
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format, parse_format
from tests.support.networks import Builder
from tests.support.optional import needs_da4ml


def small(**target: object) -> Design:
    build = Builder(seed=3)
    hidden = build.convolution(build.input((4, 4, 2)), (2, 2, 2, 3), (3, 3, 3))
    build.end(build.cast(hidden, (3, 3, 3), "ufixed<4,2,RND,SAT>"))
    build.end(build.depthwise(build.input((4, 4, 2)), (2, 2, 2), (3, 3, 2)))
    build.end(build.dense(build.input((5,)), 5, 4))
    return build.design(IoType.PARALLEL, **target)


def test_products_get_the_strategy_and_other_layers_do_not() -> None:
    found = {node.name: (node.kind, node.strategy) for node in lower(small(strategy=Strategy.DA)).nodes}
    assert found["n1"] == ("Conv2D", DISTRIBUTED_ARITHMETIC)
    assert found["n2"] == ("Activation", "Latency")
    assert found["n4"] == ("Conv2D", DISTRIBUTED_ARITHMETIC)  # a depthwise kernel, filled up with zeros
    assert found["n6"] == ("Dense", DISTRIBUTED_ARITHMETIC)


def test_a_single_layer_can_have_the_strategy() -> None:
    nodes = lower(small(strategy_of={"n6": Strategy.DA})).nodes
    assert [node.name for node in nodes if node.strategy == DISTRIBUTED_ARITHMETIC] == ["n6"]
    assert next(node.kind for node in nodes if node.name == "n4") == "DepthwiseConv2D"


@pytest.mark.parametrize(
    ("target", "layer", "words"),
    [
        ({"strategy": Strategy.DA, "reuse": 2}, "n1", "a reuse factor of 2 with the strategy da"),
        ({"strategy": Strategy.DA, "reuse_of": {"n6": 4}}, "n6", "a reuse factor of 4"),
        ({"strategy_of": {"n2": Strategy.DA}}, "n2", "is for dense layers and convolutions"),
    ],
)
def test_what_is_wrong_is_refused_by_name(target: dict[str, object], layer: str, words: str) -> None:
    with pytest.raises(UnsupportedOptionError, match=words) as caught:
        lower(small(**target))
    assert caught.value.data["layer"] == layer


def test_reuse_of_a_layer_with_another_strategy_is_no_matter() -> None:
    lower(small(strategy=Strategy.DA, strategy_of={"n1": Strategy.RESOURCE}, reuse_of={"n1": 2}))


def test_weights_that_float32_does_not_hold_are_refused() -> None:
    build = Builder(seed=4)
    build.end(build.dense(build.input((2,)), 2, 2))
    design = build.design(IoType.PARALLEL, strategy=Strategy.DA)
    layer = design.model.layers[1]
    assert isinstance(layer.operation, hw.Dense)
    wide = Codes(array=np.array([[1, 0], [0, (1 << 24) + 1]]), format=Format(width=26, integer=1))
    operation = replace(layer.operation, kernel=wide)
    model = replace(design.model, layers=(design.model.layers[0], replace(layer, operation=operation)))
    with pytest.raises(UnsupportedOptionError, match="weights of 25 significant bits; da4ml keeps 24"):
        lower(replace(design, model=model))


@pytest.mark.parametrize(("codes", "bits"), [([0, 0], 0), ([4, -8], 1), ([6], 2), ([-7], 3), ([1 << 30, 5 << 20], 3)])
def test_significant_bits_leave_out_trailing_zeros(codes: list[int], bits: int) -> None:
    assert significant_bits(np.array(codes)) == bits


def test_an_accumulator_that_rounds_is_refused() -> None:
    build = Builder(seed=4)
    name = build.dense(build.input((2,)), 2, 2)
    build.accumulators[name] = parse_format("fixed<8,4,RND,SAT>")
    build.end(name)
    with pytest.raises(UnsupportedOptionError, match="its accumulator rounds or saturates"):
        lower(build.design(IoType.PARALLEL, strategy=Strategy.DA))


@needs_da4ml
def test_the_estimate_counts_the_bits_of_the_adders() -> None:
    """1.047 LUTs for each bit after placement, no DSP slice, and cycles for the adders one after another."""
    design = small(strategy=Strategy.DA)
    graph = hardware_graph(design)
    found = {layer.name: layer for layer in estimate(graph).layers}
    for layer in graph.layers:
        if layer.adder_graph is not None:
            one, bits = found[layer.name], layer.adder_graph.bits
            assert one.after_synthesis.lut.low > 0.93 * 1.047 * bits
            assert one.after_synthesis.lut.value > 1.047 * bits
            assert one.resources.dsp.value == one.multipliers == 0
            assert f"with {bits} bits" in one.method
    graphs = {layer.name: layer.adder_graph.bits for layer in graph.layers if layer.adder_graph}
    assert list(graphs) == ["n1", "n4", "n6"]
    assert found["n6"].after_synthesis.lut.value < 1.047 * graphs["n6"] + 100  # a dense layer has nothing else
    fast, slow = (
        estimate(hardware_graph(replace(design, target=replace(design.target, clock_ns=clock))))
        for clock in (1.2, 20.0)
    )
    assert fast.totals.latency_cycles.value > slow.totals.latency_cycles.value
    assert fast.totals.resources.ff.value > slow.totals.resources.ff.value


@needs_da4ml
@pytest.mark.parametrize("ratio", [0.25, 4.0])
def test_corrections_by_own_designs_keep_the_bits_of_the_adders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratio: float
) -> None:
    """What is subtracted from csynth's numbers is corrected like them; the LUTs of the adders are not corrected."""
    monkeypatch.setenv("FPGACNN_CALIBRATION", str(tmp_path / "calibration.json"))
    graph = hardware_graph(small(strategy=Strategy.DA))
    plain = estimate(graph).after_synthesis
    own = OwnDesign(
        name="own",
        firmware="a1",
        tool=graph.tool.value,
        version=graph.version or "",
        part=graph.part,
        clock_ns=graph.clock_ns,
        io=graph.io.value,
        estimated={"LUT": 1000.0, "FF": 1000.0, "after LUT": 1000.0, "after FF": 1000.0},
        reported={"LUT": 1000.0 * ratio, "FF": 1000.0 * ratio, "after LUT": 1000.0, "after FF": 1000.0},
    )
    write_own_designs([replace(own, firmware=str(place)) for place in range(99)])
    found = estimate(graph)
    for figure in (found.after_synthesis.lut, *(layer.after_synthesis.lut for layer in found.layers)):
        assert 0 <= figure.low <= figure.value <= figure.high
    assert found.after_synthesis.lut.value == pytest.approx(plain.lut.value, rel=0.01)
    assert found.after_synthesis.ff.value == pytest.approx(plain.ff.value, rel=0.01)


def matrix(weights: list[list[int]]) -> ConstantMatrix:
    return ConstantMatrix(
        layer="fc",
        weights=np.array(weights),
        weight=Format(width=4, integer=1),
        biases=np.zeros(len(weights[0]), np.int64),
        bias=Format(width=4, integer=1),
        given=Format(width=4, integer=2),
    )


def test_a_missing_da4ml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "TOOL", "no_such_package_da4ml")
    with pytest.raises(MissingExtraError, match=r"da4ml>=0\.5\.2,<0\.6") as caught:
        kernel_codes({"fc": matrix([[1, 3], [7, 7]])})
    assert caught.value.hint == "pip install 'fpgacnn[da]'"


@needs_da4ml
def test_another_version_of_da4ml_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "VERSIONS", ("9.",))
    with pytest.raises(ForeignToolError, match=r"version 0\.5\.\d+ is installed"):
        kernel_codes({"fc": matrix([[1, 3], [7, 5]])})


@needs_da4ml
def test_a_graph_of_another_matrix_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = matrix([[1, 3], [7, 6]])
    text = kernel_codes({"fc": right})["fc"].text
    monkeypatch.setattr(kernels, "_answers", lambda _: [(text, 0.0)])
    with pytest.raises(AdderGraphFailedError, match="layer 'fc': the adder graph of da4ml is wrong: output 1"):
        kernel_codes({"fc": matrix([[1, 3], [7, 5]])})


HLS4ML = """
import sys
from fpgacnn.hardware.hls import hls4ml_adapter
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.design import IoType, Strategy
from tests.unit.hardware.hls.test_distributed_arithmetic import small
import contextlib
if sys.argv[1] == "hls4ml":
    hls4ml_adapter._adder_graphs = lambda *_: contextlib.nullcontext()
from dataclasses import replace
design = small(strategy=Strategy.DA)
design = replace(design, target=replace(design.target, io=IoType(sys.argv[2])))
for name, content in sorted(convert(design).files.items()):
    if name.endswith((".cpp", ".h")):
        sys.stdout.write(f"=== {name}\\n" + content.decode())
"""


@needs_da4ml
@pytest.mark.parametrize("io", IoType)
def test_the_project_is_the_one_that_hls4ml_writes_when_it_calls_da4ml_itself(io: IoType) -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"}
    ours, theirs = (
        subprocess.run(
            [sys.executable, "-c", HLS4ML, who, io.value], env=environment, capture_output=True, check=True, timeout=600
        ).stdout.decode()
        for who in ("fpgacnn", "hls4ml")
    )
    assert "dense_da_" in ours
    assert ours == theirs


def test_equal_matrices_have_equal_keys_and_others_do_not() -> None:
    one = matrix([[1, 2], [3, 4]])
    assert one.key == replace(one, layer="other").key
    others = (
        replace(one, weights=np.array([[1, 2], [3, 5]])),
        replace(one, weights=np.array([[1, 2, 3, 4]])),
        replace(one, biases=np.array([0, 1])),
        replace(one, given=Format(width=4, integer=2, signed=False)),
        replace(one, weight=Format(width=5, integer=1)),
        replace(one, bias=Format(width=5, integer=1)),
    )
    assert len({one.key, *(other.key for other in others)}) == 1 + len(others)


def test_the_input_format_is_that_of_the_layer_before() -> None:
    found = kernels_of(lower(small(strategy=Strategy.DA)).nodes)
    assert {name: str(kernel.given) for name, kernel in found.items()} == dict.fromkeys(
        ("n1", "n4", "n6"), "fixed<6,2>"
    )
    assert found["n4"].weights.shape == (8, 2)
