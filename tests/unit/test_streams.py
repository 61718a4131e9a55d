"""Event files piece by piece: mapped, unpacked, damaged; and archives that are whole or not there."""

from __future__ import annotations

import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.errors import ArrayFileError, ArrayShapeError, NonFiniteInputError, WriteError
from fpgacnn.system.npz import read_arrays
from fpgacnn.system.npz_stream import ArchiveWriter, open_events

SHAPES = {"a": (4, 3), "b": (2,)}
FIRST = np.arange(100 * 12, dtype=np.float32).reshape(100, 4, 3)
SECOND = np.arange(200, dtype=np.int16).reshape(100, 2)


def collected(path: Path, shapes: dict[str, tuple[int, ...]], size: int) -> list[np.ndarray]:
    pieces = list(open_events(path, shapes).pieces(size))
    return [np.concatenate([piece[number] for piece in pieces]) for number in range(len(shapes))]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_members_are_read_in_turn(tmp_path: Path, save: object, size: int) -> None:
    save(tmp_path / "x.npz", input_0=FIRST, input_1=SECOND, labels=np.zeros(100))
    seen = collected(tmp_path / "x.npz", SHAPES, size)
    assert np.array_equal(seen[0], FIRST)
    assert np.array_equal(seen[1], SECOND)
    assert [one.dtype for one in seen] == [np.float32, np.int16]


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("<f4", "f4"),
        (">f4", "f4"),
        ("<f2", "f4"),
        ("u1", "u1"),
        ("<i2", "i2"),
        (">i2", "i2"),
        ("<i4", "f8"),
        (">f8", "f8"),
        ("<i8", "f8"),
        ("?", "u1"),
    ],
)
def test_numbers_of_every_type_keep_their_values(tmp_path: Path, stored: str, read: str) -> None:
    values = (SECOND % 2).astype(stored)
    np.save(tmp_path / "x.npy", values)
    (seen,) = collected(tmp_path / "x.npy", {"a": (2,)}, 30)
    assert seen.dtype == np.dtype(read)
    assert np.array_equal(seen, values)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
def test_arrays_in_the_order_of_fortran_are_read_right(tmp_path: Path, save: object) -> None:
    save(tmp_path / "x.npz", input_0=np.asfortranarray(FIRST))
    assert np.array_equal(collected(tmp_path / "x.npz", {"a": (4, 3)}, 9)[0], FIRST)


def test_a_stored_member_is_mapped_and_not_read(tmp_path: Path) -> None:
    """The promise of bounded memory: a hole of 40 GB costs nothing."""
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**7, 1000)})
        file.truncate(file.tell() + 4 * 10**10)
    stream = open_events(path, {"a": (1000,)})
    assert stream.events == 10**7
    assert next(stream.pieces(5))[0].shape == (5, 1000)


def test_a_missing_input_a_wrong_shape_and_unequal_numbers_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", input_0=FIRST, input_1=SECOND[:50])
    with pytest.raises(ArrayFileError, match="it has no 'input_2', but input_0, input_1"):
        open_events(tmp_path / "x.npz", {**SHAPES, "c": (1,)})
    with pytest.raises(ArrayShapeError, match=r"input_0 has shape \(100, 4, 3\), expected \(events, 5\)"):
        open_events(tmp_path / "x.npz", {"a": (5,)})
    with pytest.raises(ArrayFileError, match="different numbers of events"):
        open_events(tmp_path / "x.npz", SHAPES)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
def test_a_damaged_archive_is_told(tmp_path: Path, save: object) -> None:
    random = np.random.default_rng(1).normal(size=(4000, 2))
    save(tmp_path / "x.npz", input_0=random)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[len(content) // 3 : -2000] = b"\xff" * (len(content) - 2000 - len(content) // 3)
    (tmp_path / "y.npz").write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(ArrayFileError):
        collected(tmp_path / "y.npz", {"a": (2,)}, 100)
    if save is np.savez_compressed:
        (tmp_path / "z.npz").write_bytes(bytes(content))
        with pytest.raises(ArrayFileError):
            collected(tmp_path / "z.npz", {"a": (2,)}, 100)


def test_numbers_that_are_none_are_told_with_their_event(tmp_path: Path) -> None:
    values = SECOND.astype(float)
    values[70, 1] = np.nan
    np.save(tmp_path / "x.npy", values)
    stream = open_events(tmp_path / "x.npy", {"a": (2,)})
    with pytest.raises(NonFiniteInputError, match="input_0 holds 1 NaN or infinite values, first at event 70"):
        for number, piece in enumerate(stream.pieces(32)):
            stream.finite(piece, 32 * number)


def test_pieces_are_written_as_one_archive(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "new" / "y.npz", {"output_0": (4, 3), "file": ()}, 100) as writer:
        for start in range(0, 100, 30):
            writer.add(
                {
                    "output_0": FIRST[start : start + 30].astype(float),
                    "file": np.arange(start, min(start + 30, 100), dtype=float),
                }
            )
        writer.close()
    found = read_arrays(tmp_path / "new" / "y.npz")
    assert np.array_equal(found["output_0"], FIRST)
    assert np.array_equal(found["file"], np.arange(100))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["y.npz"]
    assert zipfile.ZipFile(tmp_path / "new" / "y.npz").testzip() is None


def test_an_archive_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), ArchiveWriter(tmp_path / "y.npz", {"output_0": ()}, 100) as writer:
        writer.add({"output_0": np.zeros(10)})
        writer.add({"nobody": np.zeros(10)})
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(WriteError, match="cannot write"),
        ArchiveWriter(tmp_path / "file" / "y.npz", {"output_0": ()}, 1),
    ):
        pass


def test_what_is_written_is_compressed_while_it_comes(tmp_path: Path) -> None:
    """A limit on the size of files is far below that of the numbers: no file holds them as they are."""
    events, width = 4000, 1000  # 32 MB for each array
    values = (np.arange(events * width) % 7).astype(float).reshape(events, width)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, hard))
    try:
        with ArchiveWriter(tmp_path / "y.npz", {"output_0": (width,), "layer": (width,)}, events, threads=2) as writer:
            for start in range(0, events, 300):
                writer.add({"output_0": values[start : start + 300], "layer": -values[start : start + 300]})
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with np.load(tmp_path / "y.npz") as file:
        assert np.array_equal(file["output_0"], values)
        assert np.array_equal(file["layer"], -values)
    assert not zipfile.ZipFile(tmp_path / "y.npz").testzip()


def test_an_archive_of_scalars_can_be_read(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "y.npz", {"output_0": ()}, 3, threads=1) as writer:
        writer.add({"output_0": np.array([1.0, -0.5])})
        writer.add({"output_0": np.array([2.0])})
        writer.close()
    with np.load(tmp_path / "y.npz") as file:
        assert file["output_0"].tolist() == [1.0, -0.5, 2.0]
