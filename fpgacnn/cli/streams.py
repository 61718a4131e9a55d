"""The standard streams of a command: always there, able to show every text, and with an error of their own.

A write to standard output that fails is an `OutputStreamError`. A reader that has gone away (`| head -1`) is a
`ReaderGoneError`, which ends the command as SIGPIPE would. What cannot be written to standard error is lost.
"""

from __future__ import annotations

import io
import os
import re
import select
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from fpgacnn.errors import OutputStreamError

INPUT, OUTPUT, ERROR = 0, 1, 2
WIDTHS = ("COLUMNS", "LINES", "TERMINAL_WIDTH")
"""Environment variables that say how large the terminal is."""


class ReaderGoneError(Exception):
    """Whoever read the standard output has closed it."""


class _Raw(io.RawIOBase):
    """The file of a stream; where it does not block, the writer waits for it."""

    def __init__(self, number: int, failed: Callable[[OSError], None]) -> None:
        self._number, self._failed = number, failed

    def fileno(self) -> int:
        """The number of the stream."""
        return self._number

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._number)

    def writable(self) -> bool:
        """That is what it is for."""
        return True

    def write(self, content: Any, /) -> int:
        """Write all bytes of a buffer; where that is not possible, `failed` raises, or they are lost."""
        whole = memoryview(content).cast("B")
        rest = whole
        while len(rest):
            try:
                rest = rest[os.write(self._number, rest) :]
            except BlockingIOError:
                _wait(self._number)
            except OSError as error:
                self._failed(error)
                break
        return len(whole)


def open_streams() -> None:
    """Make the three streams safe to use, whatever this process was started with."""
    _fill()
    for name in WIDTHS:  # typer and rich read them as numbers, and fail where they are none
        if not re.fullmatch("[1-9][0-9]{0,3}", os.environ.get(name, "80")):
            del os.environ[name]
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _text(sys.stdout, OUTPUT, _refuse)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _text(sys.stderr, ERROR, _lose)


def forget_output() -> None:
    """Send what is still to be written to the standard output nowhere: it could not be written before."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, OUTPUT)
    os.close(nowhere)


def _fill() -> None:
    """Put /dev/null in the place of a closed stream (`<&-`, `>&-`); the next opened file would get its number."""
    for number, flags in ((INPUT, os.O_RDONLY), (OUTPUT, os.O_WRONLY), (ERROR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, flags)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            os.set_inheritable(number, True)  # noqa: FBT003  # as standard streams are


def _text(before: TextIO | None, number: int, failed: Callable[[OSError], None]) -> TextIO:
    """A stream as Python would make it, but that what its encoding has not is escaped."""
    if before is not None:
        before.flush()
    encoding = "utf-8" if before is None else before.encoding
    raw = _Raw(number, failed)
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffered, encoding, errors="backslashreplace", line_buffering=number == ERROR or os.isatty(number)
    )


def _refuse(error: OSError) -> NoReturn:
    if isinstance(error, BrokenPipeError):
        raise ReaderGoneError from error
    raise OutputStreamError(why=error.strerror or str(error)) from error


def _lose(_: OSError) -> None:
    """There is nowhere left to say it."""


def _wait(number: int) -> None:
    """Until a stream takes more."""
    waiting = select.poll()
    waiting.register(number, select.POLLOUT)
    waiting.poll()
