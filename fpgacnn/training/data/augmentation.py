"""Change training images without changing their class. The same seed and images give the same result everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from fpgacnn.errors import UsageError
from fpgacnn.training.data import FloatArray, uniforms


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Random changes of an image (rows, columns, channels), different for each image.

    `shift`: at most this many rows and columns in both directions, filled with zeros. `degrees`: largest rotation.
    `noise`: largest amplitude of uniform noise on every pixel. Values are rounded to the grid of `step` between
    `smallest` and `largest`, so that augmented images are codes of the same input format as the real ones.
    """

    shift: tuple[int, int] = (0, 0)
    degrees: float = 0.0
    flip_left_right: bool = False
    flip_up_down: bool = False
    noise: float = 0.0
    step: float = 2.0**-8
    smallest: float = 0.0
    largest: float = 255 / 256


_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{1,9})?"
_PART = re.compile(
    rf"(?:shift=(?P<rows>[0-9]{{1,6}})x(?P<columns>[0-9]{{1,6}})|degrees=(?P<degrees>{_NUMBER})|noise=(?P<noise>{_NUMBER})|flip=(?P<flip>lr|ud|both))"
)


def parse_augmentation(text: str, like: FloatArray, step: float) -> Augmentation:
    """Parse `shift=1x2,degrees=10,flip=lr,noise=0.02`, for images with the range of `like` on the grid of `step`.

    Raises UsageError.
    """
    how = Augmentation(step=step, smallest=float(like.min()), largest=float(like.max()))
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise UsageError(
                what=f"--augment {part}: expected shift=ROWSxCOLUMNS, degrees=N, flip=lr, flip=ud, flip=both or noise=N"
            )
        if found["rows"]:
            rows, columns = int(found["rows"]), int(found["columns"])
            if rows >= like.shape[1] or columns >= like.shape[2]:
                raise UsageError(
                    what=f"--augment {part}: the shift is as large as the images of {like.shape[1]}x{like.shape[2]}"
                )
            how = replace(how, shift=(rows, columns))
        if found["degrees"]:
            how = replace(how, degrees=float(found["degrees"]))
        if found["noise"]:
            how = replace(how, noise=float(found["noise"]))
        if found["flip"]:
            how = replace(how, flip_left_right=found["flip"] != "ud", flip_up_down=found["flip"] != "lr")
    return how


def augment(images: FloatArray, how: Augmentation, *, seed: int) -> FloatArray:
    """New images (events, rows, columns, channels), one for each given image."""
    dice = uniforms(seed, 5, len(images))
    moved = _shifted(images, how.shift, dice[0], dice[1])
    if how.degrees:
        moved = _turned(moved, np.deg2rad((2 * dice[2] - 1) * how.degrees))
    for wanted, axis, draw in ((how.flip_left_right, 2, dice[3]), (how.flip_up_down, 1, dice[4])):
        if wanted:
            moved = np.where((draw < 0.5)[:, None, None, None], np.flip(moved, axis), moved)
    if how.noise:
        moved = moved + (2 * uniforms(seed + 1, *moved.shape) - 1) * how.noise
    return np.clip(np.rint(moved / how.step) * how.step, how.smallest, how.largest)


def _shifted(images: FloatArray, shift: tuple[int, int], down: FloatArray, right: FloatArray) -> FloatArray:
    """Each image shifted by whole pixels."""
    rows, columns = shift
    if not rows and not columns:
        return images
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
    top, left = (np.floor(draw * (2 * reach + 1)).astype(np.int64) for draw, reach in ((down, rows), (right, columns)))
    events = np.arange(len(images))[:, None, None]
    return padded[
        events, (top[:, None] + np.arange(height))[:, :, None], (left[:, None] + np.arange(width))[:, None, :]
    ]


def _turned(images: FloatArray, angles: FloatArray) -> FloatArray:
    """Each image rotated about its centre, with linear interpolation between pixels and zeros outside."""
    height, width = images.shape[1:3]
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    rows, columns = cosine * y + sine * x + (height - 1) / 2, cosine * x - sine * y + (width - 1) / 2
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)))
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    below, beside = (rows - top)[..., None], (columns - left)[..., None]
    events = np.arange(len(images))[:, None, None]

    def at(down: int, right: int) -> FloatArray:
        return padded[events, top + down, left + right]

    upper, lower = (at(row, 0) * (1 - beside) + at(row, 1) * beside for row in (0, 1))
    return np.asarray(upper * (1 - below) + lower * below)
