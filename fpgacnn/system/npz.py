"""Read and write event files: `.npy` and `.npz` without pickle, with sizes checked before memory is used."""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import (
    ArrayFileError,
    ArrayShapeError,
    FileMissingError,
    NonFiniteInputError,
    TooLargeError,
    WriteError,
)
from fpgacnn.ir.source import FloatArray, Shape
from fpgacnn.system.files.output import NewFile, refuse_foreign_file
from fpgacnn.system.files.regular import ANY_SIZE, IrregularFileError, open_regular

MAX_BYTES = 4 << 30
"""Largest unpacked size of an archive; a plain `.npy` file of any size is mapped into memory."""

MAX_HEADER = 1 << 16
LABELS, GROUPS, TARGET = "labels", "groups", "target"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of an archive, and of an empty one: a network without weights has no arrays."""
MARK = b"written by fpgacnn"
"""The comment of archives that fpgacnn writes to a path of the user; only such files are replaced."""

_NPY = b"\x93NUMPY"
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Exceptions of NumPy and the decompressors for damaged files."""


@dataclass(frozen=True, slots=True, eq=False)
class MemoryArrays:
    """Arrays in the memory of the caller instead of a file. `name` stands for them in messages and records."""

    name: str
    arrays: Mapping[str, NDArray[np.generic]]

    def __str__(self) -> str:
        return self.name


ArraySource: TypeAlias = Path | MemoryArrays


def arrays_in_memory(name: str, arrays: Mapping[str, object]) -> MemoryArrays:
    """Arrays by name, each of numbers (bool, integers or floats) and with an axis of events.

    Raises ArrayFileError.
    """
    found = dict[str, NDArray[np.generic]]()
    for key, value in arrays.items():
        if not isinstance(key, str):
            raise ArrayFileError(file=name, why=f"{key!r} is not the name of an array")
        if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
            raise ArrayFileError(file=name, why=f"{key} has masked values; fill them first")
        try:
            array = np.asarray(value)
        except ValueError as error:  # rows of different lengths
            raise ArrayFileError(file=name, why=f"{key} is not an array: {error}") from error
        if array.dtype.kind not in "biuf":
            raise ArrayFileError(file=name, why=f"{key} holds {array.dtype}, not numbers")
        found[key] = array
    return MemoryArrays(name, found)


def read_arrays(path: ArraySource) -> Mapping[str, NDArray[np.generic]]:
    """All arrays of a file, or of the caller's memory, by name; a `.npy` file has one array, `input_0`.

    Raises FileMissingError, ArrayFileError, TooLargeError.
    """
    if isinstance(path, MemoryArrays):
        return path.arrays
    head = head_of(path)
    with named_damage(path):
        if head.startswith(_NPY):
            with open_regular(path, limit=ANY_SIZE) as file:
                return {"input_0": _mapped(file, path)}
        if head.startswith(ZIP):
            return _read_npz(path)
    raise ArrayFileError(file=path, why="neither .npy nor .npz")


