"""Read and write event files of any size piece by piece.

A `.npy` file and uncompressed members of an `.npz` are read in place, compressed members are unpacked while they are
read, always from the first event to the last. Arrays in Fortran order are mapped into memory.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import ArrayFileError, ArrayShapeError, WriteError
from fpgacnn.ir.source import FloatArray, Shape
from fpgacnn.system.files.output import NewFile
from fpgacnn.system.files.regular import ANY_SIZE, open_regular
from fpgacnn.system.npz import (
    MARK,
    ZIP,
    ArraySource,
    MemoryArrays,
    check_header,
    finite,
    head_of,
    named_damage,
    read_arrays,
    read_header,
    refuse_foreign_arrays,
)

LOCAL_HEADER_BYTES = 30
COMPRESSION_LEVEL = 1
"""The fastest: results are seldom read more often than they are written."""

RAW_DEFLATE = -15
"""Compressed data without a header, as archives have it; the window is 32 KB."""

Piece = NDArray[np.generic]
Reader = Callable[[int], Piece]
"""Reads the given number of next events of one input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """The events of a file for a network's inputs; they can be read from first to last several times."""

    path: ArraySource
    events: int
    shapes: tuple[Shape, ...]

    def pieces(self, size: int) -> Iterator[tuple[Piece, ...]]:
        """All events, `size` at a time, one array for each input, in the file's own type of numbers.

        Raises ArrayFileError.
        """
        with contextlib.ExitStack() as opened:
            with self._named_damage():
                readers = [_reader(self.path, number, opened) for number in range(len(self.shapes))]
            for start in range(0, self.events, size):
                count = min(size, self.events - start)
                with self._named_damage():
                    piece = tuple(_plain(read(count)) for read in readers)
                yield piece

    def _named_damage(self) -> contextlib.AbstractContextManager[None]:
        """Name a file that is damaged; arrays in memory cannot be damaged."""
        return contextlib.nullcontext() if isinstance(self.path, MemoryArrays) else named_damage(self.path)

    def finite(self, values: Sequence[Piece], first: int) -> tuple[FloatArray, ...]:
        """A piece as float64; `first` is the number of its first event.

        Raises NonFiniteInputError.
        """
        return tuple(finite(self.path, f"input_{number}", one, first) for number, one in enumerate(values))


def open_events(path: ArraySource, shapes: Mapping[str, Shape]) -> EventStream:
    """Read the headers of an event file.

    Raises FileMissingError, ArrayFileError, ArrayShapeError.
    """
    sizes = (
        _headers(path)
        if not isinstance(path, MemoryArrays) and head_of(path).startswith(ZIP)
        else {f"{name}.npy": array.shape for name, array in read_arrays(path).items()}
    )
    counts = set()
    for number, shape in enumerate(shapes.values()):
        name = f"input_{number}"
        if f"{name}.npy" not in sizes:
            known = ", ".join(sorted(one.removesuffix(".npy") for one in sizes))
            raise ArrayFileError(file=path, why=f"it has no '{name}', but {known or 'nothing'}")
        seen = sizes[f"{name}.npy"]
        if not seen or seen[1:] != shape or not seen[0]:
            raise ArrayShapeError(file=path, name=name, seen=seen, expected=", ".join(map(str, shape)))
        counts.add(seen[0])
    if len(counts) != 1:
        raise ArrayFileError(file=path, why="the inputs have different numbers of events")
    return EventStream(path=path, events=counts.pop(), shapes=tuple(shapes.values()))


def _headers(path: Path) -> dict[str, Shape]:
    found = {}
    with named_damage(path), open_regular(path, limit=ANY_SIZE) as opened, zipfile.ZipFile(opened) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                check_header(cast("BinaryIO", file), path, member.filename, member.file_size)
            with archive.open(member) as file:
                found[member.filename], _, _ = read_header(cast("BinaryIO", file))
    return found


def _reader(path: ArraySource, number: int, opened: contextlib.ExitStack) -> Reader:
    """Open one input for reading from its first event."""
    if isinstance(path, MemoryArrays):
        return _in_turn(path.arrays[f"input_{number}"])
    if not head_of(path).startswith(ZIP):
        plain = opened.enter_context(open_regular(path, limit=ANY_SIZE))
        shape, fortran, dtype = read_header(plain)
        return _in_turn(read_arrays(path)[f"input_{number}"]) if fortran else _bytes_in_turn(plain, shape, dtype)
    whole = opened.enter_context(open_regular(path, limit=ANY_SIZE))
    archive = opened.enter_context(zipfile.ZipFile(whole))
    member = archive.getinfo(f"input_{number}.npy")
    file = cast("BinaryIO", opened.enter_context(archive.open(member)))
    shape, fortran, dtype = read_header(file)
    if member.compress_type == zipfile.ZIP_STORED:
        stored = opened.enter_context(open_regular(path, limit=ANY_SIZE))
        place = _place(stored, member) + file.tell()
        if fortran:
            return _in_turn(np.memmap(stored, dtype, "r", place, shape, "F"))
        stored.seek(place)
        return _bytes_in_turn(stored, shape, dtype)
    if fortran:
        file.seek(0)
        return _in_turn(np.lib.format.read_array(file, allow_pickle=False))
    return _bytes_in_turn(file, shape, dtype)


