"""Read HDF5, in a child process only: libhdf5 crashes and hangs on some damaged files.

Refused before anything is read: external, virtual and linked data (they read other files), cycles, absurd sizes. The
result is one header of JSON and the bytes of the arrays.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fpgacnn.errors import BrokenFileError, FpgacnnError, HostileFileError, TooLargeError

MAX_ELEMENTS = 1 << 26
MAX_OBJECTS = 100_000
MAX_DEPTH = 64

_ATTRIBUTES = re.compile(r"model_config|keras_version|name|(?:layer|weight)_names\d*")
_UNREAD = re.compile(r"/optimizer")
"""Data of the training in the file; they are checked like the rest, but not read."""


def answer(path: Path, content: bytes | None) -> Iterator[bytes | memoryview]:
    """The file, or `content` from an archive: length of the header, header, arrays in its order."""
    arrays: list[np.ndarray[Any, Any]] = []
    try:
        with damage(path):
            file = h5py.File(path if content is None else io.BytesIO(content), "r", rdcc_nbytes=0)
        with damage(path), file:
            header: dict[str, Any] = {"objects": [_described(found, arrays) for found in _objects(file, path)]}
    except FpgacnnError as error:
        header, arrays = {"error": error.code, "data": error.data}, []
    text = json.dumps(header).encode()
    yield len(text).to_bytes(8, "little")
    yield text
    yield from (array.data.cast("B") for array in arrays if array.size)


@contextmanager
def damage(path: Path | str) -> Iterator[None]:
    """Turn the exceptions of h5py for a damaged file into BrokenFileError."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise BrokenFileError(file=path, why=_reason(error)) from error


def _reason(error: Exception) -> str:
    return str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__


def _objects(root: h5py.Group, path: Path) -> Iterator[h5py.Group | h5py.Dataset]:
    """Every group once and every dataset under each name, checked to belong to the file and to have a sane size."""
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[h5py.Group, int]] = [(root, 0)]
    elements = links = 0
    while waiting:
        group, depth = waiting.pop()
        yield group
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            links += 1
            if depth > MAX_DEPTH or links > MAX_OBJECTS:
                raise TooLargeError(
                    file=path,
                    where=group.name,
                    seen=f"{links} objects, {depth} levels",
                    limit=f"{MAX_OBJECTS}, {MAX_DEPTH}",
                )
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
                raise HostileFileError(file=path, where=where, seen=f"a {type(link).__name__}")
            child = group[name]
            info = h5py.h5o.get_info(child.id)
            known = (info.fileno, info.addr) in seen
            seen.add((info.fileno, info.addr))
            if isinstance(child, h5py.Group) and not known:
                waiting.append((child, depth + 1))
            elif isinstance(child, h5py.Dataset):
                elements += _checked_size(child, path, where)
                if elements > MAX_ELEMENTS:
                    raise TooLargeError(file=path, where=where, seen=f"{elements} numbers in all", limit=MAX_ELEMENTS)
                yield child


def _checked_size(dataset: h5py.Dataset, path: Path, where: str) -> int:
    if dataset.external:
        raise HostileFileError(file=path, where=where, seen="an external dataset")
    if dataset.is_virtual:
        raise HostileFileError(file=path, where=where, seen="a virtual dataset")
    size = int(dataset.size or 0)
    if size > MAX_ELEMENTS:
        raise TooLargeError(file=path, where=where, seen=f"{size} numbers", limit=MAX_ELEMENTS)
    return size


def _described(found: h5py.Group | h5py.Dataset, arrays: list[np.ndarray[Any, Any]]) -> dict[str, Any]:
    """A group with its texts, or a dataset with shape and type; its numbers are added to the arrays."""
    if isinstance(found, h5py.Group):
        wanted = [name for name in found.attrs if _ATTRIBUTES.fullmatch(name)]
        return {"group": found.name, "texts": {name: _texts(found.attrs[name]) for name in wanted}}
    readable = found.shape is not None and found.dtype.kind in "fiub" and not _UNREAD.match(found.name)
    if readable:
        arrays.append(np.ascontiguousarray(found[()]))
    dtype = arrays[-1].dtype.str if readable else ""
    return {"dataset": found.name, "shape": found.shape, "holds": str(found.dtype), "dtype": dtype}


def _texts(value: Any) -> str | list[str]:
    if isinstance(value, str | bytes):
        return _text(value)
    return [_text(one) if isinstance(one, str | bytes) else str(one) for one in np.atleast_1d(value)]


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def library_version() -> str:
    """The version of the HDF5 library in h5py."""
    return str(h5py.version.hdf5_version)
