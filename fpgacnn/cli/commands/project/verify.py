"""`fpgacnn verify`: check a project folder again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.api.names import IoType
from fpgacnn.cli import options
from fpgacnn.cli.commands.project.freeze import verify_locked
from fpgacnn.cli.config import without_effect
from fpgacnn.errors import UsageError

MODELS = "A folder of models"


def verify(
    context: typer.Context,
    project: Annotated[Path | None, typer.Argument(help="Project folder.")] = None,
    input: options.Input = None,  # noqa: A002  # the flag's name
    every: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool, typer.Option("--all", help="Send all events through C simulation, not only the first 1,000.")
    ] = False,  # typer needs a positional bool
    reference: options.Reference = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="The model file that the project was made from.", metavar="FILE")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            "--models",
            help="Instead of a project: convert and check every model of this folder.",
            metavar="DIR",
            rich_help_panel=MODELS,
        ),
    ] = None,
    io: Annotated[
        IoType | None,
        typer.Option(
            "--io",
            help="For --models: io type of the conversions; stream takes images of any size with small code.",
            case_sensitive=False,
            show_default="stream",
            rich_help_panel=MODELS,
        ),
    ] = None,
    bits: Annotated[
        str | None,
        typer.Option(
            "--bits", help="For --models: widths for float networks.", metavar="W[,I]", rich_help_panel=MODELS
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            help="For --models: number of conversions that run in parallel.",
            metavar="N",
            min=1,
            rich_help_panel=MODELS,
        ),
    ] = 2,
    csim: Annotated[bool, typer.Option("--csim/--no-csim", help="Check with C simulation (g++) too.")] = True,  # noqa: FBT002  # typer needs a positional bool
    locked: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option("--locked", help="Only compare the project with its golden vectors (`fpgacnn freeze`)."),
    ] = False,  # typer needs a positional bool
    golden: options.Golden = None,
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Compare C simulation, emulator and trained network, event by event and layer by layer.

    Exit status 0: all agree as the plan promises; 1: they do not. With --locked: 0 if no bit has changed.
    """
    if models is not None:
        if project is not None:
            raise UsageError(what="give a project or --models DIR, not both")
        foreign = options.flags_given(
            context,
            input="--input",
            every="--all",
            reference="--reference",
            model="--model",
            locked="--locked",
            golden="--golden",
        )
        if foreign:
            raise UsageError(what=f"{', '.join(foreign)}: only for a project, not for --models")
        return _models(models, io, bits, jobs, timeout, csim=csim, json=json, quiet=quiet)
    if project is None:
        raise UsageError(what="give a project folder, or --models DIR")
    from fpgacnn import api
    from fpgacnn.cli.console import out, progress, show
    from fpgacnn.errors import printable
    from fpgacnn.reporting.terminal.tables import quality_table, verification_table

    if locked:
        if input or every or reference or model or not csim:
            raise UsageError(
                what="--locked runs the frozen events and excludes --input, --all, --no-csim, --reference and --model"
            )
        foreign = options.flags_given(context, io="--io", bits="--bits", jobs="--jobs")
        if foreign:
            raise UsageError(what=f"{', '.join(foreign)}: only for --models")
        return verify_locked(project, golden, seconds=timeout, json=json, quiet=quiet)
    if golden is not None:
        raise UsageError(what="--golden needs --locked")
    if every and not csim:
        raise UsageError(what="--all and --no-csim exclude each other")
    record = api.verify(
        project,
        input=input,
        model=model,
        csim_events=0 if not csim else None if every else "auto",
        reference=reference,
        timeout_s=timeout,
        progress=progress(quiet=quiet or json),
    )
    unused = without_effect(
        options.flags_given(context, io="--io", bits="--bits", jobs="--jobs"), "only for --models, not for a project"
    )
    record = replace(record, notes=(*record.notes, *unused))
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        show([verification_table(record.verification), *([quality_table(record.quality)] if record.quality else [])])
        for note in record.notes:
            out().print(f"note: {printable(note)}", markup=False)
    return 0 if record.holds else 1


def _models(
    folder: Path, io: IoType | None, bits: str | None, jobs: int, seconds: float, *, csim: bool, json: bool, quiet: bool
) -> int:
    from fpgacnn import api
    from fpgacnn.cli.console import progress, show, show_json
    from fpgacnn.reporting.terminal.tables import judgement_summary, judgement_table

    found = api.verify_models(
        folder,
        io=io,
        bits=bits,
        csim=csim,
        at_once=jobs,
        timeout_s=seconds,
        progress=progress(quiet=quiet or json),
    )
    if json:
        show_json({"schema": 1, "models": found})
    elif not quiet:
        show([judgement_table(found), judgement_summary(found)])
    return 0 if all(one.outcome.is_good for one in found) else 1