def _bytes_in_turn(file: BinaryIO, shape: Shape, dtype: np.dtype[np.generic]) -> Reader:
    """Read on from the current place. The pages of a mapped file would count as memory of this process."""

    def read(count: int) -> Piece:
        return np.frombuffer(file.read(count * prod(shape[1:]) * dtype.itemsize), dtype).reshape(count, *shape[1:])

    return read


def _in_turn(array: NDArray[np.generic]) -> Reader:
    place = 0

    def read(count: int) -> Piece:
        nonlocal place
        place += count
        return array[place - count : place]

    return read


def _place(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """The place where the data of a member begin, after its local header, which alone tells its own length."""
    file.seek(member.header_offset)
    head = file.read(LOCAL_HEADER_BYTES)
    name, extra = (int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
    return member.header_offset + LOCAL_HEADER_BYTES + name + extra


def _plain(values: Piece) -> Piece:
    """Native byte order; integers of at most 16 bits stay, short floats become float32, other numbers float64."""
    size, kind = values.dtype.itemsize, values.dtype.kind
    if kind in "iu" and size <= np.dtype(np.int16).itemsize:
        return np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    if kind == "b":
        return np.ascontiguousarray(values, np.uint8)
    narrow = kind == "f" and size <= np.dtype(np.float32).itemsize
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite or NaN is refused when it is used
        return np.ascontiguousarray(values, np.float32 if narrow else np.float64)


class _Member:
    """One array of an archive, compressed as it comes, in a file without a name."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.checksum = self.size = 0
        self._compressor = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, RAW_DEFLATE)

    def write(self, data: bytes | memoryview) -> None:
        """Compress and append bytes.

        Raises OSError.
        """
        self.checksum = zlib.crc32(data, self.checksum)
        self.size += len(data)
        self.file.write(self._compressor.compress(data))

    def copy_to(self, archive: zipfile.ZipFile, name: str) -> None:
        """Append the compressed bytes to an archive that is being written, which would compress them once more.

        Raises OSError.
        """
        self.file.write(self._compressor.flush())
        entry = zipfile.ZipInfo(name)
        entry.compress_type, entry.CRC = zipfile.ZIP_DEFLATED, self.checksum
        entry.file_size, entry.compress_size = self.size, self.file.tell()
        to = cast("BinaryIO", archive.fp)
        entry.header_offset = to.tell()
        to.write(entry.FileHeader(zip64=True))
        self.file.seek(0)
        shutil.copyfileobj(self.file, to, 1 << 20)
        archive.filelist.append(entry)
        archive.NameToInfo[name] = entry
        archive.start_dir = to.tell()


class ArchiveWriter:
    """Writes float64 arrays piece by piece, as one `.npz` that appears whole or not at all.

    Every piece is compressed when it comes, the arrays of a piece in `threads` threads, so that little is left to do in
    the end. What is written meanwhile has no name: nothing of it stays where the command is killed.
    """

    def __init__(self, path: Path, arrays: Mapping[str, Shape], events: int, threads: int | None = None) -> None:
        self._path, self._arrays, self._events = path, arrays, events
        self._threads = threads or len(os.sched_getaffinity(0))
        self._new = NewFile(path, lambda: refuse_foreign_arrays(path))
        self._members: dict[str, _Member] = {}
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Raises FileInTheWayError, WriteError."""
        with self._named(), contextlib.ExitStack() as undo:
            undo.enter_context(self._new)
            for name, shape in self._arrays.items():
                member = _Member(cast("BinaryIO", undo.enter_context(tempfile.TemporaryFile(dir=self._path.parent))))
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(
                    head, {"descr": "<f8", "fortran_order": False, "shape": (self._events, *shape)}
                )
                member.write(head.getvalue())
                self._members[name] = member
            self._workers = undo.enter_context(ThreadPoolExecutor(min(self._threads, max(1, len(self._arrays)))))
            self._opened = undo.pop_all()
        return self

    def add(self, arrays: Mapping[str, FloatArray]) -> None:
        """Append events to every array.

        Raises WriteError.
        """

        def append(name: str) -> None:
            self._members[name].write(np.ascontiguousarray(arrays[name], "<f8").reshape(-1).view(np.uint8).data)

        with self._named():
            for _ in self._workers.map(append, arrays):
                pass  # raises what a thread has raised

    def close(self) -> None:
        """Put the archive together and publish it.

        Raises FileInTheWayError, WriteError.
        """
        with self._named():
            with zipfile.ZipFile(self._new.file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, member in self._members.items():
                    member.copy_to(archive, f"{name}.npy")
                archive.comment = MARK
            self._new.keep()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove an unfinished archive."""
        with contextlib.suppress(OSError):
            self._opened.close()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteError(file=self._path, why=error.strerror or str(error)) from error
