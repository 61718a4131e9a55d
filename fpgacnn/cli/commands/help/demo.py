"""`fpgacnn demo`: the main job on a shipped model and its data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def demo(
    name: Annotated[str, typer.Argument(help="digits or km3net.")] = "digits",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Project folder (default hls_projects/demo-<name>).", metavar="DIR"),
    ] = None,
    io: options.Io = None,
    board: options.Board = None,
    reference: options.Reference = None,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: FBT002  # typer needs a positional bool; also read by main
) -> int:
    """Convert a shipped, trained network and prove it on every event of its test set."""
    from fpgacnn import api
    from fpgacnn.cli.console import out, progress, show

    if name.lower() in api.demos() and not (quiet or json):
        out().print(api.demos()[name.lower()])
    record = api.demo(
        name, output=output, io=io, board=board, reference=reference, progress=progress(quiet=quiet or json)
    )
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        from fpgacnn.reporting.terminal.tables import run_report

        show(run_report(record, reasons=verbose))
    return 0 if record.holds else 1
