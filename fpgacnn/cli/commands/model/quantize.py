"""`fpgacnn quantize`: quantize a float network and fine-tune it on data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpgacnn.api.names import BackendName, Strategy
from fpgacnn.cli import options
from fpgacnn.cli.config import Config, without_effect
from fpgacnn.errors import UsageError

if TYPE_CHECKING:
    from fpgacnn.api.names import QuantizeRecord

TRAINING = "Training"


def quantize(
    context: typer.Context,
    model: Annotated[
        Path, typer.Argument(help="Float network: any file that `convert` reads; or a study, with --point.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The quantized model, Keras 2 HDF5.", metavar="Q.h5")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Events: .npz with input_0, ... (and labels, groups), or digits, mnist5k, fashion, km3net.",
            metavar="D",
        ),
    ] = None,
    point: Annotated[
        int | None,
        typer.Option("--point", min=0, help="A point of a study: its widths, target and events.", metavar="N"),
    ] = None,
    bits: Annotated[
        str, typer.Option("--bits", help="Bits (and integer bits of results) of weights and results.", metavar="W[,I]")
    ] = "6",
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            help="Different bits for each layer: ebops=N or N%, lut=N or N%, accuracy-drop=N%.",
            metavar="WHAT",
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option("--test", help="Separate events for the final figures.", metavar="T.npz"),
    ] = None,
    weights: options.Weights = None,
    epochs: Annotated[
        int,
        typer.Option(
            "--epochs",
            min=0,
            help="Largest number of epochs; 0: only post-training quantization.",
            rich_help_panel=TRAINING,
        ),
    ] = 30,
    batch: Annotated[
        int, typer.Option("--batch", min=1, help="Events for each training step.", rich_help_panel=TRAINING)
    ] = 64,
    learning_rate: Annotated[
        float,
        typer.Option(
            "--learning-rate", min=0.0, help="First learning rate of Adam; it falls to 0.", rich_help_panel=TRAINING
        ),
    ] = 0.0005,
    patience: Annotated[
        int,
        typer.Option(
            "--patience",
            min=1,
            help="Epochs without a better validation loss before training ends.",
            rich_help_panel=TRAINING,
        ),
    ] = 10,
    sparsity: Annotated[
        float,
        typer.Option(
            "--sparsity",
            min=0.0,
            max=0.99,
            help="Fraction of the weights that pruning sets to zero.",
            rich_help_panel=TRAINING,
        ),
    ] = 0.0,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            help="Change training images: known, or shift=1x2,degrees=10,flip=lr,noise=0.02.",
            metavar="WHAT",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help="Seed of the order of events and of all random choices.", rich_help_panel=TRAINING
        ),
    ] = 1,
    convert: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option("--convert", help="Convert the result to a proven HLS project.", rich_help_panel=options.TARGET),
    ] = False,  # typer needs a positional bool
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            help="Folder of that project; implies --convert.",
            metavar="DIR",
            rich_help_panel=options.TARGET,
        ),
    ] = None,
    config: Config = None,  # noqa: ARG001  # its callback sets the flags
    part: options.Part = options.DEFAULT.part,
    clock: options.Clock = options.DEFAULT.clock_ns,
    io: options.Io = None,
    strategy: options.StrategyOption = Strategy.LATENCY,
    reuse: options.Reuse = 1,
    backend: options.Backend = BackendName.VITIS,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Quantize a float network: first after training, then by fine-tuning with its quantizers (QKeras).

    If the command is killed, the same command continues the training and gives the same result.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import epochs_shown, progress, show

    if point is None and data is None:
        raise UsageError(what="Missing option '--data'.")
    if point is not None:
        refuse_decided(context, point)
    record = api.quantize(
        model,
        data,
        output,
        point=point,
        bits=None if point is not None else bits,
        budget=budget,
        test=test,
        weights=weights,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        patience=patience,
        sparsity=sparsity,
        augment=augment,
        seed=seed,
        convert=convert,
        project=project,
        part=None if point is not None else part,
        clock_ns=None if point is not None else clock,
        io=io,
        strategy=None if point is not None else strategy,
        reuse=None if point is not None else reuse,
        backend=None if point is not None else backend,
        progress=progress(quiet=quiet or json),
        watch=epochs_shown(quiet=quiet or json),
    )
    record = replace(record, notes=(*record.notes, *_unused(context, record)))
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        from fpgacnn.reporting.terminal.training import training_report

        show(training_report(record))
    return 0 if record.holds else 1


DECIDED = ("data", "bits", "budget", "test", "weights", "config", "part", "clock", "io", "strategy", "reuse", "backend")
"""Parameters that a point of a study decides."""


def refuse_decided(context: typer.Context, point: int) -> None:
    """Raise UsageError for flags that exclude `--point`."""
    found = options.flags_given(context, **{name: f"--{name}" for name in DECIDED})
    if found:
        raise UsageError(what=f"--point {point} decides network, widths and data, and excludes {', '.join(found)}")


def _unused(context: typer.Context, record: QuantizeRecord) -> tuple[str, ...]:
    """Notes on flags of a conversion or a training that does not take place."""
    target = options.flags_given(
        context, part="--part", clock="--clock", io="--io", strategy="--strategy", reuse="--reuse", backend="--backend"
    )
    counts_luts = record.budget is not None and record.budget.uniform_lut is not None
    is_used = record.conversion is not None or counts_luts
    training = options.flags_given(
        context, batch="--batch", learning_rate="--learning-rate", patience="--patience", augment="--augment"
    )
    return (
        *without_effect([] if is_used else target, "the network is not converted (--convert, --project)"),
        *without_effect([] if record.settings.epochs else training, "there is no training with --epochs 0"),
    )
