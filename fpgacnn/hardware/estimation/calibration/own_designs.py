"""The local calibration file: estimates of the user's designs beside what the tools reported.

It is $FPGACNN_CALIBRATION (`none`: no file), else fpgacnn/calibration.json below $XDG_DATA_HOME or ~/.local/share.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from hashlib import sha256
from math import exp, log
from pathlib import Path
from typing import Any

from fpgacnn.design import BackendName
from fpgacnn.errors import CalibrationFileError
from fpgacnn.hardware.devices import find
from fpgacnn.hardware.estimation.constants import Constants, shipped
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph
from fpgacnn.system.files.output import exclusive, write_atomically
from fpgacnn.system.files.regular import read_regular_text
from fpgacnn.system.files.user_folders import user_folder

VARIABLE = "FPGACNN_CALIBRATION"
SCHEMA = 1
MAX_BYTES = 16 << 20
MAX_RATIO = 1000.0
MAX_NUMBER = 1e100
VERSION_DIGITS = 12
QUANTITIES = ("LUT", "FF", "DSP", "BRAM_18K", "latency", "II")
AFTER = tuple(f"after {quantity}" for quantity in QUANTITIES[:4])

COUNTING, SOURCES = ("hardware/devices", "hardware/estimation", "hardware/hls", "ir"), {".py", ".json", ".toml", ".c"}
"""Folders of the package that an estimate depends on, and kinds of files in them: parts, reuse factors, formats too."""

PRIOR_DESIGNS = 1.0
"""The shipped constants count as much as so many designs of the user."""

OTHER_VERSION, OTHER_FAMILY = 0.5, 0.5
"""How much less a design of another version of the tool, or of another family of parts, says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDesign:
    """A synthesized design of the user.

    `estimated` are numbers of the shipped constants, `reported` those of the tools, by quantity ("LUT", "after LUT",
    "latency"). `firmware` is the digest of the design's C++, by which it is replaced if it is learned again.
    `estimator` is the version of the estimate that `estimated` is of.
    """

    name: str
    firmware: str
    tool: str
    version: str
    part: str
    clock_ns: float
    io: str
    estimated: Mapping[str, float]
    reported: Mapping[str, float]
    estimator: str = ""

    @property
    def is_current(self) -> bool:
        """Whether the estimate is the one of today; the errors of another one say nothing about it."""
        return self.estimator == estimator_version()

    def ratio(self, quantity: str) -> float | None:
        """Report by estimate; None where one of them is missing or nothing."""
        estimated, reported = self.estimated.get(quantity, 0.0), self.reported.get(quantity, 0.0)
        if estimated <= 0 or reported <= 0:
            return None
        return min(MAX_RATIO, max(1 / MAX_RATIO, reported / estimated))


def calibration_file() -> Path | None:
    """The place of the file, whether it exists or not; None where none is wanted, or where there is no home folder."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return None if given in {"", "none"} else Path(given)
    try:
        return user_folder("XDG_DATA_HOME", ".local/share") / "fpgacnn" / "calibration.json"
    except FileNotFoundError:
        return None


def read_own_designs() -> tuple[OwnDesign, ...]:
    """The designs of the local file; none where it does not exist.

    Raises CalibrationFileError.
    """
    file = calibration_file()
    if file is None:
        return ()
    try:
        state = file.stat()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CalibrationFileError(file=file, why=error.strerror or str(error)) from error
    return _read(file, state.st_mtime_ns, state.st_size)


@cache
def _read(file: Path, _modified: int, _size: int) -> tuple[OwnDesign, ...]:
    try:
        return parse(json.loads(read_regular_text(file, limit=MAX_BYTES)))
    except OSError as error:
        raise CalibrationFileError(file=file, why=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise CalibrationFileError(file=file, why=f"damaged: {error}") from error


def parse(data: object) -> tuple[OwnDesign, ...]:
    """Designs from the file's JSON.

    Raises ValueError.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("designs"), list):
        raise ValueError(f'not {{"schema": {SCHEMA}, "designs": [...]}}')
    return tuple(_design(entry, place) for place, entry in enumerate(data["designs"]))


def _design(entry: object, place: int) -> OwnDesign:
    if not isinstance(entry, dict):
        raise ValueError(f"design {place} is no object")  # noqa: TRY004  # the file is wrong, not the caller
    texts = {name: entry.get(name) for name in ("name", "firmware", "tool", "version", "part", "io")}
    texts["estimator"] = entry.get("estimator", "")  # not in files of fpgacnn before this field
    if not all(isinstance(value, str) for value in texts.values()):
        raise ValueError(
            f"design {place} has no {', '.join(name for name in texts if not isinstance(texts[name], str))}"
        )
    tables = {name: _numbers(entry.get(name), f"design {place}, {name}") for name in ("estimated", "reported")}
    clock = _numbers({"clock_ns": entry.get("clock_ns")}, f"design {place}")["clock_ns"]
    return OwnDesign(**texts, **tables, clock_ns=clock)  # type: ignore[arg-type]  # checked above


