"""Parts by their names, as people write them: `xcu250-figd2104-2L-e`, `XC7Z020CLG400-1`, `zcu102`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fpgacnn.errors import UnknownPartError

NEAR_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a part holds in all, how many dies (SLRs) that is spread over, and the data sheet that says so."""

    name: str
    series: str
    family: str
    lut: int
    ff: int
    dsp: int
    bram_36k: int
    uram: int
    slrs: int
    source: str

    @property
    def bram_18k(self) -> int:
        """Block RAM in the unit of HLS reports."""
        return 2 * self.bram_36k

    @property
    def dsp_ports(self) -> tuple[int, int]:
        """Signed widths of the multiplier's two inputs: DSP48E1 up to the 7 series, DSP48E2 and DSP58 behind."""
        seven = self.family in {"artix7", "spartan7", "kintex7", "virtex7", "zynq7000"}
        return (25, 18) if seven else (27, 24) if self.family == "versal" else (27, 18)


def find(part: str) -> Device | None:
    """The device of a part, a device's own name or a board's name; None where the table has none."""
    name = full_part(part).casefold()
    if name in devices():
        return devices()[name]
    matches = [known for known in devices() if name.startswith(known) and _ends_device(name[len(known) :])]
    return devices()[max(matches, key=len)] if matches else None


def find_device(part: str) -> Device:
    """The device of a part.

    Raises UnknownPartError with the nearest names.
    """
    device = find(part)
    if device is None:
        raise UnknownPartError(part=part, near=", ".join(_near(part)))
    return device


def full_part(name: str) -> str:
    """A board's part; any other name as it is."""
    return boards().get(_board_key(name), name)


def _ends_device(rest: str) -> bool:
    """Whether what follows a device's name is a temperature grade, a package or a speed grade, not more of the name.

    The 7 series writes the package without a dash (xc7z020clg400-1), low-voltage and industrial parts a letter first.
    """
    return re.fullmatch(r"[il]?(-.*|[a-z]{2,4}\d{2,4}.*)?", rest) is not None


def _near(part: str) -> list[str]:
    """Known names that look like the unknown one."""
    name = part.casefold().partition("-")[0]
    known = [*devices(), *(_board_key(board) for board in boards())]
    return difflib.get_close_matches(name, known, NEAR_SHOWN, 0.5) or ["xcku115", "xcvu9p", "xc7z020", "zcu102"]


def _board_key(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold()).removeprefix("alveo")


@cache
def _table() -> Mapping[str, object]:
    return tomllib.loads(files("fpgacnn.targets").joinpath("devices.toml").read_text(encoding="utf-8"))


@cache
def devices() -> Mapping[str, Device]:
    """All devices by name."""
    series = _table()["series"]
    assert isinstance(series, list)
    return {part["name"]: Device(series=one["name"], family=one["family"], source=one["source"], **part) for one in series for part in one["parts"]}


@cache
def boards() -> Mapping[str, str]:
    """The part on each board, by the board's name without spaces and dashes."""
    found = _table()["boards"]
    assert isinstance(found, dict)
    return {_board_key(name): part for name, part in found.items()}
