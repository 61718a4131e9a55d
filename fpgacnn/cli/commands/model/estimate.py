"""`fpgacnn estimate`: resources and latency of a model or a project, without any vendor tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options
from fpgacnn.cli.config import Config
from fpgacnn.errors import UsageError, printable

LONGEST_NOTE = 1000
"""Characters of a reason that are shown."""


def estimate(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Model file, project folder, or any folder that hls4ml wrote; with --learn, several folders.",
            metavar="PROJECT|MODEL",
        ),
    ],
    learn: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--learn",
            help="Add synthesized project folders to the local calibration file, which corrects later estimates.",
        ),
    ] = False,
    input: options.Input = None,  # noqa: A002  # the flag's name
    input_type: options.InputType = None,
    bits: options.Bits = None,
    calibrate: options.Calibrate = None,
    sqnr: options.Sqnr = 40.0,
    weights: options.Weights = None,
    config: Config = None,  # noqa: ARG001  # its callback sets the flags
    part: options.OwnPart = None,
    clock: options.OwnClock = None,
    io: options.OwnIo = None,
    strategy: options.OwnStrategy = None,
    reuse: options.OwnReuse = None,
    backend: options.OwnBackend = None,
    fifo: options.Fifo = None,
    settings: options.Set = None,
    softmax: options.Softmax = "logits",
    fold: options.Fold = True,  # noqa: FBT002  # typer needs a positional bool
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Estimate LUT, FF, DSP, BRAM, latency and interval, for each layer and in total, with error bands.

    Exit status 0: the estimate fits the part; 1: it does not; 2: the input cannot be read.
    """
    from fpgacnn import api

    if learn:
        return _learn(sources, json=json, quiet=quiet)
    if len(sources) > 1:
        raise UsageError(what=f"estimate takes one model or folder, not {len(sources)}; only --learn takes several")
    record = api.estimate(
        sources[0],
        input=input,
        input_type=input_type,
        bits=bits,
        calibrate=calibrate,
        sqnr_db=sqnr,
        weights=weights,
        softmax=softmax,
        fold=fold,
        part=part,
        clock_ns=clock,
        io=io,
        strategy=strategy,
        reuse=reuse,
        backend=backend,
        fifo=fifo,
        **options.layer_settings(settings),
    )
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        from fpgacnn.cli.console import show
        from fpgacnn.reporting.terminal.estimate import estimate_report

        show(estimate_report(record))
    return 0 if record.fits else 1


def _learn(folders: list[Path], *, json: bool, quiet: bool) -> int:
    from fpgacnn import api

    learned = api.learn(*folders)
    if json:
        typer.echo(learned.to_json())
    elif not quiet:
        for one in learned.designs:
            tool = f"{one.tool} HLS {one.version}"
            typer.echo(printable(f"learned: {one.name}, {tool}, {one.part}, {one.clock_ns:g} ns"))
            for quantity, reported in one.reported.items():
                estimated = one.estimated[quantity]
                error = f", {estimated / reported - 1:+.0%}" if reported else ""
                typer.echo(f"  {quantity}: estimate {estimated:,.0f}, reported {reported:,.0f}{error}")
        for why in learned.left_out:
            typer.echo(printable(f"left out: {why}", LONGEST_NOTE))
        file = printable(learned.file)
        typer.echo(f"{learned.known} designs in {file}; later estimates of the same tool and io type use them")
        if learned.outdated:
            typer.echo(learned.outdated_line)
    return 0
