"""Fixed-point types in C++, and functions that give every value of an array a type of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from fpgacnn.hardware.estimation.graph.adder_graphs import HEADER
from fpgacnn.hardware.estimation.graph.cpp_text import number, read_code
from fpgacnn.hardware.estimation.graph.graph import FixedType

MAX_WIDTH = 1024

_FIXED = re.compile(r"ap_(?P<unsigned>u?)(?P<kind>fixed|int)\s?<(?P<arguments>[^>]*)>")
_FUNCTION = re.compile(r"^void (?P<name>\w{1,200})\(input_t \*inp, output_t \*out\) \{$", re.MULTILINE)
_VALUE = re.compile(
    r"^out\[(?P<place>[0-9]{1,9})\] = "
    r"(?:(?P<zero>0)|(?P<type>ap_u?fixed<[^<>]{1,100}>)\(inp\[(?P<source>[0-9]{1,9})\]\));$"
)


def wire(text: str) -> FixedType | None:
    """The fixed-point type in a text; None where there is none, or one of no plausible width."""
    found = _FIXED.search(text)
    if found is None:
        return None
    parts = [part.strip() for part in found["arguments"].split(",")]
    width = number(parts[0])
    if width is None or width > MAX_WIDTH:
        return None
    integer = (
        int(parts[1])
        if found["kind"] == "fixed" and len(parts) > 1 and re.fullmatch("-?[0-9]{1,3}", parts[1])
        else width
    )
    rounds, saturates = len(parts) > 2 and parts[2] != "AP_TRN", len(parts) > 3 and parts[3] != "AP_WRAP"
    return FixedType(
        width=max(1, width), integer=integer, signed=not found["unsigned"], rounds=rounds, saturates=saturates
    )


def value_casts(firmware: Path) -> dict[str, tuple[FixedType, ...]]:
    """The types of all values, by the function that casts them; a value of no bits is zero.

    hls4ml writes such a function for each quantizer of HGQ whose values differ in their widths (`generate_mask_fn`).

    Raises UnreadableProjectError.
    """
    path = firmware / "nnet_utils" / HEADER
    if not path.is_file():
        return {}
    code = read_code(path)
    found = {}
    for start in _FUNCTION.finditer(code):
        end = code.find("\n}", start.end())
        types = _values(code[start.end() : end]) if end > 0 else None
        if types:
            found[start["name"]] = types
    return found


def _values(body: str) -> tuple[FixedType, ...] | None:
    """The types of `out[0]`, `out[1]`, ...; None where the function does anything else."""
    found: list[FixedType] = []
    for line in body.splitlines():
        if not line or line.startswith("#pragma HLS INLINE"):
            continue
        value = _VALUE.match(line)
        if value is None or int(value["place"]) != len(found) or value["source"] not in {None, value["place"]}:
            return None
        form = FixedType(width=0, integer=0, signed=False) if value["zero"] else wire(value["type"])
        if form is None:
            return None
        found.append(form)
    return tuple(found)


def within(wire: FixedType, value: FixedType) -> FixedType:
    """The bits of a wire that tools use for a value cast to a narrower type before.

    Bits above the value are copies of its sign, or zero, and are left out. Zeros below it are not: a value of 2 bits in
    the middle of a wire with 2 bits of fraction counts from its highest bit to the wire's lowest. Of a published
    synthesis by Vitis HLS 2024.1 with such casts, all 51 multipliers have these widths.
    """
    if not value.width:
        return value
    width = max(1, min(wire.width, value.integer + wire.fraction))
    return replace(value, width=width, integer=width - wire.fraction)
