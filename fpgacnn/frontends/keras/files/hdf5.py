"""HDF5 files as values: groups with texts, datasets with numbers, read in a child process (`hdf5_child`)."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import BrokenFileError, ForeignToolError, InternalError, TooLargeError, WeightsError, all_errors
from fpgacnn.frontends.keras.files import hdf5_child
from fpgacnn.system.sandbox import ChildLimits, ExitReason, run_in_child

LIMITS = ChildLimits(seconds=30, clock_seconds=300.0, memory_bytes=4 << 30, answer_bytes=16 * hdf5_child.MAX_ELEMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdf5Dataset:
    """An array of a file; `array` is None if it has no numbers, and `holds` describes its content."""

    name: str
    shape: tuple[int, ...] | None
    holds: str
    array: NDArray[np.generic] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group: its texts by name, and its members through `get`."""

    name: str
    attrs: Mapping[str, str | list[str]]
    objects: Mapping[str, Group | Hdf5Dataset] = field(repr=False, compare=False)

    def get(self, path: str) -> Group | Hdf5Dataset | None:
        """The member at a path below the group."""
        return self.objects.get(f"{self.name.rstrip('/')}/{path}")

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    @property
    def names(self) -> list[str]:
        """The names of the direct members."""
        return [
            name.rpartition("/")[2]
            for name in self.objects
            if name != "/" and name.rpartition("/")[0] == self.name.rstrip("/")
        ]

    @property
    def holds_arrays(self) -> bool:
        """Whether there is an array anywhere below the group."""
        return any(
            isinstance(one, Hdf5Dataset) and name.startswith(f"{self.name.rstrip('/')}/")
            for name, one in self.objects.items()
        )


@contextmanager
def opened(path: Path, content: bytes | None = None) -> Iterator[Group]:
    """The root of a file, or of `content` from an archive, checked to have only its own data.

    Raises BrokenFileError, HostileFileError, TooLargeError, and ForeignToolError if no process can be started.
    """
    try:
        outcome = run_in_child(partial(hdf5_child.answer, path, content), LIMITS)
    except OSError as error:
        raise ForeignToolError(tool="a process that reads the file", why=error.strerror or str(error)) from error
    match outcome.end:
        case ExitReason.WELL:
            yield _understood(path, outcome.content)
        case ExitReason.CRASH:
            raise BrokenFileError(file=path, why=f"the HDF5 library crashed on it ({outcome.how})")
        case ExitReason.TIME:
            raise BrokenFileError(file=path, why=f"the HDF5 library did not finish within {LIMITS.seconds} s")
        case ExitReason.MEMORY:
            raise TooLargeError(
                file=path,
                where="what it unpacks to",
                seen="more memory than that",
                limit=f"{LIMITS.memory_bytes >> 30} GiB",
            )
        case ExitReason.FAILED:
            if f"[Errno {errno.EMFILE}]" in outcome.how:
                raise ForeignToolError(tool="a process that reads the file", why=os.strerror(errno.EMFILE))
            raise InternalError(what=f"reading {path} failed: {outcome.how.strip().splitlines()[-1:]}")
        case _:
            assert_never(outcome.end)


def _understood(path: Path, answer: bytearray) -> Group:
    """The values in a child's answer, which is untrusted: the file may have taken over the child."""
    try:
        return _root(path, answer)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise BrokenFileError(file=path, why="the HDF5 library read it, but its content is not valid") from error


def _root(path: Path, answer: bytearray) -> Group:
    """The values in a child's answer."""
    whole = memoryview(answer)
    start = 8 + int.from_bytes(whole[:8], "little")
    header: dict[str, Any] = json.loads(bytes(whole[8:start]))
    if "error" in header:
        raise all_errors()[header["error"]](**header["data"])
    objects: dict[str, Group | Hdf5Dataset] = {}
    for one in header["objects"]:
        if "group" in one:
            objects[one["group"]] = Group(name=one["group"], attrs=one["texts"], objects=objects)
            continue
        shape = None if one["shape"] is None else tuple(one["shape"])
        array = None
        if one["dtype"] and shape is not None:
            dtype, count = np.dtype(one["dtype"]), prod(shape)
            array = (
                np.frombuffer(whole, dtype=dtype, count=count, offset=start).reshape(shape)
                if count
                else np.empty(shape, dtype)
            )
            start += dtype.itemsize * count
        objects[one["dataset"]] = Hdf5Dataset(name=one["dataset"], shape=shape, holds=one["holds"], array=array)
    root = objects.get("/")
    if not isinstance(root, Group):
        raise BrokenFileError(file=path, why="it has no root")
    return root


