"""`fpgacnn freeze` stores golden vectors of a project; `verify --locked` compares the project with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpgacnn.cli import options

if TYPE_CHECKING:
    from fpgacnn.api.names import LockedRecord


def freeze(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    input: options.Input = None,  # noqa: A002  # the flag's name
    events: Annotated[
        int, typer.Option("--events", help="Largest number of events to freeze.", metavar="N", min=1)
    ] = 256,
    golden: options.Golden = None,
    update: Annotated[bool, typer.Option("--update", help="Replace golden vectors that exist.")] = False,  # noqa: FBT002  # typer needs a positional bool
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Store golden vectors beside a project: events, all output codes, and digests of everything that decides them.

    `fpgacnn verify PROJECT --locked` then fails on any changed bit and shows what changed.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import progress

    record = api.freeze(
        project,
        input=input,
        events=events,
        golden=golden,
        update=update,
        timeout_s=timeout,
        progress=progress(quiet=quiet or json),
    )
    return show_record(record, json=json, quiet=quiet)


def verify_locked(project: Path, golden: Path | None, *, seconds: float, json: bool, quiet: bool) -> int:
    """`fpgacnn verify PROJECT --locked`."""
    from fpgacnn import api
    from fpgacnn.cli.console import progress

    record = api.verify_locked(project, golden=golden, timeout_s=seconds, progress=progress(quiet=quiet or json))
    return show_record(record, json=json, quiet=quiet)


def show_record(record: LockedRecord, *, json: bool, quiet: bool) -> int:
    """Print a record as the flags demand, and return the exit status."""
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        from fpgacnn.cli.console import show
        from fpgacnn.reporting.terminal.golden import locked_report

        show(locked_report(record))
    return 0 if record.holds else 1
