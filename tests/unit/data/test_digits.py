"""The digits: always the same images in the same parts, and nothing but the checked file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.errors import DataChecksumError, DataPackageMissingError
from fpgacnn.training.data import Dataset, PackageFile, Splits, uniforms
from fpgacnn.training.data.digits import SOURCE, load_digits


@pytest.fixture(scope="module")
def digits() -> Splits:
    try:
        return load_digits()
    except DataPackageMissingError as error:
        pytest.skip(str(error))


def parts(splits: Splits) -> tuple[Dataset, Dataset, Dataset]:
    return splits.train, splits.validation, splits.test


def test_the_parts_have_the_documented_shapes_and_types(digits: Splits) -> None:
    assert [part.x.shape for part in parts(digits)] == [(1100, 8, 8, 1), (300, 8, 8, 1), (397, 8, 8, 1)]
    assert {(part.x.dtype, part.y.dtype) for part in parts(digits)} == {(np.dtype(np.float64), np.dtype(np.int64))}
    assert all(set(part.y) == set(range(10)) for part in parts(digits))


def test_no_image_is_in_the_data_twice_so_no_part_leaks_into_another(digits: Splits) -> None:
    images = np.concatenate([part.x for part in parts(digits)])
    assert len(images) == 1797
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_pixels_are_codes_of_ufixed_5_1(digits: Splits) -> None:
    for part in parts(digits):
        codes = part.x * 16
        assert np.array_equal(codes, np.floor(codes))
        assert (codes.min(), codes.max()) == (0, 16)


def test_the_parts_are_the_same_on_every_machine(digits: Splits) -> None:
    digests = [hashlib.sha256((part.x * 16).astype(np.uint8).tobytes()).hexdigest()[:16] for part in parts(digits)]
    assert digests == ["b399b4bf93de15c4", "62c69e1aca122116", "b737b366c73f64cc"]
    assert digits.test.y[:8].tolist() == [6, 3, 9, 7, 1, 7, 1, 1]


def test_the_images_are_those_scikit_learn_gives(digits: Splits) -> None:
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    expected = {image.tobytes(): label for image, label in zip(reference.images / 16, reference.target, strict=True)}
    for part in parts(digits):
        assert [expected[image.tobytes()] for image in part.x] == list(part.y)


def test_a_data_set_cannot_be_changed(digits: Splits) -> None:
    with pytest.raises(ValueError, match="read-only"):
        digits.test.x[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        digits.test.y[0] = 0


def test_a_data_set_refuses_labels_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"few: x has shape \(3, 2\) and y \(2,\)"):
        Dataset(name="few", x=np.zeros((3, 2)), y=np.zeros(2, dtype=np.int64), description="")
    with pytest.raises(TypeError, match="narrow: x is float32 and y is int64"):
        Dataset(name="narrow", x=np.zeros((3, 2), dtype=np.float32), y=np.zeros(3, dtype=np.int64), description="")


def test_an_absent_package_is_an_error_that_names_the_extra() -> None:
    absent = PackageFile(distribution="no-such-data", module="no_such_data", path="x.csv", sha256="0", extra="demo")
    with pytest.raises(DataPackageMissingError, match="needs the package no-such-data") as caught:
        absent.read()
    assert "fpgacnn[demo]" in caught.value.hint


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """A package `played_data` on Python's path that holds these files."""
    home = folder / "played_data"
    home.mkdir()
    (home / "__init__.py").touch()
    for name, content in files.items():
        (home / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(folder))


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, {"x.csv": b"changed"})
    expected, seen = hashlib.sha256(b"original").hexdigest(), hashlib.sha256(b"changed").hexdigest()
    changed = PackageFile(distribution="played-data", module="played_data", path="x.csv", sha256=expected)
    with pytest.raises(DataChecksumError, match=f"x.csv: sha256 is {seen}, expected {expected}"):
        changed.read()


def test_the_right_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, {"x.csv": b"original"})
    expected = hashlib.sha256(b"original").hexdigest()
    assert (
        PackageFile(distribution="played-data", module="played_data", path="x.csv", sha256=expected).read()
        == b"original"
    )


def test_a_package_without_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, {})
    with pytest.raises(DataChecksumError, match=r"x\.csv: sha256 is none \(no such file\), expected 0"):
        PackageFile(distribution="played-data", module="played_data", path="x.csv", sha256="0").read()


def test_the_source_names_its_extra() -> None:
    assert (SOURCE.distribution, SOURCE.extra) == ("scikit-learn", "demo")


def test_random_numbers_are_those_of_numpys_generator_today_and_their_stream_is_frozen() -> None:
    assert np.array_equal(uniforms(7, 2, 5), np.random.Generator(np.random.PCG64(7)).random((2, 5)))
    assert uniforms(1797, 3).tolist() == [0.782162396352371, 0.8653765626768372, 0.8123112972066635]
