"""Compare the two copies of weights that hls4ml writes: a header for synthesis, and a text for C simulation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np

from fpgacnn.ir.source import FloatArray
from fpgacnn.sim.compare import Difference, VerificationReport

_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FOLDER = "firmware/weights/"


def unsimulated(files: Mapping[str, bytes]) -> VerificationReport | None:
    """Comparison of all headers with their texts, if any differ.

    Then C simulation does not check the synthesized code.
    """
    pairs = {
        name: (_header(content), _numbers(files[text]))
        for name, content in files.items()
        if (text := _text_of(name)) in files
    }
    wrong = {name: pair for name, pair in pairs.items() if not np.array_equal(*pair)}
    if not wrong:
        return None
    firsts = [_first(name, *pair) for name, pair in wrong.items()]
    sizes = {name: max(one.size for one in pair) for name, pair in pairs.items()}
    return VerificationReport(
        left="synthesis weights",
        right="csim weights",
        events=0,
        layers=len(pairs),
        values=sum(sizes.values()),
        mismatches=sum(
            int((one[: other.size] != other[: one.size]).sum()) + abs(one.size - other.size)
            for one, other in wrong.values()
        ),
        max_abs_difference=max(abs(first.left - first.right) for first in firsts),
        allowed=0.0,
        holds=False,
        first=firsts[0],
    )


def _text_of(name: str) -> str:
    return f"{name.removesuffix('.h')}.txt" if name.startswith(_FOLDER) and name.endswith(".h") else ""


def _header(content: bytes) -> FloatArray:
    """The numbers after the first brace in the header."""
    return _numbers(content.partition(b"#else")[2].partition(b"{")[2])


def _numbers(text: bytes) -> FloatArray:
    return np.array([float(number) for number in _NUMBER.findall(text)], np.float64)


def _first(name: str, header: FloatArray, text: FloatArray) -> Difference:
    """The first number that differs; a missing number counts as 0."""
    sides = [np.pad(side, (0, max(header.size, text.size) - side.size)) for side in (header, text)]
    places = np.flatnonzero(sides[0] != sides[1])
    place = int(places[0]) if places.size else min(header.size, text.size)
    return Difference(
        layer=PurePosixPath(name).stem, index=(place,), left=float(sides[0][place]), right=float(sides[1][place])
    )
