"""`fpgacnn verify`: prove a project folder again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def verify(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    input: options.Input = None,  # noqa: A002  # the flag's name
    every: Annotated[bool, typer.Option("--all", help="All events through C simulation, not only the first 1,000.")] = False,  # noqa: FBT002  # typer's way
    reference: Annotated[str | None, typer.Option("--reference", help="'keras': compare with the real Keras/QKeras; needs --model.", metavar="NAME")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="The file that the project was made from.", metavar="FILE")] = None,
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer's way
    quiet: options.Quiet = False,  # noqa: FBT002  # typer's way
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Compare engines and references event by event, layer by layer: C simulation, emulator, trained network.

    Exit status 0 where all agree as the plan says, 1 where not.
    """
    from fpgacnn.cli.console import out, progress, show
    from fpgacnn.errors import UnknownNameError, UsageError, printable
    from fpgacnn.flow.request import Request
    from fpgacnn.flow.stages import verify as run
    from fpgacnn.reporting.terminal import quality_table, verification_table

    if reference not in (None, "keras"):
        raise UnknownNameError(what="reference", name=reference, known="keras")
    if reference and model is None:
        raise UsageError(what="--reference keras needs --model FILE, the file that the project was made from")
    request = Request(model=model or project, events=input, csim_events=None if every else 1000, max_events=None, seconds=timeout, keras=reference == "keras")
    record = run(project, request, progress(quiet=quiet or json))
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        show([verification_table(record.verification), *([quality_table(record.quality)] if record.quality else [])])
        for note in record.notes:
            out().print(f"note: {printable(note)}", markup=False)
    return 0 if record.holds else 1
