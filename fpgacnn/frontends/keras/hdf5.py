"""The door to HDF5: open a file safely and take arrays out of it.

Refused before anything is read: external, virtual and linked data (they read other files), cycles, absurd sizes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import BrokenFileError, HostileFileError, TooLargeError, WeightsError

MAX_ELEMENTS = 1 << 26
MAX_OBJECTS = 100_000
MAX_DEPTH = 64


@contextmanager
def opened(path: Path, content: bytes | None = None) -> Iterator[h5py.File]:
    """The file, or `content` that was taken out of it, open for reading and checked to hold only its own data."""
    try:
        file = h5py.File(path if content is None else io.BytesIO(content), "r", rdcc_nbytes=0)
    except OSError as error:
        raise BrokenFileError(file=path, why=_reason(error)) from error
    with file:
        with damage(path):
            _check(file, path)
        try:
            yield file
        except (OSError, RuntimeError) as error:  # not KeyError and the like, which our own mistakes raise too
            raise BrokenFileError(file=path, why=_reason(error)) from error


@contextmanager
def damage(path: Path | str) -> Iterator[None]:
    """What h5py raises where bytes of a file are wrong becomes BrokenFileError."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise BrokenFileError(file=path, why=_reason(error)) from error


def _reason(error: Exception) -> str:
    return str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__


def _check(root: h5py.Group, path: Path) -> None:
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[h5py.Group, int]] = [(root, 0)]
    elements = 0
    while waiting:
        group, depth = waiting.pop()
        if depth > MAX_DEPTH or len(seen) > MAX_OBJECTS:
            raise TooLargeError(file=path, where=group.name, seen=f"{len(seen)} objects, {depth} levels", limit=f"{MAX_OBJECTS}, {MAX_DEPTH}")
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
                raise HostileFileError(file=path, where=where, seen=f"a {type(link).__name__}")
            child = group[name]
            info = h5py.h5o.get_info(child.id)
            if (info.fileno, info.addr) in seen:
                continue
            seen.add((info.fileno, info.addr))
            if isinstance(child, h5py.Group):
                waiting.append((child, depth + 1))
            elif isinstance(child, h5py.Dataset):
                elements += _checked_size(child, path, where)
                if elements > MAX_ELEMENTS:
                    raise TooLargeError(file=path, where=where, seen=f"{elements} numbers in all", limit=MAX_ELEMENTS)


def _checked_size(dataset: h5py.Dataset, path: Path, where: str) -> int:
    if dataset.external:
        raise HostileFileError(file=path, where=where, seen="an external dataset")
    if dataset.is_virtual:
        raise HostileFileError(file=path, where=where, seen="a virtual dataset")
    size = int(dataset.size or 0)
    if size > MAX_ELEMENTS:
        raise TooLargeError(file=path, where=where, seen=f"{size} numbers", limit=MAX_ELEMENTS)
    return size


def text_attribute(holder: h5py.Group, name: str) -> str | None:
    """A text attribute, or None where there is none."""
    with damage(holder.file.filename):
        value = holder.attrs.get(name)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _names(holder: h5py.Group, attribute: str) -> list[str]:
    """A list of names; Keras splits long ones into `attribute0`, `attribute1`, ..."""
    parts = [attribute] if attribute in holder.attrs else []
    while not (parts and parts[-1] == attribute) and f"{attribute}{len(parts)}" in holder.attrs:
        parts.append(f"{attribute}{len(parts)}")
    found: list[str] = []
    for part in parts:
        values = np.atleast_1d(holder.attrs[part])
        found += [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
    return found


class LegacyWeights:
    """Weights as Keras 2 stores them: a group a layer, whose `weight_names` list the paths of its arrays."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._root = file.get("model_weights", file)
        self._path = path
        if not isinstance(self._root, h5py.Group):
            raise BrokenFileError(file=path, why="model_weights is not a group")

    @property
    def layer_names(self) -> list[str]:
        """Names of all layers that the file keeps a group for."""
        return _names(self._root, "layer_names")

    def of_layer(self, layer: str, scope: Sequence[str] = ()) -> Mapping[str, NDArray[np.float64]]:
        """The layer's arrays by their short name (`kernel`, `moving_mean`), as float64.

        The layers of a model inside the model (`scope`, outermost first) share the group of the outermost.
        """
        group = self._root.get(scope[0] if scope else layer)
        if not isinstance(group, h5py.Group):
            return {}
        found: dict[str, NDArray[np.float64]] = {}
        with damage(self._path):
            for name in _names(group, "weight_names"):
                if scope and layer not in name.split("/")[:-1]:
                    continue
                short = name.rsplit("/", 1)[-1].split(":")[0]
                if scope and short in found:
                    raise WeightsError(file=self._path, layer=layer, why=f"two layers inside '{scope[0]}' have this name")
                found[short] = numbers(group.get(name), name, self._path, layer)
        return found


def numbers(dataset: object, name: str, path: Path, layer: str) -> NDArray[np.float64]:
    """A dataset's content as float64.

    Raises WeightsError where it is none or holds something else.
    """
    if not isinstance(dataset, h5py.Dataset):
        raise WeightsError(file=path, layer=layer, why=f"'{name}' is listed but not in the file")
    if dataset.shape is None or dataset.dtype.kind not in "fiub":
        raise WeightsError(file=path, layer=layer, why=f"'{name}' holds {dataset.dtype}, not numbers")
    return np.asarray(dataset[()], dtype=np.float64)
