"""Sums over windows in small pieces: what plain loops over the definition give, for every size of image and matrix."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.jobs.simulate import FEWEST, LARGEST_VALUES, PIECE_VALUES, _piece_size
from fpgacnn.passes.widths.widths import parse_widths
from fpgacnn.pipeline.calibration import SAMPLE, _float_answers
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_network
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.sim.window_sums import FEWEST_ROWS, PRODUCT_SIZE, convolved, multiplied, shifted
from fpgacnn.sim.window_sums import PIECE_VALUES as WINDOW_VALUES
from tests.support.files import entry, sequential_file


@pytest.mark.parametrize("rows", [0, 1, 7, 300])
@pytest.mark.parametrize(
    ("inputs", "columns"),
    [(1, 1), (5, 3), (130, 70), (PRODUCT_SIZE // FEWEST_ROWS // 3, 5), (PRODUCT_SIZE // FEWEST_ROWS + 1, 2)],
)
def test_a_product_in_pieces_is_the_product(rows: int, inputs: int, columns: int) -> None:
    random = np.random.default_rng(rows + inputs)
    left, right = random.integers(-9, 10, (rows, inputs)) / 4, random.integers(-9, 10, (inputs, columns)) / 4
    assert np.array_equal(multiplied(left, right), np.einsum("ri,ic->rc", left, right))


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize(("events", "height", "width"), [(1, 3, 2), (9, 7, 8), (2, 40, 90)])
def test_windows_are_multiplied_and_summed_place_by_place(
    events: int, height: int, width: int, strides: tuple[int, int]
) -> None:
    random = np.random.default_rng(height)
    image = random.integers(-20, 21, (events, height, width, 3)) / 8
    kernel = random.integers(-20, 21, (3, 2, 3, 5)) / 8
    assert (height * width * kernel[..., 0].size > WINDOW_VALUES) == (height == 40)  # one case is computed in pieces
    found = convolved(image, kernel, strides)
    rows, columns = (height - 3) // strides[0] + 1, (width - 2) // strides[1] + 1
    wanted = np.zeros((events, rows, columns, 5))
    for row in range(rows):
        for column in range(columns):
            window = image[:, row * strides[0] : row * strides[0] + 3, column * strides[1] : column * strides[1] + 2]
            wanted[:, row, column] = np.einsum("nyxc,yxcf->nf", window, kernel)
    assert np.array_equal(found, wanted)
    highest = reduce(np.maximum, (values for _, _, values in shifted(image, (3, 2), strides)))
    assert highest.shape == (events, rows, columns, 3)
    last = image[:, (rows - 1) * strides[0] :, (columns - 1) * strides[1] :][:, :3, :2]
    assert np.array_equal(highest[:, -1, -1], last.max(axis=(1, 2)))


def test_calibration_samples_the_same_values_in_chunks_as_of_all_events(tmp_path: Path) -> None:
    layers = [
        entry(
            "Conv2D", "c", filters=2, kernel_size=[1, 1], weights={"kernel": np.ones((1, 1, 1, 2)), "bias": np.zeros(2)}
        )
    ]
    network = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(24, 23, 1)))
    values = np.random.default_rng(2).normal(size=(700, 24, 23, 1))
    name = network.outputs[0]
    judged, sampled = _float_answers(network, [values], {name})
    flat = evaluate(network, [values], quantized=False)[name].ravel()
    assert np.array_equal(judged[name].ravel(), flat)
    assert np.array_equal(sampled[name], [*flat[:: flat.size // SAMPLE], flat.min(), flat.max()])


@pytest.mark.parametrize(("side", "trace"), [(8, False), (8, True), (512, False), (512, True)])
def test_a_piece_of_a_simulation_holds_no_more_numbers_than_fit(tmp_path: Path, side: int, *, trace: bool) -> None:
    layers = [
        entry(
            "Conv2D",
            "c",
            filters=16,
            kernel_size=[1, 1],
            weights={"kernel": np.ones((1, 1, 1, 16)), "bias": np.zeros(16)},
        )
    ]
    file = sequential_file(tmp_path / "m.h5", *layers, shape=(side, side, 1))
    design = plan_network(frontends.load(file), Request(model=file, widths=parse_widths("8,3")), None).design
    values = side * side * 17
    size = _piece_size(design, trace=trace)
    assert size >= 1
    assert size * values <= max(PIECE_VALUES, LARGEST_VALUES)
    assert size >= FEWEST or (size + 1) * values > LARGEST_VALUES
