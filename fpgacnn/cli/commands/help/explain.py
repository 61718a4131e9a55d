"""`fpgacnn explain`: what an error means and what cures it."""

from __future__ import annotations

from typing import Annotated

import typer

from fpgacnn.cli import options


def explain(
    code: Annotated[str | None, typer.Argument(help="Error code, e.g. FC021; all codes without one.")] = None,
    json: options.Json = False,  # noqa: FBT002  # typer's way
) -> int:  # typer's way
    """Say what an error means and what cures it."""
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
                f"it reads: {page['message']}\ncure:     {page['cure']}\nexit status {page['exit_status']}",
                markup=False,
            )
    return 0
