"""Numbers as the tools write them.

`-` says that none applies, `?`, `undef`, `NA` and `inf` that none is known; all are None.
"""

from __future__ import annotations

import re
from datetime import datetime

from fpgacnn.errors import ReportBrokenError
from fpgacnn.hardware.synthesis.figures import UNKNOWN, FloatRange, IntRange

NOTHING = frozenset({"", "-", "?", "undef", "NA", "N/A", "_", "inf"})
NONE_SET = 2**32 - 1
"""Vitis writes an unset interval target as -1 in 32 bits."""

NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "sec": 1e9, "s": 1e9}

_INT = re.compile(r"-?\d{1,18}")
_FLOAT = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?([eE][+-]?\d{1,2})?")
_TIMED = re.compile(rf"({_FLOAT.pattern})\s*(ns|us|ms|sec|s)")
_SHARE = re.compile(r"(\d{1,12})\s*\(\s*~?\d{1,6}%\)")
_DATE = re.compile(
    r"(?:\w{3} )?(\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)( [AP]M)?(?: [A-Z]{1,5}| [+-]\d\d\d{0,2})? (\d{4})\.?"
)
_MONTHS = dict(
    zip(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], range(1, 13), strict=True)
)


class Cells:
    """Reads the cells of a section, and names file and section in errors."""

    __slots__ = ("file", "section")

    def __init__(self, file: str, section: str) -> None:
        self.file, self.section = file, section

    def broken(self, why: str) -> ReportBrokenError:
        """The error that says where."""
        return ReportBrokenError(file=self.file, section=self.section, why=why)

    def whole(self, text: str) -> int | None:
        """A count."""
        text = text.strip()
        if text in NOTHING:
            return None
        if not _INT.fullmatch(text):
            raise self.broken(f"'{text}' is no whole number")
        return int(text)

    def share(self, text: str) -> int | None:
        """A count with the share of the part behind it: `4 (~0%)`."""
        found = _SHARE.fullmatch(text.strip())
        return int(found[1]) if found else self.whole(text)

    def real(self, text: str) -> float | None:
        """A number with a point."""
        text = text.strip()
        if text in NOTHING:
            return None
        if not _FLOAT.fullmatch(text):
            raise self.broken(f"'{text}' is no number")
        return float(text)

    def nanoseconds(self, text: str) -> float | None:
        """A time with its unit; older tools write `0 ns` and mix ns, us, ms and sec in one row."""
        text = text.strip()
        found = _TIMED.fullmatch(text)
        return float(found[1]) * NS[found[4]] if found else self.real(text)

    def whole_range(self, text: str) -> IntRange:
        """One count, or `4 ~ 42`."""
        ends = [self.whole(end) for end in text.split("~")] if not text.strip().startswith("~") else []
        if len(ends) not in (1, 2):
            raise self.broken(f"'{text.strip()}' is no range")
        return IntRange(least=ends[0], most=ends[-1])

    def whole_ends(self, least: str, most: str) -> IntRange:
        """Both ends from two cells."""
        found = IntRange(least=self.whole(least), most=self.whole(most))
        return UNKNOWN if found == UNKNOWN else found

    def time_ends(self, least: str, most: str) -> FloatRange:
        """Both ends of a time."""
        return FloatRange(least=self.nanoseconds(least), most=self.nanoseconds(most))

    def yes(self, text: str) -> bool | None:
        """`yes` or `no`."""
        answers = {"yes": True, "no": False, "-": None}
        if text.strip() not in answers:
            raise self.broken(f"'{text.strip()}' is neither yes nor no")
        return answers[text.strip()]


def date_text(text: str) -> str | None:
    """A date of any of the tools as `2024-03-31T14:02:55`, in local time; None if it is not a date."""
    found = _DATE.fullmatch(text.strip())
    if not found or found[1] not in _MONTHS:
        return None
    hour = int(found[3])
    if found[6]:
        hour = hour % 12 + (12 if found[6] == " PM" else 0)
    try:
        return datetime(int(found[7]), _MONTHS[found[1]], int(found[2]), hour, int(found[4]), int(found[5])).isoformat()  # noqa: DTZ001  # the tools name no zone that could be trusted
    except ValueError:
        return None


def layer_index(name: str) -> int | None:
    """The N of `configN` in a name of module or instance; `configN_mult` and `relu_configN` belong to layer N too."""
    found = re.search(r"config(\d{1,6})(?!\d)", name)
    return int(found[1]) if found else None


def writer_index(name: str) -> int | None:
    """The N of `layerN_out`, or of a copy `layerN_cpyM`, in the name of a FIFO or memory: the layer that writes it."""
    found = re.match(r"layer(\d{1,6})_(?:out|cpy)", name)
    return int(found[1]) if found else None


def function_in(module: str) -> str:
    """The function that a module was made of: its name before types and configuration."""
    name = re.split(r"_(?:ap|array|ss|single)_|_config\d", module, maxsplit=1)[0]
    half = name[: len(name) // 2]  # an activation and its configuration, as in `linear_linear_config12`
    return half if name == f"{half}_{half}" else name
