"""`fpgacnn convert`: a model file becomes a proven HLS project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.api.names import BackendName, Strategy
from fpgacnn.cli import options
from fpgacnn.cli.config import Config
from fpgacnn.errors import UsageError


def convert(
    context: typer.Context,
    model: Annotated[
        Path,
        typer.Argument(
            help="Trained model: .h5 or .keras (Keras, QKeras, HGQ2), .onnx, or JSON; or a study, with --point."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Project folder (default hls_projects/<name>-<digest>).", metavar="DIR"),
    ] = None,
    point: Annotated[
        int | None,
        typer.Option(
            "--point", min=0, help="A point of a study of `explore`, which decides network and target.", metavar="N"
        ),
    ] = None,
    input: options.Input = None,  # noqa: A002  # the flag's name
    input_type: options.InputType = None,
    bits: options.Bits = None,
    calibrate: options.Calibrate = None,
    sqnr: options.Sqnr = 40.0,
    weights: options.Weights = None,
    config: Config = None,  # noqa: ARG001  # its callback sets the flags
    board: options.Board = None,
    part: options.Part = options.DEFAULT.part,
    unlisted_part: options.UnlistedPart = False,  # noqa: FBT002  # typer needs a positional bool
    clock: options.Clock = options.DEFAULT.clock_ns,
    io: options.Io = None,
    strategy: options.StrategyOption = Strategy.LATENCY,
    reuse: options.Reuse = 1,
    backend: options.Backend = BackendName.VITIS,
    fifo: options.Fifo = None,
    settings: options.Set = None,
    softmax: options.Softmax = "logits",
    fold: options.Fold = True,  # noqa: FBT002  # typer needs a positional bool
    float_model: Annotated[
        Path | None,
        typer.Option(
            "--float",
            help="The float model it was quantized from, for the quality table.",
            metavar="FILE",
            rich_help_panel=options.PROOF,
        ),
    ] = None,
    csim_events: Annotated[
        int | None,
        typer.Option(
            "--csim-events",
            min=0,
            help="Events for C simulation (default: 1,000, fewer for large networks).",
            metavar="N",
            rich_help_panel=options.PROOF,
        ),
    ] = None,
    csim: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--csim/--no-csim",
            help="Check with C simulation (g++), or with the emulator alone.",
            rich_help_panel=options.PROOF,
        ),
    ] = True,  # typer needs a positional bool
    reference: options.Reference = None,
    profile: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--profile",
            help="Put the distributions of all weights and results on the events into the report.",
            rich_help_panel=options.PROOF,
        ),
    ] = False,
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: FBT002  # typer needs a positional bool; also read by main
) -> int:
    """Convert a trained network to an HLS project and prove that it computes the same as the network.

    Exit status 0: done and proven; 1: a comparison failed; 2: the input cannot be converted; 3: a tool failed.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import progress, show

    if csim_events and not csim:
        raise UsageError(what=f"--csim-events {csim_events} and --no-csim exclude each other")
    both = options.flags_given(context, part="--part", clock="--clock", unlisted_part="--unlisted-part")
    if board is not None and both:
        raise UsageError(what=f"--board {board} gives part and clock, and excludes {', '.join(both)}")
    if point is not None:
        refuse_target_flags(context, point)
    filed = options.given_in_file(context, "part", "clock")
    own = board is None and point is None
    record = api.convert(
        model,
        point=point,
        output=output,
        input=input,
        float_model=float_model,
        csim_events=("auto" if csim_events is None else csim_events) if csim else 0,
        unlisted_part=unlisted_part,
        board=board,
        reference=reference,
        profile=profile,
        timeout_s=timeout,
        progress=progress(quiet=quiet or json),
        input_type=input_type,
        bits=bits,
        calibrate=calibrate,
        sqnr_db=sqnr,
        weights=weights,
        softmax=softmax,
        fold=fold,
        part=part if own or "part" in filed else None,
        clock_ns=clock if own or "clock" in filed else None,
        io=io,
        strategy=None if point is not None else strategy,
        reuse=None if point is not None else reuse,
        backend=None if point is not None else backend,
        fifo=fifo,
        **options.layer_settings(settings),
    )
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        from fpgacnn.reporting.terminal.tables import run_report

        show(run_report(record, reasons=verbose))
    return 0 if record.holds else 1


DECIDED = (
    *("input_type", "bits", "calibrate", "sqnr", "weights", "config", "part", "unlisted_part", "clock", "io"),
    *("strategy", "reuse", "backend", "fifo", "settings", "softmax", "fold"),
)
"""Parameters that a point of a study decides."""


def refuse_target_flags(context: typer.Context, point: int) -> None:
    """Raise UsageError for flags that exclude `--point`."""
    flags = {name: f"--{'set' if name == 'settings' else name.replace('_', '-')}" for name in DECIDED}
    found = options.flags_given(context, **flags)
    if found:
        raise UsageError(what=f"--point {point} decides network and target, and excludes {', '.join(found)}")
