"""Cautions before synthesis: their codes, their words, and silence where nothing is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from fpgacnn.design import BackendName
from fpgacnn.hardware.estimation import Caution, estimate
from fpgacnn.hardware.estimation.checks import CAUTIONS
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role
from fpgacnn.hardware.hls.reuse import is_legal, legal_factors
from tests.support.structures import RESOURCE, convolution, dense, elementwise, model, pipeline


def said(whole: HardwareGraph) -> dict[str, Caution]:
    return {one.code: one for one in estimate(whole).warnings}


def test_a_small_design_is_met_with_silence() -> None:
    assert said(pipeline(dense(np.ones((16, 16))))) == {}
    assert said(model(convolution(np.ones((3, 3, 4, 8)), (28, 28)))) == {}


def test_a_loop_over_more_than_4096_products_is_told() -> None:
    assert "FC122" not in said(pipeline(dense(np.ones((64, 64)))))
    caution = said(pipeline(dense(np.ones((64, 65)), name="big")))["FC122"]
    assert caution.layer == "big"
    assert "4,160 products" in caution.text
    assert "big.strategy=resource" in caution.cure


def test_arrays_of_more_than_65536_bits_are_told() -> None:
    at_the_limit = elementwise(Role.COMPARE, (32, 32, 4), name="edge")
    assert "FC123" not in said(pipeline(at_the_limit))
    assert "65,552 bits" in said(pipeline(elementwise(Role.COMPARE, (1, 1, 4097), name="over")))["FC123"].text
    assert "FC123" not in said(model(elementwise(Role.COMPARE, (64, 64, 4))))


def test_weights_that_vivado_keeps_in_memory_are_told() -> None:
    layer = dense(np.ones((128, 64)), reuse=4)
    assert "8,192 weights" in said(pipeline(layer))["FC124"].text
    assert "FC124" not in said(pipeline(layer, tool=BackendName.VITIS))


def test_arrays_of_more_than_1024_elements_are_told_for_vitis() -> None:
    layer = elementwise(Role.COMPARE, (1, 1, 1025), name="wide")
    assert "1,025 elements" in said(pipeline(layer, tool=BackendName.VITIS))["FC129"].text
    assert "FC129" not in said(pipeline(layer))
    assert "FC129" not in said(pipeline(elementwise(Role.COMPARE, (1, 1, 1024)), tool=BackendName.VITIS))


def test_an_illegal_reuse_factor_is_told_with_the_nearest_legal_ones() -> None:
    caution = said(model(dense(np.ones((16, 10)), reuse=7, strategy=RESOURCE)))["FC125"]
    assert "a reuse factor of 7 is not legal for 16 inputs and 10 outputs" in caution.text
    assert caution.cure == "the nearest legal ones are 1, 2, 4, 8"
    assert all(
        is_legal(16, 10, int(one)) for one in caution.cure.removeprefix("the nearest legal ones are ").split(",")
    )
    assert "FC125" not in said(model(dense(np.ones((16, 10)), reuse=8, strategy=RESOURCE)))


def residual(rows: int, channels: int, **changes: Any) -> HardwareGraph:
    """A convolution behind a padding, and a way past both, which are added."""
    shape, padded = (rows, rows, channels), (rows + 2, rows + 2, channels)
    kernel = np.ones((3, 3, channels, channels))
    return model(
        elementwise(Role.COMPARE, shape, name="split"),
        elementwise(Role.PAD, shape, name="pad", inputs=("split",), out_shape=padded, borders=(1, 1, 1, 1)),
        convolution(kernel, padded[:2], name="conv", inputs=("pad",)),
        elementwise(Role.MERGE, shape, name="add", inputs=("conv", "split")),
        **changes,
    )


def test_processes_that_wait_for_each_other_are_named() -> None:
    """The convolution takes a row and two pixels of the image before it answers; the copy past it holds ten words."""
    caution = said(residual(16, 4, fifo_depths={"split:add": 10}))["FC126"]
    assert (
        "clone of split (full split:add) -> add (empty conv) -> conv (empty pad) -> pad (empty split:pad)"
        in caution.text
    )
    assert caution.cure.startswith("make split:add deeper")
    assert not estimate(residual(16, 4, fifo_depths={"split:add": 10})).fits


def test_a_fifo_before_a_copy_stops_nothing() -> None:
    """Its reader empties it as fast as it is filled, whatever its depth."""
    assert "FC126" not in said(residual(16, 4))
    assert "FC126" not in said(residual(16, 4, fifo_depths={"split": 1}))


def test_fifos_that_take_much_block_ram_are_named() -> None:
    assert "the FIFO 'split:add' from 'clone of split' to 'add' takes" in said(residual(128, 16))["FC127"].text


def test_a_template_that_is_not_known_is_named() -> None:
    caution = said(model(elementwise(Role.UNKNOWN, (4, 4, 2), name="odd", what="garnet")))["FC132"]
    assert (caution.layer, caution.text) == (
        "odd",
        "the stream template 'garnet' is not known: its cycles and deadlocks are not simulated",
    )


def test_a_frame_of_too_many_words_is_not_simulated() -> None:
    layer = elementwise(Role.POOL, (100_000, 100_000, 2), name="vast", out_shape=(1, 1, 2))
    assert "a frame has more than 8,388,608 words" in said(model(layer))["FC132"].text


def test_very_many_products_side_by_side_are_told() -> None:
    layers = [dense(np.full((64, 64), 3), name=f"d{number}") for number in range(5)]
    assert "20,480 products" in said(pipeline(*layers))["FC128"].text


def test_every_caution_has_a_page() -> None:
    assert list(CAUTIONS) == [
        *(f"FC{number}" for number in range(122, 130)),
        "FC132",
        "FC134",
        "FC137",
        "FC138",
        "FC139",
    ]
    assert all(page.endswith(".") for page in CAUTIONS.values())


def test_legal_factors_are_those_that_hls4mls_header_takes() -> None:
    assert legal_factors(16, 10, 160) == [1, 2, 4, 8, 16, 32, 80, 160]
    assert legal_factors(9, 4, 36) == [1, 3, 9, 18, 36]
