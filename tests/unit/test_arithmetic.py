"""Sizes of results, and strides that leave borders unread."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn import frontends
from fpgacnn.ir.shapes import output_size, unread_borders
from tests.support.command import run
from tests.support.files import entry, linear, sequential_file


@given(width=st.integers(1, 60), window=st.integers(1, 9), padding=st.integers(0, 4), stride=st.integers(1, 5))
def test_the_size_is_the_number_of_windows_that_fill_the_image(
    width: int, window: int, padding: int, stride: int
) -> None:
    padded = width + 2 * padding
    places = [start for start in range(0, padded, stride) if start + window <= padded]
    fills = bool(places) and places[-1] + window == padded
    if fills:
        assert output_size(width, window, padding, stride) == len(places)
    else:
        with pytest.raises(ValueError, match=r"is not a whole positive number"):
            output_size(width, window, padding, stride)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (
            entry("Conv2D", "conv", filters=2, kernel_size=[3, 3], strides=[2, 2], weights=linear(3, 3, 1, 2)),
            (8, 7, 1),
            ("conv: windows of 3x3 with stride 2x2 leave the last 1 row of its input unread",),
        ),
        (
            entry("MaxPooling2D", "pool", pool_size=[2, 3], strides=[3, 4]),
            (7, 9, 1),
            ("pool: windows of 2x3 with stride 3x4 leave the last 2 rows and 2 columns of its input unread",),
        ),
        (
            entry("Conv2D", "conv", filters=2, kernel_size=[3, 3], dilation_rate=[2, 2], weights=linear(3, 3, 1, 2)),
            (8, 7, 1),
            (),
        ),
        (
            entry(
                "Conv2D",
                "conv",
                filters=2,
                kernel_size=[3, 3],
                strides=[2, 2],
                padding="same",
                weights=linear(3, 3, 1, 2),
            ),
            (8, 7, 1),
            (),
        ),
        (
            entry("MaxPooling1D", "pool", pool_size=2),
            (7, 3),
            ("pool: windows of 1x2 with stride 1x2 leave the last 1 column of its input unread",),
        ),
    ],
)
def test_a_stride_that_leaves_borders_unread_is_told(
    layer: object, shape: tuple[int, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    network = frontends.load(sequential_file(tmp_path / "m.h5", layer, shape=shape))
    assert unread_borders(network.layers) == words


def test_inspect_shows_it(tmp_path: Path) -> None:
    sequential_file(tmp_path / "m.h5", entry("MaxPooling2D", "pool", pool_size=[2, 2]), shape=(5, 5, 1))
    done = run(tmp_path, "inspect", "m.h5")
    assert done.returncode == 0
    assert (
        "note: pool: windows of 2x2 with stride 2x2 leave the last 1 row and 1 column of its input unread"
        in done.stdout
    )
