"""MNIST-5k and Fashion-MNIST: the checked files only, parts without a common image, pixels on the grid of 8 bits."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import DataChecksumError, DataFolderMissingError, DataPackageMissingError
from fpgacnn.jobs.demo import shipped
from fpgacnn.jobs.quantize.objective import answers
from fpgacnn.training.data import Splits, fashion
from fpgacnn.training.data.metrics import accuracy
from fpgacnn.training.data.mnist5k import load_mnist5k


@pytest.fixture(scope="module")
def mnist() -> Splits:
    try:
        return load_mnist5k()
    except DataPackageMissingError as error:
        pytest.skip(str(error))


def test_mnist_has_its_parts_and_no_image_is_in_two(mnist: Splits) -> None:
    parts = (mnist.train, mnist.validation, mnist.test)
    assert [part.x.shape for part in parts] == [(3500, 28, 28, 1), (500, 28, 28, 1), (1000, 28, 28, 1)]
    images = np.concatenate([part.x for part in parts])
    assert len({image.tobytes() for image in images}) == 5000
    labels = np.concatenate([part.y for part in parts])
    assert np.bincount(labels).tolist() == [500] * 10
    assert all(np.bincount(part.y).min() > 0.07 * len(part) for part in parts)


def test_mnist_pixels_are_codes_of_8_bits(mnist: Splits) -> None:
    codes = mnist.test.x * 256
    assert np.array_equal(codes, np.floor(codes))
    assert (codes.min(), codes.max()) == (0, 255)


def test_mnist_parts_are_the_same_on_every_machine(mnist: Splits) -> None:
    digest = hashlib.sha256((mnist.test.x * 256).astype(np.uint8).tobytes()).hexdigest()
    assert (digest[:16], mnist.test.y[:8].tolist()) == ("7f917a6915a654bd", [0, 7, 1, 3, 1, 5, 7, 4])


def test_the_shipped_float_network_is_as_good_on_the_test_part_as_its_page_says(mnist: Splits) -> None:
    network = frontends.load(shipped("mnist5k_float.h5"))
    (scores,) = answers(network, [mnist.test.x], quantized=False)
    assert accuracy(scores, mnist.test.y) == 0.965


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def small_fashion(folder: Path) -> dict[str, str]:
    """Four tiny files in the right format, known by their checksums.

    The validation part holds one image of the training part.
    """
    random = np.random.default_rng(4)
    images = random.integers(0, 256, size=(60, 28, 28), dtype=np.uint8)
    images[55] = images[3]
    contents = {
        "train-images-idx3-ubyte": idx(images),
        "train-labels-idx1-ubyte": idx(np.arange(60, dtype=np.uint8) % 10),
        "t10k-images-idx3-ubyte": idx(random.integers(0, 256, size=(10, 28, 28), dtype=np.uint8)),
        "t10k-labels-idx1-ubyte": idx(np.arange(10, dtype=np.uint8)),
    }
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def test_fashion_files_are_read_packed_and_copies_do_not_leak_into_validation(tmp_path: Path) -> None:
    checksums = small_fashion(tmp_path)
    splits = fashion.load_fashion(tmp_path, checksums=checksums, train_images=50)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [50, 9, 10]
    assert splits.train.x.shape == (50, 28, 28, 1)
    assert splits.validation.y.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert not {image.tobytes() for image in splits.train.x} & {image.tobytes() for image in splits.validation.x}


def test_a_changed_fashion_file_is_refused(tmp_path: Path) -> None:
    checksums = small_fashion(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(10, np.uint8))))
    with pytest.raises(DataChecksumError, match="t10k-labels"):
        fashion.load_fashion(tmp_path, checksums=checksums)


def test_fashion_that_is_not_there_is_an_error_that_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(fashion.FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(
        DataFolderMissingError, match=r"Fashion-MNIST: there is no file .*nowhere/train-images-idx3-ubyte.gz"
    ) as caught:
        fashion.load_fashion()
    assert "apt-get install dataset-fashion-mnist" in caught.value.hint
    assert caught.value.exit_status == 3
