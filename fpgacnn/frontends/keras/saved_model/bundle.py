"""Checkpoints of TensorFlow: an index of arrays by key, and files that hold the arrays one after another.

The messages are those of TensorFlow's tensor_bundle.proto and trackable_object_graph.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from fpgacnn.errors import BrokenFileError, TooLargeError
from fpgacnn.frontends.keras.files.hdf5_child import MAX_ELEMENTS
from fpgacnn.frontends.keras.saved_model.checksum import crc32c, masked
from fpgacnn.frontends.keras.saved_model.fields import (
    AxisField,
    EntryField,
    HeaderField,
    ReferenceField,
    StoredTensorField,
    TensorDtype,
    TrackableField,
)
from fpgacnn.frontends.keras.saved_model.table import entries
from fpgacnn.frontends.wire import Scan, Value, WireError, data, integer, text, varint
from fpgacnn.ir.source import FloatArray
from fpgacnn.system.files.regular import ANY_SIZE, open_regular, read_regular

INDEX = "variables.index"
MAX_INDEX = 1 << 26
MAX_FILES = 1 << 10
OBJECT_GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"

_ELEMENTS: Mapping[int, str] = {
    TensorDtype.FLOAT: "<f4",
    TensorDtype.DOUBLE: "<f8",
    TensorDtype.HALF: "<f2",
    TensorDtype.INT8: "i1",
    TensorDtype.UINT8: "u1",
    TensorDtype.INT16: "<i2",
    TensorDtype.INT32: "<i4",
    TensorDtype.INT64: "<i8",
    TensorDtype.BOOL: "?",
}
"""Element types of numbers as NumPy writes them."""

_NOTHING = memoryview(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """Where an array lies: its file, place and size in bytes, and its checksum."""

    kind: int
    shape: tuple[int, ...]
    file: int
    offset: int
    size: int
    checksum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectNode:
    """An object of the saved model: the numbers of its children by name, and the key of its array if it is one."""

    children: Mapping[str, int]
    key: str


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn damage into BrokenFileError."""
    try:
        yield
    except (WireError, struct.error) as error:
        raise BrokenFileError(file=path, why=str(error)) from error
    except OSError as error:
        raise BrokenFileError(file=path, why=error.strerror or str(error)) from error


class Bundle:
    """The checkpoint in a folder `variables`."""

    def __init__(self, folder: Path) -> None:
        """Read the index.

        Raises BrokenFileError.
        """
        self.index = folder / INDEX
        with readable(self.index):
            found = entries(memoryview(read_regular(self.index, limit=MAX_INDEX)))
            self._files = _number_of_files(found.pop(b"", _NOTHING))
            self._entries = {key: _entry(value) for key, value in found.items()}

    @property
    def data_files(self) -> tuple[Path, ...]:
        """The files that hold the arrays."""
        return tuple(
            self.index.with_name(f"variables.data-{number:05d}-of-{self._files:05d}") for number in range(self._files)
        )

    def array(self, key: str) -> FloatArray:
        """The array of a key, as float64.

        Raises BrokenFileError, TooLargeError.
        """
        with readable(self.index):
            entry = self._entry(key.encode())
            count = prod(entry.shape)
            if count > MAX_ELEMENTS:
                raise TooLargeError(file=self.index, where=key, seen=f"{count} numbers", limit=MAX_ELEMENTS)
            if entry.kind == TensorDtype.BFLOAT16:
                halves = np.frombuffer(self._content(entry, 2 * count), "<u2").astype(np.uint32)
                return (halves << 16).view(np.float32).astype(np.float64).reshape(entry.shape)
            if entry.kind not in _ELEMENTS:
                raise WireError(f"{key} has the element type {entry.kind}, not numbers")
            dtype = np.dtype(_ELEMENTS[entry.kind])
            content = self._content(entry, dtype.itemsize * count)
            return np.frombuffer(content, dtype).astype(np.float64).reshape(entry.shape)

    def objects(self) -> tuple[ObjectNode, ...]:
        """The objects of the model; the first is the model itself.

        Raises BrokenFileError.
        """
        with readable(self.index):
            entry = self._entry(OBJECT_GRAPH)
            if entry.kind != TensorDtype.STRING or prod(entry.shape) != 1:
                raise WireError("its object graph is no text")
            content = memoryview(self._content(entry, entry.size))
            length, place = varint(content, 0)
            if place + 4 + length != len(content):  # the length is followed by its checksum
                raise WireError("its object graph is cut short")
            if masked(crc32c(length.to_bytes(4, "little") + bytes(content[place:]))) != entry.checksum:
                raise WireError("its object graph has another checksum than its own")
            scan = Scan()
            nodes = scan.fields(content[place + 4 :])
            return tuple(_node(scan, data(value)) for number, value in nodes if number == TrackableField.NODES)

    def _entry(self, key: bytes) -> _Entry:
        if key not in self._entries:
            raise WireError(f"it has no entry {key.decode('utf-8', 'replace')}")
        return self._entries[key]

    def _content(self, entry: _Entry, size: int) -> bytes:
        """The bytes of an array, checked."""
        if entry.size != size or not 0 <= entry.file < self._files:
            raise WireError("the size of an array is not that of its shape, or its file is not there")
        path = self.data_files[entry.file]
        with readable(path), open_regular(path, limit=ANY_SIZE) as file:
            file.seek(entry.offset)
            content = file.read(size)
            if len(content) != size:
                raise WireError("it ends inside an array")
            if entry.kind != TensorDtype.STRING and masked(crc32c(content)) != entry.checksum:
                raise WireError("an array has another checksum than its own")
        return content


