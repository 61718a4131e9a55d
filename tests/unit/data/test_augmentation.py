"""Augmented images keep their class: they move only as they may, and stay on the grid of the real ones."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.errors import UsageError
from fpgacnn.training.data.augmentation import Augmentation, augment, parse_augmentation
from fpgacnn.training.data.catalog import CATALOG


def one_pixel(events: int, height: int = 9, width: int = 9, row: int = 4, column: int = 4) -> np.ndarray:
    images = np.zeros((events, height, width, 1))
    images[:, row, column] = 0.5
    return images


def places(images: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(axis) for axis in place[1:3]) for place in np.argwhere(images)}


def test_shifts_reach_every_allowed_place_and_no_other() -> None:
    moved = augment(one_pixel(400), Augmentation(shift=(1, 2)), seed=3)
    assert places(moved) == {(row, column) for row in (3, 4, 5) for column in (2, 3, 4, 5, 6)}
    assert np.all(moved.sum(axis=(1, 2, 3)) == 0.5)


def test_flips_are_made_only_along_the_axes_that_are_allowed() -> None:
    images = one_pixel(100, row=1, column=2)
    assert places(augment(images, Augmentation(flip_left_right=True), seed=3)) == {(1, 2), (1, 6)}
    assert places(augment(images, Augmentation(flip_up_down=True), seed=3)) == {(1, 2), (7, 2)}
    assert places(augment(images, Augmentation(), seed=3)) == {(1, 2)}


def test_a_quarter_turn_would_put_the_pixel_a_quarter_further() -> None:
    """The angle is drawn between -90 and 90 degrees; one close to the end is as good as a quarter turn."""
    images = one_pixel(4000, row=4, column=8)
    turned = augment(images, Augmentation(degrees=90.0), seed=3)
    rows = turned[:, 0, 4, 0] + turned[:, 8, 4, 0]
    assert rows.max() == pytest.approx(0.5, abs=0.02)
    assert np.abs(turned.sum(axis=(1, 2, 3)) - 0.5).max() < 0.51


def test_noise_is_bounded_and_the_result_lies_on_the_grid() -> None:
    how = Augmentation(noise=0.1, step=1 / 16, largest=0.75)
    images = np.full((50, 4, 4, 1), 0.7)
    noisy = augment(images, how, seed=3)
    assert np.array_equal(noisy * 16, np.floor(noisy * 16))
    assert set(np.unique(noisy)) == {0.625, 0.6875, 0.75}
    assert np.all(augment(np.zeros((2, 3, 3, 1)), how, seed=3) >= 0)


def test_the_same_seed_gives_the_same_images_and_another_seed_others() -> None:
    how = Augmentation(shift=(2, 2), degrees=10.0, noise=0.1)
    images = np.random.default_rng(1).random((20, 9, 9, 1))
    first, again, other = (augment(images, how, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_physics_trigger_is_changed_only_by_its_symmetry() -> None:
    """Time may be shifted; floors are fixed places at different depths, and light that runs backwards is no muon's."""
    how = CATALOG["km3net"].augmentation
    assert how.shift[0] == 0
    assert how.shift[1] > 0
    assert (how.degrees, how.flip_left_right, how.flip_up_down, how.noise) == (0.0, False, False, 0.0)
    assert (how.step, how.largest) == (1 / 8, 7 / 8)


def test_digits_are_never_mirrored() -> None:
    for name in ("digits", "mnist5k"):
        how = CATALOG[name].augmentation
        assert not how.flip_left_right
        assert not how.flip_up_down
        assert how.degrees < 45


def test_changes_in_words_keep_the_range_and_grid_of_the_data() -> None:
    like = np.tile([[[-0.5], [0.25], [0.0]]], (1, 2, 1, 1))
    how = parse_augmentation("shift=1x2, degrees=10.5,flip=ud,noise=0.25", like, 0.25)
    assert how == Augmentation(
        shift=(1, 2), degrees=10.5, flip_up_down=True, noise=0.25, step=0.25, smallest=-0.5, largest=0.25
    )
    both = parse_augmentation("flip=both", like, 0.25)
    assert (both.flip_left_right, both.flip_up_down) == (True, True)
    noisy = augment(np.zeros((40, 3, 3, 1)), parse_augmentation("noise=9", like, 0.25), seed=1)
    assert set(np.unique(noisy)) == {-0.5, -0.25, 0.0, 0.25}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shift=1",
        "shift=-1x0",
        "flip",
        "flip=x",
        "degrees=ten",
        "noise=0.1;shift=1x1",
        f"shift={'9' * 5000}x0",
        f"noise={'9' * 400}",
    ],
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected shift=ROWSxCOLUMNS, degrees=N, flip=lr|^--augment .{189}…$"):
        parse_augmentation(text, np.zeros((1, 2, 2, 1)), 0.25)


@pytest.mark.parametrize("text", ["shift=4x0", "flip=lr,shift=0x9"])
def test_a_shift_leaves_something_of_an_image(text: str) -> None:
    with pytest.raises(UsageError, match="the shift is as large as the images of 4x9"):
        parse_augmentation(text, np.zeros((1, 4, 9, 1)), 0.25)
