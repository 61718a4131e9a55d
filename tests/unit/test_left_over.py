"""Float layers left over in a quantized network: a default width, a bound that holds, and never silently."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.errors import WidthsNeededError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import Entry, entry, quantized_bits, sequential_file

SEED = 31
INPUT = Format(width=8, integer=1)


def floats(*shape: int) -> dict[str, np.ndarray]:
    """Trained numbers that no short format holds."""
    random = np.random.default_rng([SEED, *shape])
    return {
        "kernel:0": random.normal(size=shape).astype(np.float32),
        "bias:0": random.normal(size=shape[-1:]).astype(np.float32),
    }


def network(path: Path, *tail: Entry) -> SourceModel:
    quantized = entry(
        "QConv2D",
        "conv",
        filters=3,
        kernel_size=[2, 2],
        kernel_quantizer=quantized_bits(5),
        bias_quantizer=quantized_bits(5),
        weights=floats(2, 2, 1, 3),
    )
    return frontends.load(sequential_file(path, quantized, entry("Flatten", "flat"), *tail, shape=(3, 3, 1)))


def designed(source: SourceModel) -> Design:
    model, planned = legalize(quantize(source, inputs=[INPUT]))
    return Design(model=model, plan=planned, target=Target())


def worst(source: SourceModel, design: Design, name: str) -> float:
    """The largest difference between hardware and the network in the file, over random and extreme events."""
    random = np.random.default_rng(SEED)
    codes = random.integers(INPUT.low, INPUT.high, size=(400, 3, 3, 1), endpoint=True)
    codes[200:] = random.choice([INPUT.low, INPUT.high], size=codes[200:].shape)
    given = Codes(array=codes, format=INPUT)
    hardware = ReferenceEmulator(design).run([given]).outputs[design.model.outputs[0]].values
    return float(np.abs(hardware - evaluate(source, [given.values], quantized=True)[name]).max())


TAILS = {
    "dense": (entry("Dense", "last", units=4, weights=floats(12, 4)),),
    "dense behind dense": (
        entry("Dense", "middle", units=6, activation="relu", weights=floats(12, 6)),
        entry("Dense", "last", units=4, weights=floats(6, 4)),
    ),
    "three": (
        entry("Dense", "one", units=6, activation="tanh", weights=floats(12, 6)),
        entry("Dense", "two", units=5, activation="relu", weights=floats(6, 5)),
        entry("Dense", "last", units=4, weights=floats(5, 4)),
    ),
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS.keys())
def test_the_stated_bound_holds_and_is_no_empty_promise(tail: tuple[Entry, ...], tmp_path: Path) -> None:
    source = network(tmp_path / "m.h5", *tail)
    design = designed(source)
    bound = design.plan.layers[design.model.outputs[0]].error
    difference = worst(source, design, "last")
    assert 0 < difference <= bound
    assert bound < 200 * difference


def test_the_plan_says_what_is_lost_and_where(tmp_path: Path) -> None:
    design = designed(network(tmp_path / "m.h5", *TAILS["dense behind dense"]))
    assert not design.plan.is_lossless
    first, narrowed, second = (text for _, text in design.plan.losses)
    assert re.fullmatch(r"weights of a float layer rounded to fixed<16,\d>: results at most 0\.0\d+ off", first)
    assert re.fullmatch(r"rounded to ufixed<24,\d+,RND_CONV,WRAP> before float constants or behind them", narrowed)
    assert second.startswith("weights of a float layer")


def test_a_wide_input_of_a_float_layer_is_narrowed_so_that_chains_stay_practical(tmp_path: Path) -> None:
    design = designed(network(tmp_path / "m.h5", *TAILS["three"]))
    inputs = {layer.inputs[0] for layer in design.model.layers if isinstance(layer.operation, hw.Dense)}
    assert max(design.plan.layers[name].result.format.width for name in inputs) <= 25


def test_float_weights_that_few_bits_hold_are_taken_as_they_are(tmp_path: Path) -> None:
    exact = {"kernel:0": np.full((12, 2), 0.375, np.float32), "bias:0": np.zeros(2, np.float32)}
    design = designed(network(tmp_path / "m.h5", entry("Dense", "last", units=2, weights=exact)))
    assert design.plan.is_exact


def test_a_network_without_a_quantized_kernel_is_no_quantized_network(tmp_path: Path) -> None:
    layers = (
        entry("QActivation", "in", activation="quantized_bits(8,0,alpha=1)"),
        entry("Dense", "last", units=4, weights=floats(5, 4)),
    )
    with pytest.raises(
        WidthsNeededError, match="layer 'last' has float kernel weights without a quantizer: bit widths are needed"
    ):
        designed(frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(5,))))
