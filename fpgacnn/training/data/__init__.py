"""Labelled events for demonstrations and tests, from files in Python packages or on disk. Nothing is downloaded.

`fpgacnn.training.data.digits`, `mnist5k`, `fashion` and `km3net` each give `Splits`; `metrics` measures the answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import DataChecksumError, DataPackageMissingError
from fpgacnn.system.files.regular import read_regular

MAX_BYTES = 1 << 30
"""The largest file of data, as it lies on disk."""

FloatArray: TypeAlias = NDArray[np.float64]
LabelArray: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Events in the shape of a network's input, and their labels.

    `x` is float64 (events, height, width, channels) without unit; `y` is int64 (events,). Both are read-only.
    """

    name: str
    x: FloatArray
    y: LabelArray
    description: str

    def __post_init__(self) -> None:
        if self.x.dtype != np.float64 or self.y.dtype != np.int64:
            message = f"{self.name}: x is {self.x.dtype} and y is {self.y.dtype}, not float64 and int64"
            raise TypeError(message)
        if self.y.shape != self.x.shape[:1]:
            message = f"{self.name}: x has shape {self.x.shape} and y {self.y.shape}"
            raise ValueError(message)
        self.x.setflags(write=False)
        self.y.setflags(write=False)

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Splits:
    """Three data sets without a common event: train on `train`, choose on `validation`, measure on `test` once."""

    train: Dataset
    validation: Dataset
    test: Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFile:
    """A data file inside an installed package, and the SHA-256 of the content that all figures were measured on."""

    distribution: str
    """Name of the distribution for pip, for example `scikit-learn`."""
    module: str
    """Name of the module in Python, for example `sklearn`; it is located, not imported."""
    path: str
    sha256: str
    extra: str = "demo"

    def read(self) -> bytes:
        """The file's content with the expected digest."""
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise DataPackageMissingError(package=self.distribution, extra=self.extra)
        file = Path(spec.submodule_search_locations[0]) / self.path
        try:
            content = read_regular(file, limit=MAX_BYTES)
        except OSError as error:
            raise DataChecksumError(file=file, expected=self.sha256, seen="none (no such file)") from error
        seen = hashlib.sha256(content).hexdigest()
        if seen != self.sha256:
            raise DataChecksumError(file=file, expected=self.sha256, seen=seen)
        return content


def uniforms(seed: int, *shape: int) -> FloatArray:
    """Random numbers in [0, 1), float64, the same on every machine and with every NumPy.

    NumPy keeps the raw numbers of a bit generator stable, but not those of `Generator`. If a split changed with the
    version of NumPy, it would silently mix training and test events.
    """
    raw = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return (np.asarray(raw, dtype=np.uint64) >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53
