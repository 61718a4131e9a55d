"""The page of a code: meaning, the ways in which it comes up with the words that a user sees, cure, example."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass

from fpgacnn.errors import FpgacnnError, UnknownNameError, all_errors
from fpgacnn.hardware.estimation.checks import CAUTIONS
from fpgacnn.jobs.explain.cautions import CURES, WAYS

_CODE = re.compile(r"(?:[fF][cC])?(\d{1,3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One way in which a code comes up: what the user types, what is wrong, and what the command answers."""

    command: str
    when: str
    message: str
    hint: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The command and its answer as on a terminal."""
        return (f"$ {self.command}", self.message, *([f"hint: {self.hint}"] if self.hint else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePage:
    """Everything about one code. `name` is the class of an error; a caution has none, and its exit status is 0."""

    code: str
    name: str
    meaning: str
    cure: str
    exit_status: int
    ways: tuple[Shown, ...]

    @property
    def document(self) -> Mapping[str, object]:
        """The page as values of JSON."""
        first = self.ways[0]
        return {
            "code": self.code,
            "class": self.name,
            "meaning": self.meaning,
            "message": first.message.partition("] ")[2],
            "cure": self.cure,
            "exit_status": self.exit_status,
            "ways": [
                {"command": one.command, "when": one.when, "message": one.message, "hint": one.hint}
                for one in self.ways
            ],
            "example": "\n".join(first.lines),
        }


def pages() -> Mapping[str, CodePage]:
    """The page of every code, in order."""
    found = {code: _of_error(kind) for code, kind in all_errors().items()}
    found |= {code: _of_caution(code, meaning) for code, meaning in CAUTIONS.items()}
    return dict(sorted(found.items()))


def page(code: str) -> CodePage:
    """The page of a code in any form: FC030, fc30, 30.

    Raises UnknownNameError.
    """
    known = pages()
    found = _CODE.fullmatch(code.strip())
    name = f"FC{int(found[1]):03d}" if found else ""
    if name not in known:
        first, *_, last = known
        raise UnknownNameError(
            what="error code", name=code, known=f"{first} to {last}; `fpgacnn explain` lists all codes"
        )
    return known[name]


def _of_error(kind: type[FpgacnnError]) -> CodePage:
    return CodePage(
        code=kind.code,
        name=kind.__name__,
        meaning=inspect.cleandoc(kind.__doc__ or ""),
        cure=kind.remedy or kind.cure,
        exit_status=kind.exit_status,
        ways=tuple(_shown(kind, one.command, one.when, one.data) for one in kind.ways),
    )


def _shown(kind: type[FpgacnnError], command: str, when: str, data: Mapping[str, object]) -> Shown:
    """A way with the message and the hint that the error class itself makes."""
    error = kind(**data)
    return Shown(command=command, when=when, message=f"error[{kind.code}] {error}", hint=error.hint)


def _of_caution(code: str, meaning: str) -> CodePage:
    ways = tuple(
        Shown(
            command=one.command,
            when=one.when,
            message=f"caution[{code}]{f' {one.layer}:' if one.layer else ''} {one.text}; {one.cure}",
            hint="",
        )
        for one in WAYS[code]
    )
    return CodePage(code=code, name="", meaning=meaning, cure=CURES[code], exit_status=0, ways=ways)
