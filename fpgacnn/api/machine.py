"""Functions that need no file: demonstrations, the state of the machine, the meaning of errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fpgacnn.api.arguments import Progress, checked, path_of
from fpgacnn.errors import UnknownNameError

if TYPE_CHECKING:
    from fpgacnn.jobs.doctor import Finding
    from fpgacnn.records.record import RunRecord


@checked
def demo(
    name: str = "digits",
    *,
    output: str | Path | None = None,
    io: str | None = None,
    board: str | None = None,
    reference: str | None = None,
    progress: Progress | None = None,
) -> RunRecord:
    """Convert a shipped network, "digits" or "km3net", and prove it on every event of its test set.

    `board`: part and clock are its own, and wrapper, scripts and drivers are written for it. Raises FpgacnnError.
    """
    from fpgacnn.design import IoType
    from fpgacnn.design.design import DEFAULT_IO
    from fpgacnn.hardware.board.boards import find_board
    from fpgacnn.jobs.demo import DEMOS, run_demo
    from fpgacnn.pipeline.request import parse_reference
    from fpgacnn.system.progress import silent

    name = name.lower()
    if name not in DEMOS:
        raise UnknownNameError(what="demo", name=name, known=", ".join(DEMOS))
    return run_demo(
        name,
        path_of(output),
        IoType(io or DEFAULT_IO),
        board=None if board is None else find_board(board),
        reference=parse_reference(reference),
        progress=progress or silent,
    )


def demos() -> Mapping[str, str]:
    """The shipped networks: name -> description."""
    from fpgacnn.jobs.demo import DEMOS

    return {name: one.words for name, one in DEMOS.items()}


@checked
def doctor() -> tuple[Finding, ...]:
    """Check what is installed on this machine, and what is missing for which command."""
    from fpgacnn.jobs.doctor import examine

    return examine()


@checked
def explain(code: str | None = None) -> tuple[Mapping[str, object], ...]:
    """The page of an error or a caution by its code, such as "FC021", "fc21" or "21"; all pages without a code.

    A page has `code`, `class` (empty for a caution), `meaning`, `ways` (each with `command`, `when`, `message` and
    `hint`), `message` (of the first way), `cure`, `example` and `exit_status` (0 for a caution: the estimate goes on).
    Raises UnknownNameError.
    """
    from fpgacnn.jobs.explain.pages import page, pages

    found = tuple(pages().values()) if code is None else (page(code),)
    return tuple(one.document for one in found)
