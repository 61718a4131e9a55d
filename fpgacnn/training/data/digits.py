"""Handwritten digits: 1797 real images of 8 x 8 pixels, the copy of UCI's optdigits test set inside scikit-learn.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
CC BY 4.0; shipped in scikit-learn (BSD-3-Clause) as `sklearn/datasets/data/digits.csv.gz`.
"""

from __future__ import annotations

import gzip

import numpy as np

from fpgacnn.training.data import Dataset, LabelArray, PackageFile, Splits, uniforms

SOURCE = PackageFile(
    distribution="scikit-learn",
    module="sklearn",
    path="datasets/data/digits.csv.gz",
    sha256="09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
)
SPLIT_SEED = 1797
TRAIN_IMAGES = 1100
VALIDATION_IMAGES = 300

DESCRIPTION = (
    "Handwritten digits 0 to 9, 8x8 pixels of 0/16 to 16/16 (number of inked points in each 4x4 block of a 32x32 scan);"
    " UCI optdigits through scikit-learn. The 13 writers are not identified, so splits share writers, not images."
)


def load_digits() -> Splits:
    """The images in three fixed parts: 1100 for training, 300 for validation, 397 for test.

    `x` is (images, 8, 8, 1), pixel values divided by 16: every value is a code of `ufixed<5,1>`. `y` is the digit.
    A fixed permutation decides the parts. No image appears twice in the source (a test checks this).
    """
    table = np.loadtxt(gzip.decompress(SOURCE.read()).decode("ascii").splitlines(), delimiter=",", dtype=np.int64)
    order = np.argsort(uniforms(SPLIT_SEED, len(table)), kind="stable")
    end_of_training, end_of_validation = TRAIN_IMAGES, TRAIN_IMAGES + VALIDATION_IMAGES
    return Splits(
        train=_dataset("digits-train", table[order[:end_of_training]]),
        validation=_dataset("digits-validation", table[order[end_of_training:end_of_validation]]),
        test=_dataset("digits-test", table[order[end_of_validation:]]),
    )


def _dataset(name: str, table: LabelArray) -> Dataset:
    """Rows of 64 pixels and a label as images."""
    return Dataset(
        name=name,
        x=table[:, :64].reshape(-1, 8, 8, 1) / 16,
        y=table[:, 64].copy(),
        description=DESCRIPTION,
    )
