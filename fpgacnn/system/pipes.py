"""Pipes that stay clear of the numbers of the standard streams.

A program may run with a standard stream closed (`fpgacnn ... <&-`, services). The number 0, 1 or 2 is then free, and
the next pipe would get it; a child that points its standard streams to /dev/null would cut that pipe.
"""

from __future__ import annotations

import os

FIRST_FREE = 3
"""The first number of a file that is no standard stream."""


def open_pipe() -> tuple[int, int]:
    """The reading and the writing end of a new pipe; both numbers are at least 3. Raises OSError."""
    low: list[int] = []
    try:
        while min(ends := os.pipe()) < FIRST_FREE:
            low += ends
        return ends
    finally:
        for number in low:
            os.close(number)
