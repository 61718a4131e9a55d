"""The constraints of an ECP5 project (LPF): which ports they place on pins, and the clock that nextpnr routes for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import Path

from fpgacnn.design.project import TOP
from fpgacnn.errors import FileMissingError
from fpgacnn.system.files.regular import read_regular

PINS = f"ecp5/{TOP}.lpf"
"""The constraints of a project, which the user may complete with pins."""

MAX_CONSTRAINTS = 1 << 20
_COMMENT = re.compile(rb"(#|//).*")
_CLOCK = re.compile(rb'(\bFREQUENCY\s+(?:PORT|NET)\s+"?aclk"?\s+)[^;]*(?=;)')
_PLACED = re.compile(rb'\s*LOCATE\s+COMP\s+"?([^"\s]+)"?\s+SITE\s')


def read_constraints(folder: Path) -> bytes:
    """The constraints of the project; none where the project has no such file.

    Raises FileMissingError.
    """
    try:
        return read_regular(folder / PINS, limit=MAX_CONSTRAINTS)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise FileMissingError(file=folder / PINS, why=error.strerror or str(error)) from error


def digest_of(constraints: bytes) -> str:
    """SHA-256 of constraints, in hexadecimal digits."""
    return hashlib.sha256(constraints).hexdigest()


def with_clock(constraints: bytes, clock_ns: float) -> bytes:
    """Constraints with another clock for `aclk`: their FREQUENCY has priority over nextpnr's own option."""
    return _CLOCK.sub(rb"\g<1>%.6f MHZ" % (1000 / clock_ns), constraints)


def without_pin(constraints: bytes, ports: Collection[str]) -> int:
    """How many bits of ports no LOCATE places; statements end with a semicolon, as nextpnr reads them."""
    statements = _COMMENT.sub(b"", constraints).split(b";")[:-1]
    placed = {match[1].decode("utf-8", "replace") for one in statements if (match := _PLACED.match(one))}
    return len(set(ports) - placed)
