"""Functions for boards. The modules that a function needs are imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fpgacnn.api.arguments import Progress, checked, path_of

if TYPE_CHECKING:
    from fpgacnn.jobs.board import BoardRecord
    from fpgacnn.jobs.board_report import BoardReport


@checked
def board(
    project: str | Path,
    board: str,
    *,
    csim_events: int = 1000,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> BoardRecord:
    """Write wrapper, build scripts and drivers of a board below a project folder, and compare the wrapper's codes.

    `board`: a name of `boards()`. `csim_events`: the largest number of events for simulation of the wrapper; 0: none.
    Raises FpgacnnError; then the folder is as it was.
    """
    from fpgacnn.errors import UsageError
    from fpgacnn.hardware.board.boards import find_board
    from fpgacnn.jobs.board import BoardRequest, write_board
    from fpgacnn.system.progress import silent

    if csim_events < 0:
        raise UsageError(what=f"the number of events for C simulation cannot be {csim_events}")
    request = BoardRequest(project=Path(project), board=find_board(board), events=csim_events, seconds=timeout_s)
    return write_board(request, progress or silent)


@checked
def board_report(project: str | Path, *, board: str | None = None, output: str | Path | None = None) -> BoardReport:
    """Pack logs, reports and versions of a board's builds into one .zip file; without `board`, of all boards.

    Raises FpgacnnError.
    """
    from fpgacnn.hardware.board.boards import find_board
    from fpgacnn.jobs.board_report import pack_report

    return pack_report(Path(project), None if board is None else find_board(board).name, path_of(output))


def boards() -> Mapping[str, str]:
    """The boards that files can be written for: name -> part."""
    from fpgacnn.hardware.board.boards import boards as table

    return {name: one.part for name, one in table().items()}
