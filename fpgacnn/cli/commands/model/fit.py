"""`fpgacnn fit`: find the target that meets limits on time and resources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.api.names import IoType
from fpgacnn.cli import limits, options
from fpgacnn.cli.config import Config


def fit(
    source: Annotated[Path, typer.Argument(help="Model file, or project folder of fpgacnn.", metavar="MODEL|PROJECT")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the target to this file, which `convert --config` reads.", metavar="FILE.toml"
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Write the front as a chart and tables to this file: .html, .md, .csv or .json.",
            metavar="FILE",
        ),
    ] = None,
    max_latency: limits.MaxLatency = None,
    max_interval: limits.MaxInterval = None,
    max_util: limits.MaxUtilization = "80%",
    sure: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--sure", help="Compare the upper ends of the error bands with the limits.", rich_help_panel=limits.PANEL
        ),
    ] = False,  # typer needs a positional bool
    input: options.Input = None,  # noqa: A002  # the flag's name
    input_type: options.InputType = None,
    bits: options.Bits = None,
    calibrate: options.Calibrate = None,
    sqnr: options.Sqnr = 40.0,
    weights: options.Weights = None,
    config: Config = None,  # noqa: ARG001  # its callback sets the flags
    part: options.OwnPart = None,
    clock: options.OwnClock = None,
    io: Annotated[
        IoType | None,
        typer.Option(
            "--io",
            help="Only this io type (default: both are tried).",
            case_sensitive=False,
            rich_help_panel=options.TARGET,
        ),
    ] = None,
    backend: options.OwnBackend = None,
    da: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--da",
            help="Also try the strategy da; its adder graphs are searched first, which can take minutes.",
            rich_help_panel=options.TARGET,
        ),
    ] = False,  # typer needs a positional bool
    fifo: options.Fifo = None,
    softmax: options.Softmax = "logits",
    fold: options.Fold = True,  # noqa: FBT002  # typer needs a positional bool
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Find the io type, and strategy and reuse factor of each layer, that meet limits by estimate.

    With a limit on time, the smallest of the targets that meet the limits is chosen; without one, the fastest.
    Exit status 0: found; 1: no target meets the limits, and the nearest is shown; 2: the input cannot be read.
    """
    from fpgacnn import api

    record = api.fit(
        source,
        max_latency_ns=limits.parse_time("--max-latency", max_latency),
        max_interval_ns=limits.parse_time("--max-interval", max_interval),
        max_utilization=limits.parse_share("--max-util", max_util),
        sure=sure,
        output=output,
        report=report,
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
        backend=backend,
        da=da,
        fifo=fifo,
    )
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        from fpgacnn.cli.console import show
        from fpgacnn.reporting.terminal.fitting import fit_report

        show(fit_report(record, output))
    return 0 if record.fits else 1
