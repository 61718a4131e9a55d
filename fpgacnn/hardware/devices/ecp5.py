"""ECP5 parts of Lattice as nextpnr names them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fpgacnn.errors import OpenPartError

PACKAGES = {
    "tg144": ("TQFP144", 98),
    "bg256": ("CABGA256", 197),
    "mg285": ("CSFBGA285", 118),
    "bg381": ("CABGA381", 197),
    "bg554": ("CABGA554", 245),
    "bg756": ("CABGA756", 365),
}
"""Package in an ordering code -> its name in nextpnr, and the fewest pins that it has for signals in any device."""

_ECP5 = re.compile(r"lfe5u(m5g|m)?-(12|25|45|85)f-([678])(tg144|bg256|mg285|bg381|bg554|bg756)[ci]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecp5:
    """An ECP5 as nextpnr names it: device, package, speed grade; and its pins for signals."""

    device: str
    package: str
    grade: str
    pins: int

    @property
    def flags(self) -> list[str]:
        """The flags of nextpnr."""
        return [f"--{self.device}", "--package", self.package, "--speed", self.grade]


def ecp5_of(part: str) -> Ecp5:
    """The flags of nextpnr for a whole name of a part.

    Raises OpenPartError for a part that is no ECP5.
    """
    match = _ECP5.fullmatch(part)
    if match is None:
        do = "add --part lfe5u-25f, or use --tool yosys"
        raise OpenPartError(tool="nextpnr", part=part, why="it places and routes ECP5 parts only", do=do)
    kind, size, grade, package = match.groups()
    if (kind or "").lower() == "m5g" and grade != "8":
        why, do = "UM5G parts have speed grade 8 only", f"write -8 instead of -{grade}"
        raise OpenPartError(tool="nextpnr", part=part, why=why, do=do)
    named, pins = PACKAGES[package.lower()]
    family = f"u{kind.lower()}-" if kind else ""
    return Ecp5(device=f"{family}{size}k", package=named, grade=grade, pins=pins)
