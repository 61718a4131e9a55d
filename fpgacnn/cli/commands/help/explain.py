"""`fpgacnn explain`: the meaning of an error and how to solve it."""

from __future__ import annotations

from typing import Annotated

import typer

from fpgacnn.cli import options


def explain(
    code: Annotated[str | None, typer.Argument(help="Error code, e.g. FC021 or 21; all codes without one.")] = None,
    json: options.Json = False,  # noqa: FBT002  # typer needs a flag as a positional bool
) -> int:  # typer needs a flag as a positional bool
    """Explain an error code: what it means, how it comes up, and what to do."""
    from fpgacnn import api
    from fpgacnn.cli.console import out, show_json

    pages = api.explain(code)
    if json:
        show_json(pages[0] if code else pages)
        return 0
    from fpgacnn.reporting.terminal.help import code_line, code_page

    console = out()
    for page in pages:
        for line in code_page(page) if code else (code_line(page),):
            console.print(line)
    return 0
