"""`fpgacnn board`: wrapper, scripts and drivers of a board for a project, and a report of a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options
from fpgacnn.errors import UsageError


def board(
    context: typer.Context,
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    board: options.Board = None,
    csim_events: Annotated[
        int, typer.Option("--csim-events", help="Events for simulation of the wrapper; 0: none.", metavar="N", min=0)
    ] = 1000,
    report: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool, typer.Option("--report", help="Pack logs, reports and versions of the builds into one file.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="With --report: the file (default PROJECT-board-report.zip).", metavar="FILE"
        ),
    ] = None,
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Write an AXI wrapper, build scripts and drivers for a board, and compare the wrapper with the emulator.

    They are in PROJECT/board/NAME. No Vivado and no board is needed for this, and none has run these files here.
    Exit status 0: every code of the wrapper is the emulator's; 1: one is not.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import progress, show
    from fpgacnn.reporting.terminal.board import board_lines, report_lines

    if report:
        if options.flags_given(context, csim_events="--csim-events"):
            raise UsageError(what="--report packs files and excludes --csim-events")
        packed = api.board_report(project, board=board, output=output)
        if json:
            typer.echo(packed.to_json())
        elif not quiet:
            show(report_lines(packed))
        return 0
    if board is None:
        raise UsageError(what=f"give --board NAME, one of {', '.join(api.boards())}, or --report")
    if output is not None:
        raise UsageError(what="--output needs --report: the files of a board are in PROJECT/board/NAME")
    record = api.board(
        project, board, csim_events=csim_events, timeout_s=timeout, progress=progress(quiet=quiet or json)
    )
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        show(board_lines(record))
    return 0 if record.holds else 1
