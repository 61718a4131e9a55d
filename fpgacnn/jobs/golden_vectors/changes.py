"""What changed since a project was frozen, and why an answer differs: by layer, event and cause."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import Codes
from fpgacnn.jobs.golden_vectors.fingerprint import Fingerprint, Parts
from fpgacnn.jobs.golden_vectors.vectors import Golden, answer_digests
from fpgacnn.sim.result import SimulationResult

NOTHING = "nothing"
LONG_LINE = 150
"""A longer line is a list of numbers (hls4ml writes an array on one line); only one of its numbers is shown."""


class Cause(StrEnum):
    """The cause of a change, in the order in which causes lead to each other."""

    MODEL = "model changed"
    PLAN = "plan changed"
    TARGET = "target changed"
    CODE = "generated code changed"
    ARITHMETIC = "emulator disagrees"
    COMPILER = "compiler disagrees"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference from the frozen project: cause, layer or node, file if any, quantity, old and new value."""

    cause: Cause
    layer: str
    file: str
    what: str
    frozen: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first answer of an engine that differs from the frozen one.

    `index` and both codes are empty if only the digest of the node's answer was frozen.
    """

    engine: str
    cause: Cause
    layer: str
    event: int
    index: tuple[int, ...]
    frozen: int | None
    found: int | None
    mismatches: int
    values: int


def changes(frozen: Fingerprint, now: Fingerprint) -> tuple[Change, ...]:
    """All changes, causes first; files are listed by name only (`code_changes` gives details)."""
    return (
        *_by_layer(Cause.MODEL, frozen.layers, now.layers),
        *_by_layer(Cause.PLAN, frozen.nodes, now.nodes),
        *(
            Change(cause=Cause.TARGET, layer="", file="", what=what, frozen=old, found=new)
            for what, old, new in _differing(frozen.target, now.target)
        ),
        *(
            Change(cause=Cause.CODE, layer="", file=name, what="content", frozen=old, found=new)
            for name, old, new in _differing(frozen.files, now.files)
        ),
    )


def _by_layer(cause: Cause, frozen: Mapping[str, Parts], now: Mapping[str, Parts]) -> Iterator[Change]:
    for name in (*frozen, *(name for name in now if name not in frozen)):
        if name not in now or name not in frozen:
            there = "there"
            yield Change(
                cause=cause,
                layer=name,
                file="",
                what="layer",
                frozen=there if name in frozen else NOTHING,
                found=there if name in now else NOTHING,
            )
            continue
        for what, old, new in _differing(frozen[name], now[name]):
            yield Change(cause=cause, layer=name, file="", what=what, frozen=old, found=new)
    if not set(frozen) ^ set(now) and list(frozen) != list(now):
        yield Change(
            cause=cause, layer="", file="", what="order of layers", frozen=", ".join(frozen), found=", ".join(now)
        )


def _differing(frozen: Parts, now: Parts) -> Iterator[tuple[str, str, str]]:
    for name in (*frozen, *(name for name in now if name not in frozen)):
        old, new = frozen.get(name, NOTHING), now.get(name, NOTHING)
        if old != new:
            yield name, old, new


# --- generated code ------------------------------------------------------------------------------------------------

_CALL = re.compile(r"\(.*\);\s*//\s*(\w+)\s*$")
_NUMBERED = re.compile(r"(?:config|layer)(\d+)(?!\d)")
_TYPE = re.compile(r"\b(\w+)_(?:accum|weight|bias|table|exp_table|inv_table|scale|param)_t\b")
_KERNEL = re.compile(r"rtl/kernels/(?:myproject|multiply|memory_of|cast)_(\w+)\.sv")
TOP_FILE = "firmware/myproject.cpp"


def code_changes(found: Change, frozen: bytes | None, now: bytes | None, top: bytes) -> Change:
    """A changed file with its layer and first changed line, if the frozen content can be generated from the design."""
    names = _node_names(top)
    layer = _node_of_file(found.file, top)
    if frozen is None or now is None:
        return Change(
            cause=found.cause,
            layer=layer,
            file=found.file,
            what=found.what,
            frozen=found.frozen[:16],
            found=found.found[:16],
        )
    number, old, new = _first_difference(frozen, now)
    layer = layer or _node_of_line(old, names) or _node_of_line(new, names)
    return Change(cause=found.cause, layer=layer, file=found.file, what=f"line {number}", frozen=old, found=new)


def _first_difference(frozen: bytes, now: bytes) -> tuple[int, str, str]:
    """Line number and both lines; for one long line of numbers, only the first that differ."""
    old, new = ([*content.decode("utf-8", "replace").splitlines(), ""] for content in (frozen, now))
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for kind, start, _, other, _ in matcher.get_opcodes():
        if kind != "equal":
            left, right = old[start] if kind != "insert" else "", new[other] if kind != "delete" else ""
            return start + 1, *_first_word(left, right)
    return len(old), "", ""


def _first_word(left: str, right: str) -> tuple[str, str]:
    words = [text.split(",") for text in (left, right)]
    if min(len(left), len(right)) < LONG_LINE or len(words[0]) != len(words[1]):
        return left.strip(), right.strip()
    number = next(number for number, (one, other) in enumerate(zip(*words, strict=True)) if one != other)
    return f"number {number}: {words[0][number].strip()}", f"number {number}: {words[1][number].strip()}"


def _node_names(top: bytes) -> dict[str, str]:
    """hls4ml's number of each node -> its name: the calls in the top function end with the name as a comment."""
    found: dict[str, str] = {}
    for line in top.decode("utf-8", "replace").splitlines():
        call = _CALL.search(line)
        if call:
            numbers = _NUMBERED.findall(line)
            found |= dict.fromkeys(numbers[-1:], call[1])
    return found


