"""`fpgacnn quantize`: a float network becomes a quantized one, fine-tuned on its data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpgacnn.api.names import BackendName, IoType, Strategy
from fpgacnn.cli import options
from fpgacnn.cli.config import Config

if TYPE_CHECKING:
    from fpgacnn.api.names import QuantizeRecord

TRAINING = "Training"


def quantize(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="Float network: any file that `convert` reads.")],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="Events: .npz with input_0, ... (and labels, groups), or digits, mnist5k, fashion, km3net.",
            metavar="D",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The quantized model, Keras 2 HDF5.", metavar="Q.h5")],
    bits: Annotated[
        str, typer.Option("--bits", help="Bits (and integer bits of results) of weights and results.", metavar="W[,I]")
    ] = "6",
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget", help="Each layer its own bits: ebops=N or N%, lut=N or N%, accuracy-drop=N%.", metavar="WHAT"
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option("--test", help="Events of a file of their own for the final figures.", metavar="T.npz"),
    ] = None,
    weights: options.Weights = None,
    epochs: Annotated[
        int, typer.Option("--epochs", min=0, help="Epochs at most; 0: post-training only.", rich_help_panel=TRAINING)
    ] = 30,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Events of a step.", rich_help_panel=TRAINING)] = 64,
    learning_rate: Annotated[
        float,
        typer.Option("--learning-rate", min=0.0, help="Of Adam at first; it falls to 0.", rich_help_panel=TRAINING),
    ] = 0.0005,
    patience: Annotated[
        int,
        typer.Option("--patience", min=1, help="Epochs without a better validation loss.", rich_help_panel=TRAINING),
    ] = 10,
    sparsity: Annotated[
        float,
        typer.Option("--sparsity", min=0.0, max=0.99, help="Fraction of weights made zero.", rich_help_panel=TRAINING),
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
        typer.Option("--seed", min=0, help="Of the order of events and everything random.", rich_help_panel=TRAINING),
    ] = 1,
    convert: Annotated[  # noqa: FBT002  # typer's way
        bool, typer.Option("--convert", help="Go on to a proven HLS project.", rich_help_panel=options.TARGET)
    ] = False,  # typer's way
    project: Annotated[
        Path | None,
        typer.Option("--project", help="Its folder; implies --convert.", metavar="DIR", rich_help_panel=options.TARGET),
    ] = None,
    config: Config = None,  # noqa: ARG001  # its callback sets the flags
    part: options.Part = options.DEFAULT.part,
    clock: options.Clock = options.DEFAULT.clock_ns,
    io: options.Io = IoType.PARALLEL,
    strategy: options.StrategyOption = Strategy.LATENCY,
    reuse: options.Reuse = 1,
    backend: options.Backend = BackendName.VITIS,
    json: options.Json = False,  # noqa: FBT002  # typer's way
    quiet: options.Quiet = False,  # noqa: FBT002  # typer's way
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Quantize a float network: after training, then by fine-tuning with its quantizers (QKeras).

    Killed, it goes on where it was when the same command is given again, to the same result.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import epochs_shown, progress, show

    record = api.quantize(
        model,
        data,
        output,
        bits=bits,
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
        part=part,
        clock_ns=clock,
        io=io,
        strategy=strategy,
        reuse=reuse,
        backend=backend,
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


def _unused(context: typer.Context, record: QuantizeRecord) -> tuple[str, ...]:
    """Flags of a conversion that is not made, and of a training without epochs."""
    target = options.flags_given(
        context, part="--part", clock="--clock", io="--io", strategy="--strategy", reuse="--reuse", backend="--backend"
    )
    counts_luts = record.budget is not None and record.budget.uniform_lut is not None
    is_used = record.conversion is not None or counts_luts
    training = options.flags_given(
        context, batch="--batch", learning_rate="--learning-rate", patience="--patience", augment="--augment"
    )
    return (
        *options.without_effect([] if is_used else target, "the network is not converted (--convert, --project)"),
        *options.without_effect([] if record.settings.epochs else training, "there is no training with --epochs 0"),
    )
