"""Event files: what is read, and every way in which a file can be wrong, by the words of its error."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.errors import (
    ArrayFileError,
    ArrayShapeError,
    FileMissingError,
    FpgacnnError,
    NonFiniteInputError,
    TooLargeError,
    WriteError,
)
from fpgacnn.system.npz import events_for, read_arrays, write_arrays

SEED = 3
SHAPES = {"x": (4, 2)}


def events(*shape: int) -> np.ndarray:
    return np.random.default_rng([SEED, *shape]).normal(size=shape)


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # numpy's stub
    return path


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n" + data


def described(shape: str, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def test_a_npy_file_is_the_first_input(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", events(5, 4, 2))
    (found,), labels = events_for(tmp_path / "x.npy", SHAPES)
    assert found.tolist() == events(5, 4, 2).tolist()
    assert labels is None


def test_an_archive_holds_inputs_in_order_and_labels(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "x.npz", input_1=events(3, 2), labels=np.array([2, 0, 1], np.uint8), input_0=events(3, 4, 2)
    )
    inputs, labels = events_for(path, {"image": (4, 2), "hits": (2,)})
    assert [one.shape for one in inputs] == [(3, 4, 2), (3, 2)]
    assert inputs[1].tolist() == events(3, 2).tolist()
    assert labels is not None
    assert (labels.tolist(), labels.dtype) == ([2, 0, 1], np.int64)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", ">f8", "<i2"])
def test_numbers_of_every_kind_become_doubles(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 4, 2), dtype))
    (found,), _ = events_for(tmp_path / "x.npy", SHAPES)
    assert found.dtype == np.float64
    assert found.tolist() == np.ones((3, 4, 2)).tolist()


def test_the_order_of_axes_in_memory_does_not_matter(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(events(3, 4, 2)))
    assert events_for(tmp_path / "x.npy", SHAPES)[0][0].tolist() == events(3, 4, 2).tolist()


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(npy(events(3, 4, 2)))
    assert len(events_for(tmp_path / "x.h5", SHAPES)[0][0]) == 3


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_python_2_is_read_without_a_word(tmp_path: Path, *, packed: bool) -> None:
    content = header(described("(3L, 4L, 2L)"), events(3, 4, 2).tobytes())
    (tmp_path / "x.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("input_0.npy", content)
    path = tmp_path / ("x.npz" if packed else "x.npy")
    assert events_for(path, SHAPES)[0][0].tolist() == events(3, 4, 2).tolist()


@pytest.mark.parametrize(
    "numbers", [np.full((3, 4, 2), np.longdouble("1e4000")), np.full((3, 4, 2), 0x7FA00000, np.uint32).view(np.float32)]
)
def test_numbers_that_no_double_holds_are_not_finite_and_nothing_is_warned_of(
    tmp_path: Path, numbers: np.ndarray
) -> None:
    np.save(tmp_path / "x.npy", numbers)
    with pytest.raises(NonFiniteInputError, match="24"):
        events_for(tmp_path / "x.npy", SHAPES)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match=r"no\.npz: No such file or directory"):
        read_arrays(tmp_path / "no.npz")
    with pytest.raises(FileMissingError, match="Is a directory"):
        read_arrays(tmp_path)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(ArrayFileError, match="it is a pipe, not a regular file"):
        read_arrays(tmp_path / "x.npy")


DAMAGED = {
    "text": (b"1 2 3\n", r"neither \.npy nor \.npz"),
    "empty": (b"", r"neither \.npy nor \.npz"),
    "pickle": (b"\x80\x04N.", r"neither \.npy nor \.npz"),
    "objects": (header(described("(3,)", "'|O'"), bytes(64)), "the array holds object, not numbers"),
    "records": (npy(np.zeros(3, "i4,f8")), r"the array holds \[\('f0', '<i4'\), \('f1', '<f8'\)\], not numbers"),
    "strings": (npy(np.array(["a"])), "the array holds <U1, not numbers"),
    "complex": (npy(np.zeros(3, "c8")), "the array holds complex64, not numbers"),
    "a petabyte": (
        header(described("(1 << 40, 1)").replace("1 << 40", str(1 << 40))),
        "announces 8796093022208 bytes of data, but the file has",
    ),
    "a negative size": (header(described("(-3,)")), "damaged or not plain numbers: negative dimensions"),
    "an absurd size times zero": (header(described(f"({10**23}, 0)")), "damaged or not plain numbers"),
    "true for a size": (header(described("(True,)"), bytes(64)), "damaged or not plain numbers"),
    "half a size": (header(described("(1.5,)"), bytes(64)), "damaged or not plain numbers: shape is not valid"),
    "an unknown type": (
        header(described("(3,)", "'zzz'")),
        "damaged or not plain numbers: descr is not a valid dtype descriptor",
    ),
    "a type that is no Python": (header(described("(3,)", "'<08f4'")), "damaged or not plain numbers"),
    "an empty tuple for a type": (header(described("(3,)", "()")), "damaged or not plain numbers"),
    "an open bracket": (header("{'descr': ("), "damaged or not plain numbers"),
    "deep brackets": (header("{'shape': " + "(" * 3000), "damaged or not plain numbers"),
    "a cut magic": (b"\x93NUMPY\x01", "damaged or not plain numbers: EOF"),
    "a cut header": (b"\x93NUMPY\x01\x00\xff\xff{}", "damaged or not plain numbers: EOF"),
    "cut data": (
        npy(np.zeros((3, 4, 2)))[:-5],
        "announces 192 bytes of data, but the file has|mmap length is greater than file size",
    ),
    "an unknown version": (b"\x93NUMPY\x09\x00" + bytes(64), "damaged or not plain numbers"),
}


@pytest.mark.parametrize(("content", "words"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_or_foreign_file_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(ArrayFileError, match=words) as caught:
        read_arrays(path)
    assert str(path) in str(caught.value)
    assert caught.value.code == "FC050"


def test_an_archive_without_members_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_arrays(path, {})
    assert read_arrays(path) == {}
    with pytest.raises(ArrayFileError, match="it has no 'input_0', but nothing"):
        events_for(path, SHAPES)


@pytest.mark.parametrize("content", [content for content, _ in DAMAGED.values()], ids=list(DAMAGED))
def test_a_damaged_array_inside_an_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("input_0.npy", content)
    with pytest.raises(ArrayFileError):
        read_arrays(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_STORED])
def test_no_flipped_byte_of_an_archive_is_more_than_an_array_file_error(tmp_path: Path, method: int) -> None:
    buffer, path, refused = io.BytesIO(), tmp_path / "x.npz", 0
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("input_0.npy", npy(events(4, 4, 2)))
    whole = buffer.getvalue()
    for position in range(0, len(whole), 3):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x5A]) + whole[position + 1 :])
        try:
            read_arrays(path)
        except ArrayFileError:
            refused += 1
    assert refused > len(whole) // 6


def test_no_cut_archive_is_read(tmp_path: Path) -> None:
    whole = saved(tmp_path / "x.npz", input_0=events(4, 4, 2)).read_bytes()
    path = tmp_path / "cut.npz"
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        with pytest.raises(ArrayFileError):
            read_arrays(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npz", input_0=events(2, 4, 2))
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArrayFileError, match="is encrypted"):
        read_arrays(path)


def test_an_archive_that_would_unpack_to_more_than_4_gib_is_refused_before_memory_is_used(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5):
            archive.writestr(f"input_{number}.npy", npy(np.zeros(2)))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    while at >= 0:
        content[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
        at = content.find(b"PK\x01\x02", at + 4)
    path.write_bytes(bytes(content))
    with pytest.raises(
        TooLargeError, match=r"the archive is too large: 21474836400 bytes unpacked \(limit 4294967296\)"
    ):
        read_arrays(path)


def test_a_missing_input_is_named_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(ArrayFileError, match="it has no 'input_0', but images, labels"):
        events_for(saved(tmp_path / "x.npz", images=events(3, 4, 2), labels=np.arange(3)), SHAPES)


@pytest.mark.parametrize("shape", [(3, 4, 3), (3, 8), (4, 2), (0, 4, 2), ()], ids=str)
def test_a_wrong_shape_is_told_with_the_right_one(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = saved(tmp_path / "x.npz", input_0=np.zeros(shape))
    with pytest.raises(ArrayShapeError) as caught:
        events_for(path, SHAPES)
    assert f"input_0 has shape {shape}, expected (events, 4, 2)" in str(caught.value)


def test_inputs_of_different_length_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npz", input_0=events(3, 4, 2), input_1=events(2, 5))
    with pytest.raises(ArrayFileError, match="the inputs have different numbers of events"):
        events_for(path, {"x": (4, 2), "y": (5,)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_and_the_first_event_is_named(tmp_path: Path, value: float) -> None:
    data = events(6, 4, 2)
    data[3, 1, 0] = data[3, 2, 1] = data[5, 0, 0] = value
    with pytest.raises(NonFiniteInputError, match="input_0 holds 3 NaN or infinite values, first at event 3"):
        events_for(saved(tmp_path / "x.npz", input_0=data), SHAPES)


@pytest.mark.parametrize(
    "labels", [np.zeros(3), np.arange(2), np.zeros((3, 1), int)], ids=["floats", "too few", "two axes"]
)
def test_labels_that_are_not_one_whole_number_an_event_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    with pytest.raises(ArrayFileError, match=f"labels must be 3 whole numbers, found {labels.dtype}"):
        events_for(saved(tmp_path / "x.npz", input_0=events(3, 4, 2), labels=labels), SHAPES)


@pytest.mark.parametrize("name", ["output_0", "file", "allow_pickle", "args", "ä b"])
def test_written_arrays_are_read_back_under_their_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new" / "y.npz"
    write_arrays(path, {name: events(3, 2), "other": np.arange(4)})
    found = read_arrays(path)
    assert set(found) == {name, "other"}
    assert found[name].tolist() == events(3, 2).tolist()
    assert [one.name for one in path.parent.iterdir()] == ["y.npz"]


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_arrays(tmp_path / name, {"output_0": events(3, 2)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("place", ["file/y.npz", "folder", ".", "n" * 300, "/proc/y.npz"])
def test_a_place_that_cannot_be_written_is_a_write_error_and_leaves_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WriteError, match="cannot write"):
        write_arrays(tmp_path / place, {"output_0": events(3, 2)})
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_an_old_file_survives_a_failed_write(tmp_path: Path) -> None:
    path = tmp_path / "y.npz"
    write_arrays(path, {"output_0": events(3, 2)})
    before = path.read_bytes()
    with pytest.raises((FpgacnnError, ValueError)):
        write_arrays(path, {"output_0": np.array([{}], dtype=object)})
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["y.npz"]


def test_a_header_that_announces_gigabytes_is_not_read(tmp_path: Path) -> None:
    """Format 2.0 has 32 bits for the header's length, and a zip archive makes zeros cheap."""
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input_0.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 64 << 20) + b" " * (64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ArrayFileError, match="expected 67108864 bytes"):
            read_arrays(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
