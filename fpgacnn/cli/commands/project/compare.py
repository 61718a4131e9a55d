"""`fpgacnn compare`: the differences between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def compare(
    left: Annotated[
        Path, typer.Argument(help="Project folder, or a file that holds what --json printed.", metavar="A")
    ],
    right: Annotated[Path, typer.Argument(help="The one to compare with it.", metavar="B")],
    output: options.ReportFile = None,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool, typer.Option("--verbose", "-v", help="List every value that differs.")
    ] = False,
) -> int:
    """Show what changed from A to B, in numbers: formats, exactness, comparisons, quality, cost, digests, tools.

    Exit status 0: every check in B holds; 1: one failed. A difference between A and B is not a failure.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import out, plain_text, show, show_json

    comparison = api.compare(left, right, output=output)
    if json:
        from fpgacnn.reporting.formats.files import comparison_document

        show_json(comparison_document(comparison))
    elif output and not quiet:
        out().print(f"written: {plain_text(output)}")
    elif not quiet:
        from fpgacnn.reporting.terminal.tables import comparison_report

        show(comparison_report(comparison, every=verbose))
    return 0 if comparison.holds else 1
