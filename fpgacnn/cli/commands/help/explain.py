"""`fpgacnn explain`: what an error means and what cures it."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from fpgacnn.cli import options


def explain(
    code: Annotated[str | None, typer.Argument(help="Error code, e.g. FC021; all codes without one.")] = None,
    json: options.Json = False,  # noqa: FBT002  # typer's way
) -> int:  # typer's way
    """Say what an error means and what cures it."""
    from fpgacnn.cli.console import out, show_json
    from fpgacnn.errors import UnknownNameError

    known = _pages()
    if code is not None and code.upper() not in known:
        raise UnknownNameError(
            what="error code", name=code, known=f"{next(iter(known))} to {list(known)[-1]}; `fpgacnn explain` lists all"
        )
    pages = [known[code.upper()]] if code else list(known.values())
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


def _pages() -> dict[str, dict[str, object]]:
    """Errors and the cautions of an estimate, by their codes; a caution ends nothing and has its words where it is met."""
    from fpgacnn.errors import all_errors
    from fpgacnn.hardware.estimation.checks import CAUTIONS

    pages: dict[str, dict[str, object]] = {
        code: {
            "code": code,
            "meaning": inspect.cleandoc(kind.__doc__ or ""),
            "message": kind.message,
            "cure": kind.cure,
            "exit_status": kind.exit_status,
        }
        for code, kind in all_errors().items()
    }
    cautions = {
        code: {"code": code, "meaning": meaning, "message": "", "cure": "", "exit_status": 0}
        for code, meaning in CAUTIONS.items()
    }
    return dict(sorted((pages | cautions).items()))
