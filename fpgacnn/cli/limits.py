"""Limits that `fit` and `explore` share: times with units, and shares of the part."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

import typer

from fpgacnn.errors import UsageError

PANEL = "Limits"
UNITS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

MaxLatency: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--max-latency", help="Latency from input to output, e.g. 5us.", metavar="TIME", rich_help_panel=PANEL
    ),
]
MaxInterval: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--max-interval",
        help="Initiation interval from one event to the next, e.g. 500ns.",
        metavar="TIME",
        rich_help_panel=PANEL,
    ),
]
MaxUtilization: TypeAlias = Annotated[
    str,
    typer.Option(
        "--max-util", help="Largest share of any resource of the part.", metavar="SHARE", rich_help_panel=PANEL
    ),
]

_TIME = re.compile(r"(\d+(?:\.\d+)?) *(ns|us|µs|ms|s)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?) *(%?)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?) *(s|min|m|h|d)")


def parse_time(flag: str, text: str | None) -> float | None:
    """A time with its unit, in nanoseconds.

    Raises UsageError.
    """
    if text is None:
        return None
    found = _TIME.fullmatch(text.strip())
    value = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0 < value < float("inf"):
        raise UsageError(what=f"{flag} {text}: expected a time with its unit, as 500ns, 5us or 1.2ms")
    return value


def parse_share(flag: str, text: str) -> float:
    """A share of the part: 70% or 0.7.

    Raises UsageError.
    """
    found = _SHARE.fullmatch(text.strip())
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value <= 1:
        raise UsageError(what=f"{flag} {text}: expected a share of the part, as 70% or 0.7")
    return value


def parse_duration(flag: str, text: str) -> float:
    """A time in seconds, from `90s`, `30m`, `2h` or `1d`.

    Raises UsageError.
    """
    found = _DURATION.fullmatch(text.strip())
    value = float(found[1]) * SECONDS[found[2]] if found else 0.0
    if not 0 < value < float("inf"):
        raise UsageError(what=f"{flag} {text}: expected a time with its unit, as 90s, 30m or 2h")
    return value
