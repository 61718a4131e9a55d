"""The root of the error tree, and how an error is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

MAX_SHOWN = 200


def printable(value: object, limit: int = MAX_SHOWN) -> str:
    """A text or value as part of one terminal line: control characters are escaped, the length is limited."""
    text = value if isinstance(value, str) else str(value)
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


class FpgacnnError(Exception):
    """The root of all errors of fpgacnn; catch it to catch them all."""

    code: ClassVar[str] = "FC000"
    exit_status: ClassVar[int] = 2
    message: ClassVar[str] = "{what}"
    cure: ClassVar[str] = ""

    def __init__(self, **data: object) -> None:
        self.data = {name: printable(value) for name, value in data.items()}
        super().__init__(self.message.format(**self.data))

    @property
    def hint(self) -> str:
        """What the user can do: the cure, with the data of this error."""
        return self.cure.format(**self.data)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Put the name of the model file in front of an error that names only a layer of it."""
    try:
        yield
    except FpgacnnError as error:
        name = printable(file)
        if "layer" in error.data and name not in str(error):
            error.args = (f"{name}: {error}",)
        raise


class InternalError(FpgacnnError):
    """Two results inside fpgacnn contradict each other. This is always a bug of fpgacnn."""

    code = "FC001"
    exit_status = 3
    message = "internal error: {what}"
    cure = "please report it with the model file and the command; `-v` shows the traceback"


class UsageError(FpgacnnError):
    """A flag or an argument of the command line does not exist, has a wrong value, or excludes another."""

    code = "FC002"
    message = "{what}"
    cure = "see `fpgacnn --help`"


class ArgumentError(FpgacnnError, TypeError):
    """A function of the Python API got a wrong number of arguments, or an argument of a wrong type."""

    code = "FC003"
    message = "{function}(): {why}"
    cure = "see help(fpgacnn.{function})"


def all_errors() -> dict[str, type[FpgacnnError]]:
    """Every error class by its code."""
    found: dict[str, type[FpgacnnError]] = {}
    waiting: list[type[FpgacnnError]] = [FpgacnnError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind is not FpgacnnError:
            found[kind.code] = kind
    return dict(sorted(found.items()))
