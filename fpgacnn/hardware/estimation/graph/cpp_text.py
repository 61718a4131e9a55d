"""Read untrusted C++ as text, in time that grows linearly with its length."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fpgacnn.errors import UnreadableProjectError
from fpgacnn.system.files.regular import read_regular_text

MAX_BYTES = 1 << 28
MAX_CODE_BYTES = 1 << 24
MAX_NUMBER = 10**9
"""Larger numbers are not sizes of hardware."""

_SEPARABLE = re.compile(
    r"nnet::separable_conv_(?P<dimensions>[12])d_cl\s?<(?P<types>[^;()]{0,2000}?)>\s?\((?P<arguments>[^;()]{0,2000})\)\s?;"
    r"(?:\s?//\s?(?P<name>\S+))?"
)
_PART = re.compile(r"typedef\s(\w{1,200})\s(depthwise|pointwise)_config\s?;")
_PARTS, _SHORT = ("depthwise", "pointwise"), 3
_SEPARABLE_ARGUMENTS = 6
"""Stream in, stream out, weights of both parts, biases of both parts."""


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """A file's text.

    Raises UnreadableProjectError.
    """
    try:
        return read_regular_text(path, limit=limit, errors="replace")
    except OSError as error:
        raise UnreadableProjectError(file=path, why=error.strerror or str(error)) from error


def read_code(path: Path) -> str:
    """A file's code without block comments and empty lines, with single blanks.

    Then no pattern can try the same run of blanks again and again.

    Raises UnreadableProjectError.
    """
    code = _without_comments(read_text(path, MAX_CODE_BYTES))
    return "\n".join(" ".join(line.split()) for line in code.splitlines() if line.strip())


def _without_comments(code: str) -> str:
    """An unterminated comment counts as code."""
    parts, place = [], 0
    while (start := code.find("/*", place)) >= 0 and (end := code.find("*/", start + 2)) >= 0:
        parts.append(code[place:start])
        place = end + 2
    return "".join((*parts, code[place:]))


def blocks(code: str) -> Iterator[str]:
    """The code up to each line that closes a structure."""
    yield from code.split("\n};")[:-1]


def number(word: str) -> int | None:
    """An integer of a plausible size; None for anything else."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < len(str(MAX_NUMBER)) else None


def with_separable_parts(code: str, structs: Mapping[str, tuple[str, str]]) -> str:
    """The code with two calls for each separable convolution, which is a depthwise and a pointwise one with a FIFO.

    hls4ml up to 1.0 calls `separable_conv_1d_cl` and `separable_conv_2d_cl`; 0.7 gives the values in between the type
    of the input. `structs` are the configurations by their names. A call in another form stays as it is.
    """
    declared = "hls::stream<{type}> &{name}" if "hls::stream" in code else "{type} {name}[1]"

    def parts(found: re.Match[str]) -> str:
        types = [word.strip() for word in found["types"].split(",")]
        arguments = [word.strip() for word in found["arguments"].split(",")]
        _, body = structs.get(types[-1], ("", ""))
        configurations = {kind: struct for struct, kind in _PART.findall(body)}
        if len(arguments) != _SEPARABLE_ARGUMENTS or len(configurations) != len(_PARTS):
            return found[0]
        source, target, weights, mixing, biases, offsets = arguments
        given, between, result = types[0], types[-3] if len(types) > _SHORT else types[0], types[-2]
        middle, name = f"{target}_{_PARTS[0]}", found["name"]
        labels = [f" // {name}_{kind}" if name else "" for kind in _PARTS]
        first, second = (
            f"nnet::{kind}_conv_{found['dimensions']}d_cl<{one}, {other}, {configurations[kind]}>"
            for kind, one, other in zip(_PARTS, (given, between), (between, result), strict=True)
        )
        return (
            f"{declared.format(type=between, name=middle)};\n"
            f"{first}({source}, {middle}, {weights}, {biases});{labels[0]}\n"
            f"{second}({middle}, {target}, {mixing}, {offsets});{labels[1]}"
        )

    return _SEPARABLE.sub(parts, code)
