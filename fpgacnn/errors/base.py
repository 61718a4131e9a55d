"""The root of the error tree, and how an error is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

MAX_SHOWN = 200


def printable(value: object, limit: int = MAX_SHOWN) -> str:
    """A text or value as part of one terminal line: control characters are escaped, the length is limited."""
    text = value if isinstance(value, str) else str(value)
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which an error comes up: a command, what is wrong there, and the data of its message."""

    command: str
    when: str
    data: Mapping[str, object]


def way(command: str, when: str, /, **data: object) -> Way:
    """A way in which an error comes up, as its page shows it."""
    return Way(command, when, data)


class FpgacnnError(Exception):
    """The root of all errors of fpgacnn; catch it to catch them all.

    `ways` are examples of how the error comes up, for its page (`fpgacnn explain CODE`). `remedy` is the cure for all
    of them, where `cure` has data of a single error in it.
    """

    code: ClassVar[str] = "FC000"
    exit_status: ClassVar[int] = 2
    message: ClassVar[str] = "{what}"
    cure: ClassVar[str] = ""
    remedy: ClassVar[str] = ""
    ways: ClassVar[tuple[Way, ...]] = ()

    def __init__(self, **data: object) -> None:
        self.data = {name: printable(value) for name, value in data.items()}
        super().__init__(self.message.format(**self.data))

    def __reduce__(self) -> tuple[object, ...]:
        """For pickle, which else calls the class with the message alone: a worker sends its errors to the client."""
        return _rebuilt, (type(self), self.args), vars(self)

    @property
    def hint(self) -> str:
        """What the user can do: the cure, with the data of this error."""
        return self.cure.format(**self.data)


def _rebuilt(kind: type[FpgacnnError], args: tuple[object, ...]) -> FpgacnnError:
    """An error with its message; pickle adds its data."""
    error = kind.__new__(kind)
    error.args = args
    return error


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
    ways = (
        way("fpgacnn convert model.h5", "two steps of the conversion disagree", what="no project was generated"),
        way("fpgacnn convert model.h5", "a fault in fpgacnn that no other error describes", what="KeyError: 'conv1'"),
    )


class UsageError(FpgacnnError):
    """A flag or an argument of the command line does not exist, has a wrong value, or excludes another."""

    code = "FC002"
    message = "{what}"
    cure = "see `fpgacnn --help`"
    remedy = "`fpgacnn COMMAND --help` lists the flags of a command with their values"
    ways = (
        way(
            "fpgacnn convert model.h5 --clok 5", "a flag is misspelt", what="No such option: --clok", command="convert"
        ),
        way(
            "fpgacnn convert model.h5 --io serial",
            "a flag has a value that it does not take",
            what="Invalid value for '--io': 'serial' is none of parallel, stream",
            command="convert",
        ),
        way("fpgacnn convert", "an argument or a flag is missing", what="Missing argument 'model'", command="convert"),
        way("fpgacnn konvert model.h5", "the command does not exist", what="No such command 'konvert'"),
        way(
            "fpgacnn convert model.h5 --csim-events 10 --no-csim",
            "two flags exclude each other",
            what="--csim-events 10 and --no-csim exclude each other",
            command="convert",
        ),
        way(
            "fpgacnn fit model.h5 --max-latency 5",
            "a number lacks its unit",
            what="--max-latency 5: expected a time with its unit, as 500ns, 5us or 1.2ms",
            command="fit",
        ),
        way(
            "fpgacnn convert model.h5 --clock 0",
            "a number is out of its range",
            what="a clock period of 0.0 ns is not between 0 and 1000",
            command="convert",
        ),
        way(
            "fpgacnn verify hls_projects/model --model other.h5",
            "the file is not the one that the project was made from",
            what="other.h5 is not the file that hls_projects/model was made from",
            command="verify",
        ),
    )

    @property
    def hint(self) -> str:
        """The help of the command, where `main` has added its name."""
        command = self.data.get("command")
        return f"see `fpgacnn {command} --help`" if command else self.cure


class ArgumentError(FpgacnnError, TypeError):
    """A function of the Python API got a wrong number of arguments, or an argument of a wrong type."""

    code = "FC003"
    message = "{function}(): {why}"
    cure = "see help(fpgacnn.{function})"
    remedy = "`help(fpgacnn.convert)` in Python lists the arguments of a function with their types"
    ways = (
        way(
            'fpgacnn.convert("model.h5", clock_ns="5")',
            "an argument has another type",
            function="convert",
            why="clock_ns must be float or None, not str",
        ),
        way(
            'fpgacnn.convert("model.h5", clok_ns=5)',
            "an argument does not exist",
            function="convert",
            why="got an unexpected keyword argument 'clok_ns'",
        ),
        way(
            'fpgacnn.report("run\\0.json")',
            "a path cannot exist",
            function="report",
            why="projects holds a zero byte",
        ),
    )


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
