"""HDF5 files as trees of JSON and back, so that they can be damaged by structure: groups, texts, arrays, links.

    [[path, {"attrs": {name: value}}], [path, {"values": [[0.5]], "dtype": "<f4"}], [path, {"soft": "/x"}], ...]

A text that is JSON is kept as its tree. What HDF5 cannot hold after a mutation is left out.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import h5py
import numpy as np

HEAD = b"\x89HDF\r\n\x1a\n"
MAX_VALUES = 1 << 16
IMPOSSIBLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What NumPy and h5py raise for what no file can hold."""


def recipe(content: bytes) -> list[Any]:
    """A file that h5py wrote, as a tree."""
    with h5py.File(io.BytesIO(content), "r") as file:
        return [["/", {"attrs": _attributes(file)}], *_below(file)]


def _below(group: h5py.Group) -> list[Any]:
    found: list[Any] = []
    for name in group:
        link, path = group.get(name, getlink=True), f"{group.name.rstrip('/')}/{name}"
        if isinstance(link, h5py.SoftLink):
            found.append([path, {"soft": link.path}])
        elif isinstance(link, h5py.ExternalLink):
            found.append([path, {"external": link.path, "file": link.filename}])
        elif isinstance(group[name], h5py.Group):
            found += [[path, {"attrs": _attributes(group[name])}], *_below(group[name])]
        else:
            found.append([path, _dataset(group[name])])
    return found


def _dataset(dataset: h5py.Dataset) -> dict[str, Any]:
    stated = {"shape": None if dataset.shape is None else list(dataset.shape), "dtype": dataset.dtype.str}
    if dataset.dtype.kind not in "fiub" or not dataset.size or dataset.size > MAX_VALUES:
        return stated
    return {"values": dataset[()].tolist(), "dtype": dataset.dtype.str}


def _attributes(holder: h5py.Group) -> dict[str, Any]:
    return {name: _attribute(value) for name, value in holder.attrs.items()}


def _attribute(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        return [_attribute(one) for one in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return value if isinstance(value, int | float | bool) else str(value)
    try:
        return {"json": json.loads(value)} if value[:1] in ("{", "[") else value
    except (ValueError, RecursionError):
        return value


def written(tree: Any) -> bytes:
    """The file that a tree describes."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for one in tree if isinstance(tree, list) else []:
            match one:
                case [str(path), dict(what)]:
                    with contextlib.suppress(*IMPOSSIBLE):
                        _put(file, path, what)
    return content.getvalue()


def _put(file: h5py.File, path: str, what: dict[str, Any]) -> None:
    match what:
        case {"soft": str(to)}:
            file[path] = h5py.SoftLink(to)
        case {"external": str(to), "file": str(name)}:
            file[path] = h5py.ExternalLink(name, to)
        case {"values": values, "dtype": dtype}:
            file.create_dataset(path, data=np.array(values, np.dtype(dtype)))
        case {"shape": None, "dtype": dtype}:
            file.create_dataset(path, data=h5py.Empty(np.dtype(dtype)))
        case {"shape": list(shape), "dtype": dtype}:
            file.create_dataset(
                path, tuple(shape), np.dtype(dtype), chunks=(1,) * len(shape) if shape and 0 not in shape else None
            )
        case {"attrs": dict(attributes)}:
            group = file if path == "/" else file.require_group(path)
            for name, value in attributes.items():
                with contextlib.suppress(*IMPOSSIBLE):
                    group.attrs[name] = _value(value)


def _value(value: Any) -> Any:
    match value:
        case {"json": tree}:
            return json.dumps(tree)
        case [*items] if items and all(isinstance(item, str) for item in items):
            return np.array([item.encode("utf-8", "replace") for item in items])
        case []:
            return np.array([], "S1")
        case None:
            return h5py.Empty("f4")
        case _:
            return value