def _number_of_files(header: memoryview) -> int:
    """The number of data files.

    Raises WireError if the bytes of numbers are in the order of big-endian machines.
    """
    fields = dict(Scan().fields(header))
    if fields.get(HeaderField.ENDIANNESS):
        raise WireError("it was written on a big-endian machine")
    files = integer(fields.get(HeaderField.NUM_SHARDS, 0))
    if not 0 < files <= MAX_FILES:
        raise WireError(f"it names {files} data files")
    return files


def _entry(message: memoryview) -> _Entry:
    """Where an array lies.

    Raises WireError.
    """
    scan = Scan()
    fields: dict[int, Value] = dict(scan.fields(message))
    if EntryField.SLICES in fields:
        raise WireError("an array is stored in slices")
    shape = data(fields.get(EntryField.SHAPE, _NOTHING))
    axes = [dict(scan.fields(data(axis))) for number, axis in scan.fields(shape) if number == AxisField.DIM]
    sizes = tuple(integer(axis.get(AxisField.SIZE, 0)) for axis in axes)
    kind, file, offset, size = (
        integer(fields.get(field, 0))
        for field in (EntryField.DTYPE, EntryField.SHARD_ID, EntryField.OFFSET, EntryField.SIZE)
    )
    if min((offset, size, *sizes)) < 0:
        raise WireError("an array has a negative size or place")
    checksum = int.from_bytes(data(fields.get(EntryField.CRC32C, _NOTHING)), "little")
    return _Entry(kind=kind, shape=sizes, file=file, offset=offset, size=size, checksum=checksum)


def _node(scan: Scan, message: memoryview) -> ObjectNode:
    """An object of the model.

    Raises WireError.
    """
    children: dict[str, int] = {}
    key = ""
    for number, value in scan.fields(message):
        if number == TrackableField.CHILDREN:
            child = dict(scan.fields(data(value)))
            name = text(child.get(ReferenceField.LOCAL_NAME, _NOTHING))
            children[name] = integer(child.get(ReferenceField.NODE_ID, 0))
        elif number == TrackableField.ATTRIBUTES:
            attribute = dict(scan.fields(data(value)))
            if text(attribute.get(StoredTensorField.NAME, _NOTHING)) == "VARIABLE_VALUE":
                key = text(attribute.get(StoredTensorField.CHECKPOINT_KEY, _NOTHING))
    return ObjectNode(children=children, key=key)