def _numbers(value: object, where: str) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: no numbers by name")  # noqa: TRY004  # the file is wrong, not the caller
    for name, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= MAX_NUMBER:
            raise ValueError(f"{where}: {name} is no number from 0 to {MAX_NUMBER:g}")
    return {str(name): float(number) for name, number in value.items()}


def write_own_designs(designs: Sequence[OwnDesign]) -> Path:
    """Write the local file anew.

    Raises CalibrationFileError where there is no place for it, WriteError.
    """
    file = _wanted_file()
    entries: list[dict[str, Any]] = [asdict(one) for one in designs]
    write_atomically(file, (json.dumps({"schema": SCHEMA, "designs": entries}, indent=1) + "\n").encode())
    return file


def _wanted_file() -> Path:
    file = calibration_file()
    if file is None:
        raise CalibrationFileError(file=VARIABLE, why="no calibration file is wanted, or there is no home folder")
    return file


def add_own_designs(learned: Sequence[OwnDesign]) -> tuple[Path, tuple[OwnDesign, ...]]:
    """Add designs to the local file; returns it with all its designs. Two commands at the same time lose nothing.

    Raises CalibrationFileError, WriteError.
    """
    with exclusive(_wanted_file()):
        _read.cache_clear()  # another command may have written the file within one tick of its clock
        together = merged(read_own_designs(), learned)
        return write_own_designs(together), together


def merged(known: Sequence[OwnDesign], learned: Sequence[OwnDesign]) -> tuple[OwnDesign, ...]:
    """The known designs with the learned ones; the same firmware with the same tool, part and clock counts once."""
    found = {_key(one): one for one in (*known, *learned)}
    return tuple(found.values())


def _key(one: OwnDesign) -> tuple[object, ...]:
    return one.firmware, one.tool, one.version, one.part, one.clock_ns


@cache
def estimator_version() -> str:
    """The version of the estimate: a digest of its code and constants, and of parts, templates and formats."""
    return digest(Path(__file__).parents[3])


def digest(package: Path) -> str:
    """The first digits of the digest of all files in `package` that an estimate depends on."""
    found = sha256()
    for path in sorted(path for folder in COUNTING for path in (package / folder).rglob("*")):
        if path.suffix in SOURCES:
            found.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:VERSION_DIGITS]


def calibrated(model: HardwareGraph) -> Constants:
    """The shipped constants, corrected by the user's designs of the same tool and io type.

    Designs that were compared with another version of the estimate do not count, and are named.
    Raises CalibrationFileError.
    """
    found = [one for one in read_own_designs() if (one.tool, one.io) == (model.tool.value, model.io.value)]
    own = [one for one in found if one.is_current]
    constants = _corrected(shipped(), own, model) if own else shipped()
    outdated = len(found) - len(own)
    return replace(constants, outdated_designs=outdated) if outdated else constants


def _corrected(constants: Constants, own: Sequence[OwnDesign], model: HardwareGraph) -> Constants:
    factors = {quantity: _factor(quantity, own, model) for quantity in (*QUANTITIES, *AFTER)}
    for quantity in AFTER:  # their estimates are made of csynth's, which are corrected already
        factors[quantity] /= factors[quantity.removeprefix("after ")]
    bands = {
        quantity: {
            group: replace(band, factor=factors.get(quantity.removeprefix("layer "), 1.0))
            for group, band in groups.items()
        }
        for quantity, groups in constants.bands.items()
    }
    return replace(constants, bands=bands, own_designs=_named(own))


def _factor(quantity: str, own: Sequence[OwnDesign], model: HardwareGraph) -> float:
    """The weighted geometric mean of report by estimate, drawn towards 1."""
    weighted = [(ratio, _weight(one, model)) for one in own if (ratio := one.ratio(quantity)) is not None]
    return exp(sum(weight * log(ratio) for ratio, weight in weighted) / (PRIOR_DESIGNS + sum(w for _, w in weighted)))


def _weight(one: OwnDesign, model: HardwareGraph) -> float:
    version = 1.0 if not model.version or model.version == one.version else OTHER_VERSION
    return version * (1.0 if _family(one.part) == _family(model.part) else OTHER_FAMILY)


def _family(part: str) -> str:
    device = find(part)
    return device.family if device else part


def _named(own: Sequence[OwnDesign]) -> str:
    """The designs that correct an estimate, as text."""
    tools = sorted({f"{BackendName(one.tool).value.capitalize()} HLS {one.version}".strip() for one in own})
    parts, clocks = sorted({one.part for one in own}), sorted({one.clock_ns for one in own})
    count = f"{len(own)} design" + ("s" if len(own) > 1 else "")
    return f"{count} of yours ({', '.join(tools)}; {', '.join(parts)}; {', '.join(f'{one:g}' for one in clocks)} ns)"


def outdated(count: int) -> str:
    """Designs that do not count any more, as text."""
    designs = f"{count} design" + ("s" if count > 1 else "")
    return f"{designs} of yours not used: learned by another version of the estimate, so run estimate --learn again"
