"""Products behind concatenations of values of different widths: where they are split, and that no answer changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import BackendName, Design, IoType, Multiplier, Strategy, Target
from fpgacnn.design.design import by_layer
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.ir.source import Concatenate
from fpgacnn.passes.precision import fold_casts, legalize
from fpgacnn.passes.precision.narrowing.product_costs import Folding, Products
from fpgacnn.passes.quantization import quantize
from fpgacnn.pipeline.planning import legalize_network
from fpgacnn.pipeline.remarks import not_compared
from fpgacnn.pipeline.request import Request
from fpgacnn.sim.compare import against_reference, compare
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import Entry, entry, functional_file, input_layer, quantized_bits

WIDE = parse_format("fixed<18,6>")
SPLITS = Folding(splits=True)
EVENTS = 30


def quantized(kind: str, name: str, source: str, kernel: tuple[int, ...], **options: Any) -> Entry:
    """A layer with weights of 4 bits."""
    random = np.random.default_rng([len(name), *kernel])
    weights = {"kernel": random.uniform(-1.9, 1.9, kernel).astype(np.float32), "bias": np.full(kernel[-1], 0.25)}
    quantizers = {name: quantized_bits(4, 1, alpha=1.0) for name in ("kernel_quantizer", "bias_quantizer")}
    size = {"units": kernel[-1]} if len(kernel) == 2 else {"filters": kernel[-1], "kernel_size": kernel[:-2]}
    return entry(kind, name, source, weights=weights, **quantizers, **size, **options)


def conv(name: str, source: str, inputs: int, filters: int, **options: Any) -> Entry:
    return quantized("QConv2D", name, source, (2, 2, inputs, filters), **options)


def relu(name: str, source: str, bits: int = 4) -> Entry:
    return entry("QActivation", name, source, activation=f"quantized_relu({bits},2)")


def joined(*layers: Entry, axis: int = -1, names: tuple[str, ...] = ("r", "x")) -> list[Entry]:
    """An image `x` of wide values beside a narrow activation `r` of it, and what reads both."""
    narrow = conv("c", "x", 2, 12, padding="same")
    return [input_layer("x", 4, 4, 2), narrow, relu("r", "c"), entry("Concatenate", "cat", *names, axis=axis), *layers]


CONVOLUTION = joined(conv("sums", "cat", 14, 6, padding="valid"), relu("s", "sums"))
PADDED = joined(conv("sums", "cat", 14, 6, padding="same"), relu("s", "sums"))
FLATTENED = joined(entry("Flatten", "f", "cat"), quantized("QDense", "s", "f", (224, 5)))
NESTED = [
    *joined()[:-1],
    entry("QActivation", "w", "x", activation="quantized_bits(2,0)"),
    entry("Concatenate", "cat", "r", "x", "w", axis=-1),
    conv("sums", "cat", 16, 6, padding="same"),
    relu("s", "sums"),
]
VECTORS = [
    input_layer("x", 12),
    quantized("QDense", "d", "x", (12, 20)),
    relu("r", "d"),
    entry("Concatenate", "cat", "x", "r"),
    quantized("QDense", "s", "cat", (32, 6)),
]
NETWORKS = {
    "convolution": CONVOLUTION,
    "padding": PADDED,
    "flatten": FLATTENED,
    "three inputs": NESTED,
    "vectors": VECTORS,
}


def designs(file: Path, folding: Folding = SPLITS, *, folds: bool = True) -> tuple[Design, Design]:
    """The design with whole products, and the one with products that may be split."""
    found = quantize(frontends.load(file), inputs=[WIDE])
    target = Target(io=IoType.STREAM, backend=BackendName.VIVADO)
    pairs = [legalize(found, one) for one in (replace(folding, splits=False), folding)]
    whole, split = (
        Design(model=model, plan=plan, target=target)
        for model, plan in (fold_casts(*one) if folds else one for one in pairs)
    )
    return whole, split


def file_of(tmp_path: Path, layers: list[Entry], *outputs: str) -> Path:
    return functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=list(outputs or ("s",)))


def parts(design: Design) -> list[str]:
    """The products that are parts of a sum, in their order, with the bits of what they read."""
    return [
        f"{layer.source} of {design.plan.layers[layer.inputs[0]].result.format.width}"
        for layer in design.model.layers
        if isinstance(layer.operation, hw.Linear) and not layer.is_result
    ]


def events(design: Design) -> list[Codes]:
    shape = design.model.layer("x").shape
    array = np.random.default_rng(7).integers(WIDE.low, WIDE.high, (EVENTS, *shape), endpoint=True)
    array[0], array[1] = WIDE.low, WIDE.high
    return [Codes(array=array, format=WIDE)]


@pytest.mark.parametrize(
    ("name", "products"), [*((name, Products.CONSTANTS) for name in NETWORKS), ("padding", Products.ADDERS)]
)
def test_a_split_product_gives_the_codes_of_the_whole_one(tmp_path: Path, name: str, products: Products) -> None:
    whole, split = designs(file_of(tmp_path, NETWORKS[name]), Folding(products=products, splits=True))
    assert parts(whole) == []
    source = "s" if name in {"flatten", "vectors"} else "sums"
    assert parts(split) == [f"{source} of 18", f"{source} of {5 if name == 'three inputs' else 4}"]
    last = split.model.layer("s")
    assert isinstance(last.operation, hw.Merge)
    assert last.sums_of == source
    assert split.plan.is_lossless
    assert split.plan.is_exact == whole.plan.is_exact
    given = events(whole)
    left, right = (ReferenceEmulator(one).run(given, trace=True).trace for one in (whole, split))
    shared = left.keys() & right.keys()
    assert {"r", "s"} <= shared
    for node in shared:
        np.testing.assert_array_equal(left[node].values, right[node].values, err_msg=node)
    assert len(np.unique(right["s"].array)) > 10
    counts = [estimate(hardware_graph(one)).totals.resources for one in (whole, split)]
    assert counts[1].lut.value < counts[0].lut.value
    assert counts[1].dsp.value <= counts[0].dsp.value


@pytest.mark.parametrize("name", NETWORKS)
def test_each_layer_that_has_a_result_is_compared_with_the_network(tmp_path: Path, name: str) -> None:
    file = file_of(tmp_path, NETWORKS[name])
    _, split = designs(file, folds=False)
    network, given = frontends.load(file), events(split)
    run = ReferenceEmulator(split).run(given, trace=True)
    report = against_reference(split, run, evaluate(network, [given[0].values], quantized=True), name="n", exactness=0)
    assert report.holds, report
    left = {"cat", "f"} & {layer.name for layer in network.layers}
    assert parts(split)
    assert {layer.source for layer in split.model.layers if layer.name in report.compared} == {
        layer.name for layer in network.layers if layer.name not in left
    }
    notes = not_compared(split, network, set(report.compared))
    assert {one for note in notes for one in note.rpartition(": ")[2].split(", ")} == left


@pytest.mark.parametrize(
    ("layers", "outputs", "why"),
    [
        (CONVOLUTION, ("s", "cat"), "an output"),
        ([*CONVOLUTION, conv("other", "cat", 14, 2)], ("s", "other"), "two readers"),
        (joined(conv("s", "cat", 12, 5), axis=1, names=("r", "r2")), (), "another axis"),
        (joined(conv("s", "cat", 4, 5), names=("x", "x")), (), "a tensor beside itself"),
        (joined(conv("s", "cat", 24, 5), names=("r", "r2")), (), "one width"),
        (joined(relu("q", "cat", 6), conv("s", "q", 14, 5)), (), "a quantizer between"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_other_products_stay_whole(tmp_path: Path, layers: list[Entry], outputs: tuple[str, ...], why: str) -> None:
    if "r2" in layers[3].inputs[0]:
        layers = [*layers[:3], conv("c2", "x", 2, 12, padding="same"), relu("r2", "c2"), *layers[3:]]
    _, split = designs(file_of(tmp_path, layers, *outputs))
    assert parts(split) == []
    assert any(isinstance(layer.operation, Concatenate) for layer in split.model.layers) or why == "a quantizer between"


def test_streams_of_hls_with_products_of_their_own_are_split(tmp_path: Path) -> None:
    file = file_of(tmp_path, CONVOLUTION)
    found = quantize(frontends.load(file), inputs=[WIDE])
    request = Request(model=file, target=Target(io=IoType.STREAM))

    def splits(one: Request) -> bool:
        model, _ = legalize_network(found, one)
        return any(isinstance(layer.operation, hw.Merge) for layer in model.layers)

    def aimed(**target: Any) -> Request:
        return replace(request, target=replace(request.target, **target))

    assert splits(request)
    assert splits(aimed(strategy=Strategy.DA))
    assert splits(aimed(strategy_of={"c": Strategy.RESOURCE}))
    assert not splits(aimed(strategy=Strategy.RESOURCE))
    assert not splits(aimed(strategy_of={"s": Strategy.RESOURCE}))
    assert not splits(aimed(io=IoType.PARALLEL))
    assert not splits(aimed(backend=BackendName.RTL))
    assert not splits(replace(request, fold=False))


def test_settings_of_a_layer_are_those_of_both_parts(tmp_path: Path) -> None:
    _, split = designs(file_of(tmp_path, CONVOLUTION))
    for name in ("sums", "s"):
        target = replace(split.target, reuse_of={name: 2}, multiplier_of={name: Multiplier.DSP})
        found = lower(replace(split, target=by_layer(target, split.model))).nodes
        kinds = [(node.reuse, node.multiplier) for node in found if node.kind == "Conv2D"]
        assert kinds == [(1, Multiplier.AUTO), (2, Multiplier.DSP), (2, Multiplier.DSP)]


@pytest.mark.agree
def test_engines_agree(tmp_path: Path) -> None:
    _, design = designs(file_of(tmp_path, NETWORKS["three inputs"]))
    assert len(parts(design)) == 2
    given = events(design)
    actual = CSim(convert(design, trace=True), design).run(given, trace=True)
    report = compare(actual, ReferenceEmulator(design).run(given, trace=True))
    assert report.first is None, report
    assert report.holds


def test_a_split_stays_where_an_output_has_a_bound_and_scales_are_shortened(tmp_path: Path) -> None:
    numbers = {"gamma": [0.731, 1.13], "beta": [0.11, -0.3], "moving_mean": [0.2, 0.1], "moving_variance": [1.3, 0.77]}
    weights = {name: np.array(one, np.float32) for name, one in numbers.items()}
    layers = [
        input_layer("x", 4, 4, 2),
        conv("c", "x", 2, 12, padding="same"),
        relu("r", "c"),
        entry("BatchNormalization", "b", "x", weights=weights, axis=[-1], epsilon=1e-3, center=True, scale=True),
        entry("Concatenate", "cat", "r", "b", axis=-1),
        conv("sums", "cat", 14, 6, padding="same"),
        entry("Activation", "s", "sums", activation="tanh"),
    ]
    whole, split = designs(file_of(tmp_path, layers))
    assert len(parts(split)) == 2
    assert split.plan.layers["s"].error <= 2 * whole.plan.layers["s"].error
