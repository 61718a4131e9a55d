"""Files of constants beside the C++ of a project."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fpgacnn.hardware.estimation.graph.cpp_text import read_text

_BIAS = re.compile(r"b[0-9]{1,9}")
_ZERO = re.compile(r"[+-]?0*(?:\.0*)?(?:[eE][+-]?[0-9]{1,9})?")


def zero_biases(folder: Path, constants: Iterable[str]) -> int:
    """The biases that are nothing among a call's constants; none where there is no file of them.

    Raises UnreadableProjectError.
    """
    path = folder / f"{next((one for one in constants if _BIAS.fullmatch(one)), '')}.txt"
    if not path.is_file():
        return 0
    words = (word.strip() for word in read_text(path).replace("\n", ",").split(","))
    return sum(_ZERO.fullmatch(word) is not None for word in words if word)
