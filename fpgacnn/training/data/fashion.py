"""Fashion-MNIST: 70,000 real photographs of clothes, 28 x 28 pixels, 10 classes.

Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST", arXiv:1708.07747, Zalando SE, MIT (Expat) licence; packaged
by Debian as `dataset-fashion-mnist`. It is too large for a Python package, so it must be on disk.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import DataChecksumError, DataFolderMissingError
from fpgacnn.system.files.regular import read_regular
from fpgacnn.training.data import MAX_BYTES, Dataset, Splits

FOLDER = "FPGACNN_FASHION_MNIST"
"""Environment variable with a folder to use instead of Debian's."""
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
CURE = f"sudo apt-get install dataset-fashion-mnist   (or put the four files into a folder and set {FOLDER} to it)"
TRAIN_IMAGES = 55_000

CHECKSUMS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of the unpacked files: Debian compresses them again, so its archives differ from Zalando's."""

DESCRIPTION = "Fashion-MNIST: clothes of 10 classes, 28x28 pixels of 0/256 to 255/256."


def load_fashion(
    folder: Path | None = None, *, checksums: Mapping[str, str] = CHECKSUMS, train_images: int = TRAIN_IMAGES
) -> Splits:
    """Zalando's own parts, the last 5000 training images reserved for validation: 55,000, 5000 and 10,000 images.

    `x` is (images, 28, 28, 1), pixels divided by 256. Images that appear twice in the training file and on both sides
    of the cut are left out of the validation part.
    """
    place = folder or Path(os.environ.get(FOLDER, DEBIAN))
    images, labels, test_images, test_labels = (_read(place, name, sha256) for name, sha256 in checksums.items())
    seen = {image.tobytes() for image in images[:train_images]}
    new = np.array([image.tobytes() not in seen for image in images[train_images:]])
    return Splits(
        train=_dataset("fashion-train", images[:train_images], labels[:train_images]),
        validation=_dataset("fashion-validation", images[train_images:][new], labels[train_images:][new]),
        test=_dataset("fashion-test", test_images, test_labels),
    )


def _read(folder: Path, name: str, sha256: str) -> NDArray[np.uint8]:
    """An IDX file, compressed or not: two zeros, the type, the number of axes, the axes, then the bytes."""
    packed = folder / f"{name}.gz"
    try:
        content = (
            gzip.decompress(read_regular(packed, limit=MAX_BYTES))
            if packed.is_file()
            else read_regular(folder / name, limit=MAX_BYTES)
        )
    except OSError as error:
        raise DataFolderMissingError(name="Fashion-MNIST", file=packed, do=CURE) from error
    seen = hashlib.sha256(content).hexdigest()
    if seen != sha256:
        raise DataChecksumError(file=packed, expected=sha256, seen=seen)
    axes = content[3]
    shape = np.frombuffer(content, ">u4", count=axes, offset=4).astype(int)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _dataset(name: str, images: NDArray[np.uint8], labels: NDArray[Any]) -> Dataset:
    return Dataset(name=name, x=images[..., np.newaxis] / 256, y=labels.astype(np.int64), description=DESCRIPTION)
