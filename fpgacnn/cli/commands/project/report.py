"""`fpgacnn report`: the results of runs as HTML, Markdown, CSV or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def report(
    projects: Annotated[
        list[Path],
        typer.Argument(
            help="Project folders, or files that hold what --json printed; or a study of `explore`.",
            metavar="PROJECT...",
        ),
    ],
    output: options.ReportFile = None,
    point: Annotated[
        int | None,
        typer.Option("--point", min=0, help="Of a study: the point that is shown beside the start.", metavar="N"),
    ] = None,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Show the promises, checks and figures of one or more runs, several side by side.

    Exit status 0: every check in them holds; 1: one failed, or reports of a tool in a folder cannot be read.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import out, plain_text, show, show_json

    entries = api.report(*projects, output=output, point=point)
    if json:
        from fpgacnn.reporting.formats.files import any_document

        show_json(any_document(entries))
    elif output and not quiet:
        out().print(f"written: {plain_text(output)}")
    elif not quiet:
        from fpgacnn.reporting.terminal.exploring import entries_report

        show(entries_report(entries))
    return 0 if all(entry.holds for entry in entries) else 1
