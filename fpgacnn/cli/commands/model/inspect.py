"""`fpgacnn inspect`: the layers of a model file, and which of them cannot be converted and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def inspect(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    weights: options.Weights = None,
    json: options.Json = False,  # noqa: FBT002  # typer needs a flag as a positional bool
) -> int:  # typer needs a flag as a positional bool
    """Show the layers, shapes, quantizers and parameters of a model file, and what cannot be converted and why.

    Exit status 0: everything can be converted; 2: something cannot.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import show, show_json

    reading, refusals = api.inspect(model, weights=weights)
    if json:
        show_json(api.inspection_document(reading, refusals))
    else:
        from fpgacnn.reporting.terminal.tables import inspection

        show(inspection(reading, refusals))
    return 2 if refusals else 0