def _node_of_line(line: str, names: Mapping[str, str]) -> str:
    call = _CALL.search(line)
    if call:
        return call[1]
    named = _TYPE.search(line)
    if named and named[1] in names.values():
        return named[1]
    return next((names[number] for number in _NUMBERED.findall(line) if number in names), "")


def _node_of_file(file: str, top: bytes) -> str:
    """The node that reads a file of weights or a table, whose name its call has, or the node of a kernel of RTL."""
    kernel = _KERNEL.fullmatch(file)
    if kernel:
        return kernel[1]
    stem = file.rpartition("/")[2].rpartition(".")[0]
    if not file.startswith("firmware/weights/"):
        return ""
    for line in top.decode("utf-8", "replace").splitlines():
        call = _CALL.search(line)
        if call and re.search(rf"\b{re.escape(stem)}\b", line):
            return call[1]
    return ""


# --- answers -------------------------------------------------------------------------------------------------------


TracedDigests: TypeAlias = Mapping[str, tuple[NDArray[np.uint64], int]]
"""Digests of a node's answers, one for each event, and its number of values in an event; by node."""


def trace_digests(trace: Mapping[str, Codes]) -> TracedDigests:
    """The digests of every node of a trace."""
    return {name: (answer_digests(codes), int(np.prod(codes.array.shape[1:]))) for name, codes in trace.items()}


def diverging(
    golden: Golden, answers: SimulationResult, cause: Cause, traced: TracedDigests | None = None
) -> Divergence | None:
    """The first answer that differs from the frozen one, in the order of computation; None if all are equal."""
    digests = trace_digests(answers.trace) if traced is None else traced
    for name in [name for name in golden.trace if name in digests]:
        now, size = digests[name]
        differs = now != golden.trace[name]
        if differs.any() and name not in golden.outputs:
            return Divergence(
                engine=answers.engine,
                cause=cause,
                layer=name,
                event=int(np.flatnonzero(differs)[0]),
                index=(),
                frozen=None,
                found=None,
                mismatches=int(differs.sum()),
                values=len(differs) * size,
            )
        if differs.any():
            break
    for name, codes in golden.outputs.items():
        found = _at_output(name, codes, answers, cause)
        if found:
            return found
    return None


def _at_output(
    name: str, frozen: np.ndarray[tuple[int, ...], np.dtype[np.int64]], answers: SimulationResult, cause: Cause
) -> Divergence | None:
    now = answers.outputs.get(name)
    if now is None or now.array.shape != frozen.shape:
        return Divergence(
            engine=answers.engine,
            cause=cause,
            layer=name,
            event=0,
            index=(),
            frozen=None,
            found=None,
            mismatches=frozen.size,
            values=frozen.size,
        )
    where = np.argwhere(now.array != frozen)
    if not len(where):
        return None
    event, *index = (int(axis) for axis in where[0])
    place = (event, *index)
    return Divergence(
        engine=answers.engine,
        cause=cause,
        layer=name,
        event=event,
        index=tuple(index),
        frozen=int(frozen[place]),
        found=int(now.array[place]),
        mismatches=len(where),
        values=frozen.size,
    )
