"""Normalizations in the weights of the layer behind: where, at what cost, and what tables say of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import BackendName, Design, IoType, Strategy, Target, serialize
from fpgacnn.design.design import by_layer
from fpgacnn.design.validate import InvalidDesignError, check
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.passes.precision import fold_casts, legalize
from fpgacnn.passes.precision.narrowing.product_costs import Folding, Products
from fpgacnn.passes.quantization import quantize
from fpgacnn.pipeline.planning import legalize_network
from fpgacnn.pipeline.remarks import not_compared
from fpgacnn.pipeline.request import Request
from fpgacnn.records.describe import _what
from fpgacnn.sim.compare import against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.profiling.profile import profiled
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import Entry, entry, functional_file, input_layer, quantized_bits, sequential_file
from tests.unit.test_float_scales import FORM, SIZE, batch, dense, relu

WIDE = 16
"""Bits of weights that a tool multiplies by multipliers, with a scale in them or not."""


def powers(name: str, *, channels: int = SIZE, shift: float = 0.5) -> Entry:
    """A normalization by a power of two."""
    ones = np.ones(channels, np.float32)
    weights = {"gamma": ones / 4, "beta": ones * shift, "moving_mean": ones * 0, "moving_variance": ones}
    return entry("BatchNormalization", name, weights=weights, epsilon=0.0)


def convolution(name: str, *, padding: str, bits: int = WIDE) -> Entry:
    random = np.random.default_rng(5)
    weights = {"kernel": random.normal(size=(2, 2, 2, 3)).astype(np.float32), "bias": np.full(3, 0.25, np.float32)}
    quantizer = quantized_bits(bits, 2, alpha=1.0)
    options = {"kernel_quantizer": quantizer, "bias_quantizer": quantizer, "padding": padding, "kernel_size": [2, 2]}
    return entry("QConv2D", name, filters=3, weights=weights, **options)


CONSTANTS = Folding()


def designs(file: Path, folding: Folding = CONSTANTS) -> tuple[Design, Design]:
    """The design with every layer of its own, and with scales and casts folded."""
    network = frontends.load(file)
    quantized = quantize(network, inputs=[FORM] * len(network.inputs))
    target = Target(io=IoType.STREAM, backend=BackendName.VIVADO)
    pairs = (fold_casts(*legalize(quantized, one)) for one in (None, folding))
    plain, folded = (Design(model=model, plan=plan, target=target) for model, plan in pairs)
    return plain, folded


def chain(tmp_path: Path, *layers: Entry, shape: tuple[int, ...] = (SIZE,)) -> Path:
    return sequential_file(tmp_path / "m.h5", *layers, shape=shape)


def taken(design: Design) -> dict[str, tuple[str, ...]]:
    """The scales in the weights of each node that has any."""
    return {layer.name: layer.scales for layer in design.model.layers if layer.scales}


def answers(design: Design, events: int = 40) -> dict[str, Codes]:
    random = np.random.default_rng(7)
    codes = [
        Codes(array=random.integers(FORM.low, FORM.high, (events, *layer.shape), endpoint=True), format=FORM)
        for layer, _ in design.model.input_layers
    ]
    return dict(ReferenceEmulator(design).run(codes, trace=True).trace)


def test_a_normalization_before_wide_weights_goes_and_no_answer_changes(tmp_path: Path) -> None:
    plain, folded = designs(chain(tmp_path, relu("r", bits=8), batch("b"), dense("d", bits=WIDE), relu("s", bits=4)))
    assert taken(folded) == {"s": ("b",)}
    assert folded.model.layer("s").folded == ("b", "d")
    assert folded.model.layer("s").sums_of == "d"
    assert plain.plan.is_lossless
    assert folded.plan.is_lossless
    assert folded.plan.is_exact == plain.plan.is_exact
    left, right = answers(plain), answers(folded)
    for name in left.keys() & right.keys():
        np.testing.assert_array_equal(left[name].values, right[name].values, err_msg=name)


@pytest.mark.parametrize("products", Products)
def test_a_power_of_two_goes_into_weights_of_every_kind(tmp_path: Path, products: Products) -> None:
    """The weights keep their bits, and the data before them is narrower."""
    file = chain(tmp_path, relu("r", bits=6), powers("b"), dense("d", bits=4), relu("s", bits=4))
    plain, folded = designs(file, Folding(products=products))
    assert taken(folded) == {"s": ("b",)}
    left, right = answers(plain)["s"], answers(folded)["s"]
    np.testing.assert_array_equal(left.array, right.array)


@pytest.mark.parametrize(
    ("padding", "shift", "goes"), [("valid", 0.5, True), ("same", 0.5, False), ("same", 0.0, True)]
)
def test_padding_takes_a_scale_without_a_shift_only(tmp_path: Path, padding: str, shift: float, *, goes: bool) -> None:
    layers = (
        relu("r", bits=6),
        powers("b", channels=2, shift=shift),
        convolution("c", padding=padding),
        relu("s", bits=4),
    )
    plain, folded = designs(chain(tmp_path, *layers, shape=(4, 3, 2)))
    assert bool(taken(folded)) == goes
    np.testing.assert_array_equal(answers(plain)["s"].array, answers(folded)["s"].array)


def test_a_flatten_between_repeats_the_channels(tmp_path: Path) -> None:
    layers = (
        relu("r", bits=6),
        batch("b", channels=2),
        entry("Flatten", "f"),
        dense("d", bits=WIDE),
        relu("s", bits=4),
    )
    plain, folded = designs(chain(tmp_path, *layers, shape=(1, SIZE // 2, 2)))
    assert taken(folded) == {"s": ("b",)}
    np.testing.assert_array_equal(answers(plain)["s"].array, answers(folded)["s"].array)


def test_a_flatten_between_is_not_compared_because_it_moves_the_values_before_the_scale(tmp_path: Path) -> None:
    layers = (relu("r", bits=6), batch("b", channels=2), entry("Flatten", "f"), dense("d", bits=WIDE))
    file = chain(tmp_path, *layers, shape=(1, SIZE // 2, 2))
    plain, folded = designs(file)
    assert set(taken(folded).values()) == {("b",)}
    network = frontends.load(file)
    codes = Codes(
        array=np.random.default_rng(3).integers(FORM.low, FORM.high, (60, 1, SIZE // 2, 2), endpoint=True), format=FORM
    )
    real = evaluate(network, [codes.values], quantized=True)
    for design in (plain, folded):
        run = ReferenceEmulator(design).run([codes], trace=True)
        report = against_reference(design, run, real, name="network", exactness=1e-9)
        assert report.holds, report
        assert ("f" in report.compared) == (design is plain)
    run = ReferenceEmulator(folded).run([codes], trace=True)
    assert not np.allclose(run.trace["f"].values, real["f"]), "the scale changes the values"
    assert "before the scale of b" in folded.plan.layers["f"].result.reason
    assert "before the scale of b" not in plain.plan.layers["f"].result.reason
    notes = list(not_compared(folded, network, set(report.compared)))
    assert len(notes) == 2, notes
    assert notes[0].startswith(
        "1 layer has no result in the hardware, because the scale is multiplied into the weights"
    )
    assert notes[1] == (
        f"1 of {len(network.layers)} layers have other values in the hardware than in the file, as a scale or a"
        " quantizer comes later, or have them in parts; only the layers after them were compared: f"
    )
    profile = profiled(folded, network, [codes], [codes.values])
    assert [one.signal_to_noise_db for one in profile.tensors if one.name == "f"] == [None]


def test_weights_of_few_digits_keep_their_adders(tmp_path: Path) -> None:
    """Products of four bits are adders; with a scale of 24 bits each would be a multiplier."""
    _, folded = designs(chain(tmp_path, batch("b"), dense("d", bits=4), relu("s", bits=4)))
    assert taken(folded) == {}


@pytest.mark.parametrize("products", [Products.MEMORY, Products.ADDERS])
def test_wider_weights_are_no_gain_in_memory_or_in_adder_graphs(tmp_path: Path, products: Products) -> None:
    file = chain(tmp_path, batch("b"), dense("d", bits=6), relu("s", bits=4))
    assert taken(designs(file, Folding(products=products))[1]) == {}
    assert taken(designs(file, Folding(products_of={"d": products}))[1]) == {}


def test_a_normalization_that_others_read_or_that_is_an_output_stays(tmp_path: Path) -> None:
    both = (input_layer("x", SIZE), batch("b", "x"), dense("d", "b", bits=WIDE), dense("e", "b", bits=WIDE))
    file = functional_file(tmp_path / "m.h5", *both, inputs=["x"], outputs=["d", "e"])
    assert taken(designs(file)[1]) == {}
    file = functional_file(tmp_path / "o.h5", *both[:3], inputs=["x"], outputs=["b", "d"])
    assert taken(designs(file)[1]) == {}


@pytest.mark.parametrize("bits", [4, 6, 8, 10, WIDE])
def test_an_estimate_has_no_more_luts_and_every_result_is_within_its_bound(tmp_path: Path, bits: int) -> None:
    """Several normalizations, so that outputs have errors and weights are rounded."""
    layers = [relu("r", bits=6)]
    for number in range(2):
        layers += [batch(f"b{number}"), dense(f"d{number}", bits=bits)]
    file = chain(tmp_path, *layers, batch("last"))
    plain, folded = designs(file)
    before, after = (estimate(hardware_graph(one)).totals for one in (plain, folded))
    assert after.resources.lut.value <= before.resources.lut.value
    assert after.fifo_bits <= before.fifo_bits
    network, random = frontends.load(file), np.random.default_rng(3)
    codes = Codes(array=random.integers(FORM.low, FORM.high, (60, SIZE), endpoint=True), format=FORM)
    run, real = ReferenceEmulator(folded).run([codes], trace=True), evaluate(network, [codes.values], quantized=True)
    report = against_reference(folded, run, real, name="network", exactness=1e-9)
    assert report.holds, report
    assert bool(taken(folded)) == (bits >= 8)
    worst = max(one.error for one in folded.plan.layers.values())
    assert worst < 0.001 * max(np.abs(answers(folded)["last"].values).max(), 1.0) + 2 * max(
        one.error for one in plain.plan.layers.values()
    )


def test_weights_of_zero_add_nothing_to_the_bound_of_a_scale_in_the_weights(tmp_path: Path) -> None:
    """Each output reads one channel, and the scales of the channels span five decades."""
    channels, random = 64, np.random.default_rng(11)
    ones, short = np.ones(channels, np.float32), quantized_bits(WIDE, 2, alpha=1.0)
    scales = {"gamma": 10.0 ** random.uniform(-5, 0, channels), "beta": random.normal(0.0, 0.3, channels)}
    constants = {"moving_mean": ones * 0, "moving_variance": ones}
    weights = {key: value.astype(np.float32) for key, value in scales.items()} | constants
    kernel = np.diag(random.uniform(0.5, 2.0, channels)).astype(np.float32)
    options = {"kernel_quantizer": short, "bias_quantizer": short, "units": channels}
    layers = (
        entry("BatchNormalization", "b", weights=weights, epsilon=0.0),
        entry("QDense", "d", weights={"kernel": kernel, "bias": ones * 0}, **options),
    )
    plain, folded = designs(chain(tmp_path, *layers, shape=(channels,)))
    assert taken(folded) != {}
    apart, joined = (max(layer.error for layer in one.plan.layers.values()) for one in (plain, folded))
    assert 0 < joined <= 2 * apart


def test_sums_behind_a_long_scale_are_narrowed_with_the_scale_in_the_weights_too(tmp_path: Path) -> None:
    """The constants are exact in 24 bits, so only the scale says that the width comes from floats."""
    scale = np.ones(SIZE, np.float32) + np.float32(2.0**-22)
    zeros, units = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
    weights = {"gamma": scale, "beta": zeros, "moving_mean": zeros, "moving_variance": units}
    short = entry("BatchNormalization", "b", weights=weights, epsilon=0.0)
    file = chain(tmp_path, short, *(dense(name, bits=WIDE) for name in ("d", "dd", "ddd")))
    plain, folded = designs(file)
    assert taken(plain) == {}
    assert list(taken(folded).values()) == [("b",)]
    assert not folded.plan.is_lossless, "a later sum is rounded, because it has no width"


def test_tables_and_settings_name_the_normalization(tmp_path: Path) -> None:
    file = chain(tmp_path, relu("r", bits=8), batch("b"), dense("d", bits=WIDE), relu("s", bits=4))
    _, design = designs(file)
    network, last = frontends.load(file), design.model.layer("s")
    what = _what(last, design.model, network)
    assert what.startswith("b: ")
    assert "; then d: " in what
    accumulator = design.plan.layers["s"].accumulator
    assert accumulator is not None
    assert "the scale of b is in the weights" in accumulator.reason
    notes = list(not_compared(design, network, {layer.name for layer in design.model.layers}))
    assert [note.partition(" (")[0].rpartition(": ")[2] for note in notes[:2]] == ["d", "b"]
    assert "multiplied into the weights of the layer behind" in notes[1]
    for name in ("b", "d", "s"):
        target = by_layer(
            replace(design.target, reuse_of={name: 2}, strategy_of={name: Strategy.RESOURCE}), design.model
        )
        found = [one for one in lower(replace(design, target=target)).nodes if one.kind == "Dense"]
        assert [(one.reuse, one.strategy) for one in found] == [(2, "Resource")]


def test_no_fold_builds_the_normalization_and_strategies_decide(tmp_path: Path) -> None:
    file = chain(tmp_path, relu("r", bits=8), batch("b"), dense("d", bits=WIDE), relu("s", bits=4))
    quantized = quantize(frontends.load(file), inputs=[FORM])
    request = Request(model=file)

    def has_scale(one: Request) -> bool:
        model, _ = legalize_network(quantized, one)
        return any(isinstance(layer.operation, hw.Affine) for layer in model.layers)

    assert not has_scale(request)
    assert has_scale(replace(request, fold=False))
    assert has_scale(replace(request, target=replace(request.target, strategy=Strategy.RESOURCE)))
    for one in ("b", "d", "s"):
        named = replace(request.target, strategy_of={one: Strategy.RESOURCE})
        assert has_scale(replace(request, target=named)), one
    same = replace(request.target, strategy_of={"b": Strategy.LATENCY, "s": Strategy.LATENCY})
    assert not has_scale(replace(request, target=same))
    shared = replace(request.target, strategy=Strategy.RESOURCE, strategy_of={"s": Strategy.LATENCY})
    assert not has_scale(replace(request, target=shared))


@pytest.mark.parametrize("alpha", [1.0, "auto"])
def test_an_automatic_scale_in_the_weights_of_the_next_layer_is_named_as_a_scale(tmp_path: Path, alpha: Any) -> None:
    """The products of the layer itself are in a node of their own."""
    file = chain(tmp_path, relu("r", bits=6), dense("d", bits=WIDE, alpha="auto"), dense("dx", bits=WIDE, alpha=alpha))
    _, design = designs(file)
    (name,) = taken(design)
    assert taken(design)[name] == ("d",)
    assert any(layer.source == "d" and layer.operation.__class__ is hw.Dense for layer in design.model.layers)
    network = frontends.load(file)
    what = _what(design.model.layer(name), design.model, network)
    assert what.startswith("d: its scale; then ")
    compared = {layer.name for layer in design.model.layers if layer.is_result}
    (note,) = not_compared(design, network, compared)
    assert note.startswith("1 layer has no result in the hardware, because the scale is multiplied into the weights")
    assert "that layer was compared: d (" in note


def test_a_folder_keeps_whose_weights_a_node_has_and_refuses_another_layer(tmp_path: Path) -> None:
    file = chain(tmp_path, relu("r", bits=8), batch("b"), dense("d", bits=WIDE), relu("s", bits=4))
    plain, design = designs(file)
    network = frontends.load(file)
    written = serialize.dump(design, network)
    assert b"weights_of" in b"".join(written.values())
    assert b"weights_of" not in b"".join(serialize.dump(plain, network).values()), "other folders stay as they are"
    for name, data in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert serialize.load(tmp_path)[0].model.layer("s").weights_of == "d"
    layers = tuple(replace(one, weights_of="r") if one.name == "s" else one for one in design.model.layers)
    with pytest.raises(InvalidDesignError, match="has the weights of another layer"):
        check(replace(design, model=replace(design.model, layers=layers)), network)
