"""Whether the templates of a project folder are those of a release of hls4ml, by digests of their text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from fpgacnn.hardware.estimation.graph.cpp_text import MAX_CODE_BYTES, read_text

DATA = "template_digests.json"
GENERATED = frozenset({"nnet_code_gen.h"})
"""Headers that hls4ml writes for one network."""

DIGITS = 16


def digest_of(code: str) -> str:
    """The first 64 bits of SHA-256 of a text, as hexadecimal digits; blanks at the ends of lines do not count."""
    text = "\n".join(line.rstrip() for line in code.splitlines())
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


@cache
def known_digests() -> Mapping[str, Sequence[str]]:
    """The digests of every header of every release of hls4ml by its name; `tools/template_digests.py` writes them."""
    content = files(__package__).joinpath(DATA).read_text(encoding="utf-8")
    found: Mapping[str, Sequence[str]] = json.loads(content)
    return found


def changed_headers(folder: Path) -> tuple[str, ...]:
    """Names of the headers that no release of hls4ml has, sorted; headers of names that hls4ml has not do not count.

    Raises UnreadableProjectError.
    """
    return tuple(
        name
        for name, digests in sorted(known_digests().items())
        if name not in GENERATED
        and (folder / name).is_file()
        and digest_of(read_text(folder / name, MAX_CODE_BYTES)) not in digests
    )
