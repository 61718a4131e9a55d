"""Estimates as a whole: bands, shortages, words, and a table that is read like code."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from fpgacnn.design import BackendName
from fpgacnn.errors import UnknownPartError
from fpgacnn.hardware.estimation import Figure, estimate
from fpgacnn.hardware.estimation.constants import ALL, EXACT, Band, parse, serialize, shipped
from fpgacnn.hardware.estimation.core import group_of
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role
from fpgacnn.hardware.estimation.primitives import Primitive
from fpgacnn.records.record import plain
from tests.support.structures import RESOURCE, convolution, dense, elementwise, model, pipeline

RANDOM = np.random.default_rng(5)
RELU = FixedType(width=8, integer=2, signed=False, rounds=True, saturates=True)


def network(**changes: object) -> HardwareGraph:
    """A small CNN with pooling, a dense layer and softmax."""
    kernels = [RANDOM.integers(-60, 60, shape) for shape in ((3, 3, 1, 8), (144, 10))]
    pool = elementwise(
        Role.POOL,
        (26, 26, 8),
        name="pool",
        out_shape=(13, 13, 8),
        window=(2, 2),
        inputs=("relu",),
        input=RELU,
        output=RELU,
    )
    return model(
        convolution(kernels[0], (28, 28)),
        elementwise(Role.COMPARE, (26, 26, 8), name="relu", inputs=("conv",), output=RELU),
        pool,
        dense(kernels[1], name="dense", in_shape=(2, 9, 8), inputs=("pool",), input=RELU),
        elementwise(Role.SOFTMAX, (1, 1, 10), name="softmax", inputs=("dense",), table=FixedType(width=18, integer=8)),
        **changes,
    )


def figures(value: object) -> list[Figure]:
    """Every figure in an estimate."""
    if isinstance(value, Figure):
        return [value]
    if dataclasses.is_dataclass(value):
        return [found for field in dataclasses.fields(value) for found in figures(getattr(value, field.name))]
    return [found for item in value for found in figures(item)] if isinstance(value, tuple) else []


def test_every_band_holds_its_own_value() -> None:
    found = figures(estimate(network()))
    assert len(found) > 50
    assert all(0 <= one.low <= one.value <= one.high for one in found)


def test_a_figure_outside_its_band_cannot_be_made() -> None:
    with pytest.raises(AssertionError):
        Figure(value=1, low=2, high=3)


def test_layers_add_up_to_the_whole() -> None:
    answer = estimate(network())
    whole = answer.totals.resources
    assert sum(one.resources.lut.value for one in answer.layers) == pytest.approx(
        whole.lut.value, abs=len(answer.layers)
    )
    assert sum(one.resources.ff.value for one in answer.layers) == pytest.approx(whole.ff.value, abs=len(answer.layers))
    assert sum(one.resources.dsp.value for one in answer.layers) == pytest.approx(
        whole.dsp.value, abs=len(answer.layers)
    )
    assert sum(one.resources.bram_18k.value for one in answer.layers) == whole.bram_18k.value
    assert sum(one.fifo_bits for one in answer.layers) == answer.totals.fifo_bits


def test_nanoseconds_are_cycles_times_the_clock() -> None:
    totals = estimate(network(clock_ns=4.0)).totals
    assert totals.latency_ns.value == 4.0 * totals.latency_cycles.value
    assert totals.ii_ns.high == 4.0 * totals.ii_cycles.high


def test_a_design_that_does_not_fit_says_what_is_short_and_by_how_much() -> None:
    big = pipeline(dense(RANDOM.integers(-30000, 30000, (64, 64))), part="xc7z007sclg225-1")
    answer = estimate(big)
    assert not answer.fits
    short = {one.resource: one for one in answer.shortages}
    assert short["DSP"].available == 66
    assert short["DSP"].missing == answer.after_synthesis.dsp.value - 66 > 3000
    assert estimate(dataclasses.replace(big, part="xcvu13p-flga2577-2-e")).fits


def test_what_the_part_has_comes_with_its_source() -> None:
    answer = estimate(network())
    assert answer.available is not None
    assert (answer.available.device, answer.available.source, answer.available.bram_18k) == ("xczu9eg", "DS891", 1824)


def test_an_unknown_part_is_an_error() -> None:
    with pytest.raises(UnknownPartError):
        estimate(network(part="xc9potato"))


def test_the_methods_of_layers_are_told_in_words() -> None:
    words = {one.name: one.method for one in estimate(network()).layers}
    assert "products of the real weights" in words["conv"]
    assert "template's loops" in words["relu"]
    shared = dense(np.ones((8, 8)), reuse=4, strategy=RESOURCE)
    assert estimate(model(shared)).layers[0].method == "16 multipliers, each used 4 times, weights in memory"
    assumed_weights = dense(np.ones((8, 8)), weights=None)
    assert "not known one by one" in estimate(pipeline(assumed_weights)).layers[0].method


def test_the_group_of_a_design_is_how_data_moves_and_how_it_is_multiplied() -> None:
    assert group_of(network()) == "stream/latency"
    assert group_of(pipeline(dense(np.ones((4, 4)), strategy=RESOURCE))) == "parallel/resource"


def test_the_tool_is_named() -> None:
    assert estimate(network()).tool == "Vivado HLS"
    assert estimate(network(tool=BackendName.VITIS)).tool == "Vitis HLS"


def test_shipped_constants_say_what_they_were_fitted_on() -> None:
    constants = shipped()
    assert constants.designs > 50
    assert constants.repositories > 10
    assert all(value >= 0 for each in constants.per_unit.values() for value in each.values())
    assert {"LUT", "FF", "DSP", "BRAM_18K", "latency", "II", "after LUT", "layer LUT"} <= set(constants.bands)
    assert all(band.low <= 1 <= band.high for groups in constants.bands.values() for band in groups.values())


def test_constants_survive_their_file() -> None:
    constants = shipped()
    again = parse(json.loads(serialize(constants)))
    assert again == constants


def test_a_group_without_a_band_has_that_of_all_designs() -> None:
    constants = dataclasses.replace(shipped(), bands={"LUT": {ALL: Band(low=0.5, high=2.0)}})
    assert constants.band("LUT", "stream/latency") == Band(low=0.5, high=2.0)
    assert constants.band("URAM", "stream/latency") == EXACT


def test_a_group_has_the_band_of_its_io_type_where_it_has_none_of_its_own() -> None:
    own, io, every = (Band(low=low, high=2.0) for low in (0.1, 0.2, 0.3))
    constants = dataclasses.replace(shipped(), bands={"LUT": {"stream/latency": own, "stream": io, ALL: every}})
    groups = ("stream/latency", "stream/resource", "parallel/latency")
    assert [constants.band("LUT", group) for group in groups] == [own, io, every]


def test_every_piece_of_the_constants_is_known() -> None:
    assert {piece for each in shipped().per_unit.values() for piece in each} <= set(Primitive)


def test_an_estimate_is_json() -> None:
    document = json.loads(json.dumps(plain(estimate(network()))))
    assert document["totals"]["resources"]["lut"].keys() == {"value", "low", "high"}
    assert document["stage"] == "csynth"
