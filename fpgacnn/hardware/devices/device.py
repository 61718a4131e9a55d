"""Find parts by name: `xcu250-figd2104-2L-e`, `XC7Z020CLG400-1`, `zcu102`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fpgacnn.errors import UnknownPartError
from fpgacnn.hardware.devices.ecp5 import PACKAGES

ECP5 = "ecp5"
"""The family of Lattice that open tools build, from RTL only."""

NEAR_SHOWN = 4
MOST_SHOWN = 8
FEWEST_LETTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Resources of a part, its number of dies (SLRs), and the data sheet of these numbers.

    `full` is the device with a package and a speed grade that can be ordered.
    """

    name: str
    full: str
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
        """Signed widths of the multiplier's two inputs: DSP48E1 up to the 7 series, DSP48E2 and DSP58 later; ECP5's."""
        if self.family == ECP5:
            return (18, 18)
        seven = self.family in {"artix7", "spartan7", "kintex7", "virtex7", "zynq7000"}
        return (25, 18) if seven else (27, 24) if self.family == "versal" else (27, 18)


def find(part: str) -> Device | None:
    """The device of a part, a device's own name or a board's name; None if the table has none."""
    name = _on_board(part).casefold()
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
        raise UnknownPartError(part=part, why=f"is unknown; near names: {', '.join(_near(part))}")
    return device


def completed(part: str, *, unlisted: bool = False) -> tuple[str, tuple[str, ...]]:
    """The full name of a part or of a board's part, and notes: what was added, or that the part is unknown.

    `unlisted`: a part that is not in the table is taken as it is. Raises UnknownPartError for a part that is not in the
    table, that has no readable package or speed grade, or of another vendor.
    """
    name = full_part(part)
    device = find(name) if unlisted else find_device(part)
    if device is None:
        return name, ()
    spare = ("--unlisted-part is not needed: the part is known",) if unlisted else ()
    rest = name[len(device.name) :].casefold()
    whole_name = _whole_name(device)
    if not rest:
        return device.full, (*spare, f"the device {name} has neither package nor speed grade: {device.full} is taken")
    if device.family != ECP5 and _PACKAGE.fullmatch(rest):
        whole = name + _SPEED.findall(device.full)[0]
        return whole, (*spare, f"the part {name} has no speed grade: {whole} is taken")
    if whole_name.fullmatch(rest):
        return name, spare
    if not unlisted:
        raise UnknownPartError(
            part=part, why=f"has a package or speed grade that cannot be read; near names: {device.full}"
        )
    return name, ()


_PACKAGE = re.compile(r"[il]?(_civ)?-?[a-z]{2,4}\d{2,4}")
_WHOLE = re.compile(_PACKAGE.pattern + r"-?[1-3][a-z]{0,3}(-[a-z0-9]+)*")
_WHOLE_ECP5 = re.compile(rf"-[678]({'|'.join(PACKAGES)})[ci]?")
_WHOLE_UM5G = re.compile(rf"-8({'|'.join(PACKAGES)})[ci]?")
_SPEED = re.compile(r"-[1-3][^-]*(?:-[a-z].*)?$")


def _whole_name(device: Device) -> re.Pattern[str]:
    """What a package and a speed grade behind a device's name look like; UM5G parts have grade 8 only."""
    if device.family != ECP5:
        return _WHOLE
    return _WHOLE_UM5G if device.name.startswith("lfe5um5g") else _WHOLE_ECP5


def _vendor(name: str) -> str | None:
    """The vendor of a part or a board, if it is not AMD."""
    vendors = _table()["makers"]
    assert isinstance(vendors, list)
    for vendor in vendors:
        if re.fullmatch(vendor["part"], name.casefold()) or (
            vendor["board"] and re.fullmatch(vendor["board"], _board_key(name))
        ):
            return str(vendor["name"])
    return None


def full_part(name: str) -> str:
    """A board's part; any other name as it is.

    Raises UnknownPartError for a part or a board of another vendor.
    """
    vendor = _vendor(name)
    if vendor is not None and find(name) is None:
        why = (
            f"is made by {vendor}; projects are written for parts of AMD (Xilinx), which Vitis HLS and Vivado HLS build"
            " (--backend vitis|vivado), and for ECP5 parts of Lattice (--backend rtl --part lfe5u-25f)"
        )
        raise UnknownPartError(part=name, why=why)
    return _on_board(name)


def refuse_hls(part: str) -> None:
    """Raise UnknownPartError for a part that HLS tools do not build, but RTL with open tools."""
    device = find(part)
    if device is not None and device.family == ECP5:
        why = (
            "is made by Lattice; HLS projects are written for parts of AMD (Xilinx), which Vitis HLS and Vivado HLS"
            " build, and this one needs --backend rtl"
        )
        raise UnknownPartError(part=part, why=why)


def _on_board(name: str) -> str:
    return boards().get(_board_key(name), name)


def _ends_device(rest: str) -> bool:
    """Whether the text after a device's name is a temperature grade, a package or a speed grade.

    The 7 series writes the package without a dash (xc7z020clg400-1), low-voltage and industrial parts a letter first.
    """
    return re.fullmatch(r"[il]?(_civ)?(-.*|[a-z]{2,4}\d{2,4}.*)?", rest) is not None


def _near(part: str) -> list[str]:
    """Known names similar to the unknown one."""
    name = part.casefold().partition("-")[0]
    written = {_board_key(board): board for board in _written_boards()}
    begin = [board for key, board in written.items() if key.startswith(_board_key(part))]
    begin += [device for device in devices() if device.startswith(name)] if len(name) >= FEWEST_LETTERS else []
    close = difflib.get_close_matches(name, devices(), NEAR_SHOWN, 0.5)
    close += [written[key] for key in difflib.get_close_matches(_board_key(part), written, NEAR_SHOWN, 0.6)]
    close.sort(key=lambda one: -difflib.SequenceMatcher(None, name, _board_key(one)).ratio())
    return begin[:MOST_SHOWN] or close[:NEAR_SHOWN] or ["xcku115", "xcvu9p", "xc7z020", "zcu102"]


def _board_key(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold()).removeprefix("alveo")


@cache
def _table() -> Mapping[str, object]:
    return tomllib.loads(files("fpgacnn.hardware.devices").joinpath("devices.toml").read_text(encoding="utf-8"))


@cache
def devices() -> Mapping[str, Device]:
    """All devices by name."""
    series = _table()["series"]
    assert isinstance(series, list)
    return {
        part["name"]: Device(series=one["name"], family=one["family"], source=one["source"], **part)
        for one in series
        for part in one["parts"]
    }


@cache
def boards() -> Mapping[str, str]:
    """The part on each board, by the board's name without spaces and dashes."""
    return {_board_key(name): part for name, part in _written_boards().items()}


def _written_boards() -> Mapping[str, str]:
    """The part on each board, by the board's name as its vendor writes it."""
    found = _table()["boards"]
    assert isinstance(found, dict)
    return found
