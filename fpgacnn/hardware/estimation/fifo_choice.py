"""Which depths the FIFOs of a streamed design get: the smallest that keep its interval, a frame each, or given ones."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from fpgacnn.design import IoType
from fpgacnn.design.design import MAX_FIFO_DEPTH as MAX_DEPTH
from fpgacnn.errors import FifoFileError, UnknownNameError, UnknownPartError, UsageError
from fpgacnn.hardware.estimation.dataflow.build import Unknown
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph
from fpgacnn.hardware.estimation.graph.wiring import Wiring
from fpgacnn.hardware.estimation.streams import smallest_depths
from fpgacnn.system.files.regular import read_regular

MAX_BYTES = 1 << 20
AUTO, FRAME = "auto", "frame"
NAMES_SHOWN = 12

FifoOption: TypeAlias = str | Path | Mapping[str, int]
"""`auto`, `frame`, the path of a JSON file, or depths by FIFO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FifoChoice:
    """The choice of depths: `frame` gives every FIFO a frame, else they are searched; `given` are single depths."""

    frame: bool = False
    given: Mapping[str, int] = field(default_factory=dict)


def parse_fifo(option: FifoOption) -> FifoChoice:
    """A choice of depths.

    Raises FifoFileError, UsageError for a depth that is no number of places.
    """
    if isinstance(option, Mapping):
        for name, depth in option.items():
            if not _is_depth(depth):
                raise UsageError(what=f"{depth!r} places for the FIFO {name!r} are not between 1 and {MAX_DEPTH:,}")
        return FifoChoice(given=dict(option))
    if isinstance(option, str) and option.lower() in {AUTO, FRAME}:
        return FifoChoice(frame=option.lower() == FRAME)
    return FifoChoice(given=_read(Path(option)))


def _is_depth(depth: object) -> bool:
    """Whether a number of places is a whole number in the range."""
    return isinstance(depth, int) and not isinstance(depth, bool) and 1 <= depth <= MAX_DEPTH


def _read(file: Path) -> dict[str, int]:
    """Depths by FIFO.

    Raises FifoFileError.
    """
    try:
        found = json.loads(read_regular(file, limit=MAX_BYTES))
    except OSError as error:
        why = (
            "no such file, and neither `auto` nor `frame`"
            if not os.path.lexists(file)
            else error.strerror or str(error)
        )
        raise FifoFileError(file=file, why=why) from error
    except (ValueError, RecursionError) as error:
        raise FifoFileError(file=file, why=f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise FifoFileError(file=file, why="is no object with a number of places for each FIFO")
    for name, depth in found.items():
        if not _is_depth(depth):
            raise FifoFileError(file=file, why=f"the depth of {name!r} is no whole number between 1 and {MAX_DEPTH:,}")
    return found


def chosen_depths(graph: HardwareGraph, choice: FifoChoice) -> dict[str, int]:
    """Depths by FIFO; a FIFO that is missing holds a frame. Where the part is unknown nothing is searched.

    Raises UnknownNameError for a FIFO that the design has not, UsageError if it has none, OutOfMemoryError.
    """
    if graph.io is not IoType.STREAM:
        if choice.given:
            raise UsageError(what="depths of FIFOs are given, but the design has no streams (--io stream)")
        return {}
    names = [name for owned in Wiring.of(graph).owned.values() for name in owned]
    for name in choice.given:
        if name not in names:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            raise UnknownNameError(what="FIFO", name=name, known=", ".join(names[:NAMES_SHOWN]) + more)
    if choice.frame or choice.given.keys() >= set(names):
        return dict(choice.given)
    try:
        found = smallest_depths(replace(graph, fifo_depths={}))
    except UnknownPartError:
        return dict(choice.given)
    searched = {} if isinstance(found, Unknown) else found.depths
    return {name: depth for name, depth in searched.items() if depth <= MAX_DEPTH} | dict(choice.given)
