"""`fpgacnn explain`: the meaning of an error and how to solve it."""

from __future__ import annotations

from typing import Annotated

import typer

from fpgacnn.cli import options


def explain(
    code: Annotated[str | None, typer.Argument(help="Error code, e.g. FC021; all codes without one.")] = None,
    json: options.Json = False,  # noqa: FBT002  # typer needs a flag as a positional bool
) -> int:  # typer needs a flag as a positional bool
    """Explain an error code: when it comes up and what to do."""
    from fpgacnn import api
    from fpgacnn.cli.console import out, show_json

    pages = api.explain(code)
    if json:
        show_json(pages[0] if code else pages)
        return 0
    console = out()
    for page in pages:
        if code is None:
            console.print(f"{page['code']}  {str(page['meaning']).splitlines()[0]}", markup=False)
            continue
        console.print(f"{page['code']}: {page['meaning']}\n", markup=False)
        if page["message"]:
            console.print(
                f"message: {page['message']}\ncure:    {page['cure']}\nexit status {page['exit_status']}",
                markup=False,
            )
    return 0
