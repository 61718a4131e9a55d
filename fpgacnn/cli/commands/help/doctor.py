"""`fpgacnn doctor`: what is installed on this machine, and what is missing."""

from __future__ import annotations

from fpgacnn.cli import options


def doctor(json: options.Json = False) -> int:  # noqa: FBT002  # typer needs a positional bool
    """Check the machine: Python, libraries, compiler, optional parts, and vendor tools.

    Exit status 0: `fpgacnn convert` can run here; 3: something that it needs is missing.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import out, plain_text, show_json

    findings = api.doctor()
    ready = all(one.found or not one.needed for one in findings)
    if json:
        show_json({"schema": 1, "ready": ready, "findings": findings})
        return 0 if ready else 3
    console = out()
    for one in findings:
        mark = "[green]✓[/]" if one.found else "[red]✗[/]" if one.needed else "[yellow]-[/]"
        console.print(f"{mark} {one.what:<22} {plain_text(one.seen)}", highlight=False)
        if not one.found:
            console.print(f"  {'':<22} {one.cure}", markup=False)
    console.print("ready to convert" if ready else "not ready")
    return 0 if ready else 3
