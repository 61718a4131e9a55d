"""`fpgacnn estimate`: resources and latency of a model or a project, without any vendor tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options
from fpgacnn.cli.config import Config


def estimate(
    source: Annotated[
        Path,
        typer.Argument(help="Model file, project folder, or any folder that hls4ml wrote.", metavar="PROJECT|MODEL"),
    ],
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

    record = api.estimate(
        source,
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