@contextlib.contextmanager
def named_damage(path: Path) -> Iterator[None]:
    """Turn NumPy's errors for a damaged file into ArrayFileError, and ignore its warnings about files of Python 2."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Reading `.npy`", category=UserWarning)
            warnings.simplefilter(
                "ignore", SyntaxWarning
            )  # Python reads a header such as `1or` as a number and a keyword
            yield
    except DAMAGE as error:
        raise ArrayFileError(file=path, why=f"damaged or not plain numbers: {error}") from error


def head_of(path: Path) -> bytes:
    """The first bytes of a file.

    Raises FileMissingError, ArrayFileError for what is no regular file.
    """
    try:
        with open_regular(path, limit=ANY_SIZE) as file:
            return file.read(8)
    except IrregularFileError as error:
        raise ArrayFileError(file=path, why=error.strerror or "it is no file") from error
    except OSError as error:
        raise FileMissingError(file=path, why=error.strerror or "cannot be read") from error


def _mapped(file: BinaryIO, path: Path) -> NDArray[np.generic]:
    """The array of an opened `.npy` file, in memory only where it is looked at."""
    size = os.fstat(file.fileno()).st_size
    check_header(file, path, "the array", size)
    file.seek(0)
    shape, fortran, dtype = read_header(file)
    if 0 in shape:  # nothing cannot be mapped
        return np.zeros(shape, dtype)
    return np.memmap(file, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def read_header(file: BinaryIO) -> tuple[Shape, bool, np.dtype[np.generic]]:
    """Shape, order of axes (whether Fortran's) and type of an array, read from where it begins."""
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(file)
    return shape, fortran, dtype


def _read_npz(path: Path) -> Mapping[str, NDArray[np.generic]]:
    found: dict[str, NDArray[np.generic]] = {}
    with open_regular(path, limit=ANY_SIZE) as opened, zipfile.ZipFile(opened) as archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > MAX_BYTES:
            raise TooLargeError(file=path, where="the archive", seen=f"{total} bytes unpacked", limit=MAX_BYTES)
        for member in archive.infolist():
            with archive.open(member) as file:
                check_header(file, path, member.filename, member.file_size)  # type: ignore[arg-type]  # a binary stream
            with archive.open(member) as file:
                found[member.filename.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
    return found


def check_header(file: BinaryIO, path: Path, name: str, size: int) -> None:
    """Check that the header announces only numbers, and no more data than the file has."""
    head = io.BytesIO(file.read(MAX_HEADER))  # a header may claim to be 4 GiB long
    shape, _, dtype = read_header(head)
    if dtype.kind not in "biuf":
        raise ArrayFileError(file=path, why=f"{name} holds {dtype}, not numbers")
    promised = dtype.itemsize
    for axis in shape:
        promised *= axis
    if promised > size:
        raise ArrayFileError(file=path, why=f"{name} announces {promised} bytes of data, but the file has {size}")


def events_for(
    path: ArraySource, shapes: Mapping[str, Shape], read: Mapping[str, NDArray[np.generic]] | None = None
) -> tuple[tuple[FloatArray, ...], NDArray[np.int64] | None]:
    """The events of each network input as float64 (events, ...shape), in order, and the labels if the file has some.

    `read` are the arrays of the file, if they were read before. One-hot labels (events, classes) become class numbers.
    Raises ArrayShapeError if an input is missing or has another shape, NonFiniteInputError.
    """
    arrays = read_arrays(path) if read is None else read
    inputs = tuple(_input(path, arrays, number, shape) for number, shape in enumerate(shapes.values()))
    if len({len(one) for one in inputs}) != 1:
        raise ArrayFileError(file=path, why="the inputs have different numbers of events")
    labels = class_numbers(arrays.get(LABELS))
    if labels is not None and (labels.ndim != 1 or len(labels) != len(inputs[0]) or labels.dtype.kind not in "biu"):
        raise ArrayFileError(
            file=path, why=f"labels must be {len(inputs[0])} whole numbers, found {labels.dtype} {labels.shape}"
        )
    return inputs, None if labels is None else labels.astype(np.int64)


def class_numbers(labels: NDArray[np.generic] | None) -> NDArray[np.generic] | None:
    """One-hot rows (events, 2 or more classes) as class numbers (events,); other labels as they are."""
    if labels is None or labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return labels
    ones = labels == np.ones((), labels.dtype)
    if not (ones | (labels == np.zeros((), labels.dtype))).all() or not (ones.sum(axis=1) == 1).all():
        return labels
    return ones.argmax(axis=1)


def targets_for(
    path: ArraySource, shapes: Sequence[Shape], arrays: Mapping[str, NDArray[np.generic]], events: int
) -> tuple[FloatArray | None, ...]:
    """The wanted answers of each output, `target_0`, ..., as float64 (events, ...shape); None for those without.

    An output of one value also takes (events,). Raises ArrayShapeError, NonFiniteInputError.
    """
    found: list[FloatArray | None] = []
    for number, shape in enumerate(shapes):
        name = f"{TARGET}_{number}"
        wanted = arrays.get(name)
        if wanted is not None and wanted.shape == (events,) and prod(shape) == 1:
            wanted = wanted.reshape(events, *shape)
        if wanted is not None and wanted.shape != (events, *shape):
            raise ArrayShapeError(file=path, name=name, seen=wanted.shape, expected=", ".join(map(str, shape)))
        found.append(None if wanted is None else finite(path, name, wanted))
    return tuple(found)


def _input(path: ArraySource, arrays: Mapping[str, NDArray[np.generic]], number: int, shape: Shape) -> FloatArray:
    name = f"input_{number}"
    found = arrays.get(name)
    if found is None:
        raise ArrayFileError(file=path, why=f"it has no '{name}', but {', '.join(sorted(arrays)) or 'nothing'}")
    if found.ndim == 0 or found.shape[1:] != shape or not len(found):
        raise ArrayShapeError(file=path, name=name, seen=found.shape, expected=", ".join(map(str, shape)))
    return finite(path, name, found)


def finite(path: ArraySource, name: str, values: NDArray[np.generic], first: int = 0) -> FloatArray:
    """The events as float64; `first` is the number of the first one.

    Raises NonFiniteInputError.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # values beyond float64 become infinite or NaN
        doubles = np.asarray(values, dtype=np.float64)
    bad = ~np.isfinite(doubles)
    if bad.any():
        raise NonFiniteInputError(file=path, name=name, count=int(bad.sum()), event=first + int(np.argwhere(bad)[0][0]))
    return doubles


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write a compressed `.npz` atomically; only an older file of fpgacnn is replaced.

    Raises FileInTheWayError, WriteError.
    """
    try:
        with NewFile(path, lambda: refuse_foreign_arrays(path)) as new:
            new.file.write(packed(arrays, MARK))
            new.keep()
    except OSError as error:
        raise WriteError(file=path, why=error.strerror or str(error)) from error


def refuse_foreign_arrays(file: Path) -> None:
    """Raise FileInTheWayError if `file` exists and has not the mark of fpgacnn, WriteError if it cannot be examined."""
    refuse_foreign_file(file, _is_ours)


def _is_ours(file: BinaryIO) -> bool:
    head = file.read(len(ZIP[0]))
    file.seek(-min(len(MARK), os.fstat(file.fileno()).st_size), os.SEEK_END)
    return head in ZIP and file.read() == MARK


def packed(arrays: Mapping[str, NDArray[np.generic]], comment: bytes = b"") -> bytes:
    """The bytes of a compressed `.npz`; the same arrays always give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_DEFLATED
    ) as archive:  # not np.savez: it reserves names such as `file`
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())
        archive.comment = comment
    return buffer.getvalue()


def groups_for(path: ArraySource, events: int) -> NDArray[np.int64] | None:
    """The array `groups` of a file (events of one group belong together), or None if it has none.

    Raises ArrayFileError.
    """
    groups = read_arrays(path).get(GROUPS)
    if groups is not None and (groups.ndim != 1 or len(groups) != events or groups.dtype.kind not in "biu"):
        raise ArrayFileError(
            file=path, why=f"groups must be {events} whole numbers, found {groups.dtype} {groups.shape}"
        )
    return None if groups is None else groups.astype(np.int64)
