"""Split events into training, validation and test without leaks between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import TooFewEventsError
from fpgacnn.training.data import uniforms

IndexArray: TypeAlias = NDArray[np.int64]
FRACTIONS = (0.7, 0.15, 0.15)
"""Fractions of the events for training, validation and test."""


def split(
    inputs: Sequence[NDArray[Any]], groups: NDArray[Any] | None, *, seed: int, data: str
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """The indices of the events of each part, ascending.

    Events with equal content in all inputs, and events of the same group (a run, a writer, a collision), stay together;
    so do events that are connected through others. Raises TooFewEventsError if a part would be empty.
    """
    bound = together(inputs, groups)
    names, sizes = np.unique(bound, return_counts=True)
    order = np.argsort(uniforms(seed, len(names)), kind="stable")
    filled = np.cumsum(sizes[order]) - sizes[order] / 2
    part_of = np.empty(len(names), np.int64)
    part_of[order] = np.searchsorted(np.cumsum(FRACTIONS[:-1]) * len(bound), filled, side="right")
    parts = part_of[bound]
    found = [np.flatnonzero(parts == number) for number in range(len(FRACTIONS))]
    if not all(len(one) for one in found):
        raise TooFewEventsError(data=data, events=len(bound), groups=len(names))
    return found[0], found[1], found[2]


def together(inputs: Sequence[NDArray[Any]], groups: NDArray[Any] | None) -> IndexArray:
    """For each event the number, from 0, of the set of events that must stay together."""
    keys = [_numbered(_contents(inputs))]
    if groups is not None:
        keys.append(_numbered(groups))
    label = keys[0]
    while len(keys) > 1:  # the smallest label spreads through both relations until nothing changes
        spread = label
        for key in keys:
            lowest = np.full(key.max() + 1, len(label))
            np.minimum.at(lowest, key, spread)
            spread = lowest[key]
        if np.array_equal(spread, label):
            break
        label = spread
    return _numbered(label)


def _contents(inputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One key for each event: the bytes of its values, with -0 replaced by 0."""
    rows = [np.ascontiguousarray(one.reshape(len(one), -1) + 0.0) for one in inputs]
    joined = np.ascontiguousarray(np.concatenate(rows, axis=1))
    return joined.view(np.dtype((np.void, joined.dtype.itemsize * joined.shape[1]))).reshape(-1)


def _numbered(keys: NDArray[Any]) -> IndexArray:
    return np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int64)