def with_slashes(root: Group, path: Path) -> Group:
    """The root of a file of Keras on Windows, which joins names of groups by backslashes, in the usual form."""
    if not any("\\" in name for name in root.objects):
        return root
    objects: dict[str, Group | Hdf5Dataset] = {}
    for one in root.objects.values():
        name = one.name.replace("\\", "/")
        if objects.get(name, Group(name=name, attrs={}, objects=objects)) != Group(
            name=name, attrs={}, objects=objects
        ):
            raise BrokenFileError(file=path, why=f"it has {name} twice, with slashes and with backslashes")
        objects[name] = replace(one, name=name, objects=objects) if isinstance(one, Group) else replace(one, name=name)
        while (name := name.rpartition("/")[0] or "/") not in objects:
            objects[name] = Group(name=name, attrs={}, objects=objects)
    found = objects["/"]
    assert isinstance(found, Group)
    return found


def text_attribute(holder: Group, name: str) -> str | None:
    """A text attribute, or None if there is none."""
    value = holder.attrs.get(name)
    return value if isinstance(value, str) else None


def _names(holder: Group, attribute: str) -> list[str]:
    """A list of names; Keras splits long ones into `attribute0`, `attribute1`, ..."""
    parts = [attribute] if attribute in holder.attrs else []
    while not (parts and parts[-1] == attribute) and f"{attribute}{len(parts)}" in holder.attrs:
        parts.append(f"{attribute}{len(parts)}")
    values = [holder.attrs[part] for part in parts]
    return [name for value in values for name in ([value] if isinstance(value, str) else value)]


class LegacyWeights:
    """Weights as Keras 2 stores them: a group for each layer, with the paths of its arrays in `weight_names`."""

    def __init__(self, file: Group, path: Path) -> None:
        root = file.get("model_weights") or file
        self._path = path
        if not isinstance(root, Group):
            raise BrokenFileError(file=path, why="model_weights is not a group")
        self._root = root

    @property
    def layer_names(self) -> list[str]:
        """Names of all layers with a group in the file."""
        return _names(self._root, "layer_names")

    def of_layer(self, layer: str, scope: Sequence[str] = ()) -> Mapping[str, NDArray[np.float64]]:
        """The layer's arrays by their short name (`kernel`, `moving_mean`), as float64.

        The layers of an inner model (`scope`, outermost first) share the group of the outermost.
        """
        group = self._root.get(scope[0] if scope else layer)
        if not isinstance(group, Group):
            return {}
        found: dict[str, NDArray[np.float64]] = {}
        holders: list[str] = []
        names = _names(group, "weight_names")
        for name in _inside(names, layer) if scope else names:
            short = _short(name, holders)
            if scope and short in found:
                raise WeightsError(file=self._path, layer=layer, why=f"two layers inside '{scope[0]}' have this name")
            found[short] = numbers(group.get(name), name, self._path, layer)
        return found


def _inside(names: Sequence[str], layer: str) -> list[str]:
    """The paths of one layer's arrays, directly below its name or deeper; names may have slashes."""
    right = [name for name in names if f"/{name}".rpartition("/")[0].endswith(f"/{layer}")]
    ends = {name.rpartition("/")[2] for name in right}
    return [*right, *(name for name in names if f"/{layer}/" in f"/{name}" and name.rpartition("/")[2] not in ends)]


def _short(name: str, holders: list[str]) -> str:
    """`conv/kernel:0` is `kernel`; widths of HGQ2, as `conv/conv_kq/fixed_point_quantizer_kbi/b`, are `kq/b`.

    `holders` collects the quantizers of a merge, which are numbered over the whole network, in the order of its inputs.
    """
    parts = name.split(":", maxsplit=1)[0].split("/")
    if len(parts) < 2 or not parts[-2].startswith("fixed_point_quantizer_"):  # the quantizer and its array
        return parts[-1]
    holder = parts[-3] if len(parts) > 2 else ""
    if len(parts) > 3 and parts[-4].startswith("multiple_quantizers"):  # after it the quantizer, its kind and its array
        if holder not in holders:
            holders.append(holder)
        return f"iq{holders.index(holder)}/{parts[-1]}"
    key = holder.rpartition("_")[2]
    return f"{key if key in {'iq', 'kq', 'bq', 'oq'} else 'own'}/{parts[-1]}"


def numbers(dataset: object, name: str, path: Path, layer: str) -> NDArray[np.float64]:
    """A dataset's content as float64.

    Raises WeightsError if it is missing or has something other than numbers.
    """
    if not isinstance(dataset, Hdf5Dataset):
        raise WeightsError(file=path, layer=layer, why=f"'{name}' is listed but not in the file")
    if dataset.array is None:
        raise WeightsError(file=path, layer=layer, why=f"'{name}' has {dataset.holds}, not numbers")
    return np.asarray(dataset.array, dtype=np.float64)
