"""`fpgacnn report`: what runs say, for people, spreadsheets and scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def report(
    projects: Annotated[
        list[Path],
        typer.Argument(help="Project folders, or files that hold what --json printed.", metavar="PROJECT..."),
    ],
    output: options.ReportFile = None,
    json: options.Json = False,  # noqa: FBT002  # typer's way
    quiet: options.Quiet = False,  # noqa: FBT002  # typer's way
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Show what runs promised, proved and measured; several side by side.

    Exit status 0 where every check in them holds, 1 where one failed.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import out, plain_text, show, show_json

    subjects = api.report(*projects, output=output)
    if json:
        from fpgacnn.reporting.formats.files import document

        show_json(document(subjects))
    elif output and not quiet:
        out().print(f"written: {plain_text(output)}")
    elif not quiet:
        from fpgacnn.reporting.terminal.tables import inputs_report

        show(inputs_report(subjects))
    return 0 if all(subject.holds for subject in subjects) else 1
