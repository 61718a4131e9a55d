"""`fpgacnn explore`: search widths, strategies and reuse factors for a Pareto front of quality against hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.api.names import BackendName, Strategy
from fpgacnn.cli import limits, options
from fpgacnn.cli.config import Config
from fpgacnn.errors import UsageError

SEARCH, WORKERS = "Search", "Workers"


def explore(
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
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the study; a study there is continued.", metavar="STUDY")
    ],
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="Points in all (default 1,000).", metavar="N", rich_help_panel=SEARCH),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", help="Search for so long instead, e.g. 2h.", metavar="TIME", rich_help_panel=SEARCH),
    ] = None,
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            help="Two to four of quality, lut, ff, dsp, bram, util, latency, interval, ebops; repeatable, or with"
            " commas (default quality,lut,latency).",
            metavar="NAME",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    bits: Annotated[
        str,
        typer.Option(
            "--bits", help="Smallest and largest width of weights and results.", metavar="A-B", rich_help_panel=SEARCH
        ),
    ] = "2-8",
    search: Annotated[
        str,
        typer.Option(
            "--search",
            help="What is searched: widths, settings (strategy and reuse factor of each layer), io, pruning (weights of"
            " each layer that become zero).",
            metavar="WHAT",
            rich_help_panel=SEARCH,
        ),
    ] = "widths,settings,io",
    sampler: Annotated[
        str,
        typer.Option(
            "--sampler",
            help="Optuna's nsga2, tpe or random; auto: tpe for two objectives, else nsga2.",
            metavar="NAME",
            rich_help_panel=SEARCH,
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all random choices.", rich_help_panel=SEARCH)] = 1,
    test: Annotated[
        Path | None,
        typer.Option("--test", help="Separate events, on which converted points are checked.", metavar="T.npz"),
    ] = None,
    tune: Annotated[
        int,
        typer.Option(
            "--tune",
            min=0,
            help="Train so many points of the front by successive halving (extra `train`).",
            metavar="N",
            rich_help_panel=SEARCH,
        ),
    ] = 0,
    epochs: Annotated[
        int,
        typer.Option(
            "--epochs",
            min=1,
            help="With --tune: epochs of the point that is left; with --scale-filters: of each network.",
            rich_help_panel=SEARCH,
        ),
    ] = 16,
    convert_front: Annotated[
        int,
        typer.Option(
            "--convert-front",
            min=0,
            help="Convert so many points of the front, and check them in C simulation.",
            metavar="N",
            rich_help_panel=SEARCH,
        ),
    ] = 0,
    scale_filters: Annotated[
        str | None,
        typer.Option(
            "--scale-filters",
            help="Also search networks with so many times the filters in each hidden layer, which are trained again"
            " (extra `train`): A..B in steps of 0.25, or factors with commas.",
            metavar="A..B",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    max_latency: limits.MaxLatency = None,
    max_interval: limits.MaxInterval = None,
    max_util: limits.MaxUtilization = "100%",
    sure: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--sure",
            help="Take the upper ends of the error bands, for limits and objectives.",
            rich_help_panel=limits.PANEL,
        ),
    ] = False,  # typer needs a positional bool
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=0,
            help="Processes on this machine; 0: this process alone (default: one for each processor, at most 8).",
            metavar="N",
            rich_help_panel=WORKERS,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            help="A scheduler of Dask, whose workers compute: its address, or its scheduler file.",
            metavar="tcp://...|FILE",
            rich_help_panel=WORKERS,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            help="Optuna's storage: sqlite (default) or journal in the study, a journal's path, or a database's URL.",
            metavar="WHERE",
            rich_help_panel=WORKERS,
        ),
    ] = None,
    input_type: options.InputType = None,
    weights: options.Weights = None,
    config: Config = None,  # noqa: ARG001  # its callback sets the flags
    part: options.Part = options.DEFAULT.part,
    clock: options.Clock = options.DEFAULT.clock_ns,
    io: options.Io = None,
    strategy: options.StrategyOption = Strategy.LATENCY,
    reuse: options.Reuse = 1,
    backend: options.Backend = BackendName.VITIS,
    fifo: options.Fifo = None,
    settings: options.Set = None,
    softmax: options.Softmax = "logits",
    fold: options.Fold = True,  # noqa: FBT002  # typer needs a positional bool
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Search bit widths, strategies, reuse factors, io type and pruning of a float network for a Pareto front.

    Every point is computed bit for bit on the validation events, and its hardware is estimated. If the command is
    killed, the same command continues the search and gives the same points.
    Exit status 0: points meet the limits; 1: no point does, or a converted point fails a check.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import progress, show, study_shown

    if trials is not None and duration is not None:
        raise UsageError(what=f"--trials {trials} and --for {duration} exclude each other")
    if workers is not None and scheduler is not None:
        raise UsageError(what="--workers starts processes on this machine, and excludes --scheduler")
    fixed = options.flags_given(context, strategy="--strategy", reuse="--reuse", settings="--set")
    layers = options.layer_settings(settings)
    with study_shown(quiet=quiet or json) as watch:
        record = api.explore(
            model,
            data,
            output,
            trials=trials,
            seconds=None if duration is None else limits.parse_duration("--for", duration),
            objectives=",".join(objectives) if objectives else None,
            max_latency_ns=limits.parse_time("--max-latency", max_latency),
            max_interval_ns=limits.parse_time("--max-interval", max_interval),
            max_utilization=limits.parse_share("--max-util", max_util),
            sure=sure,
            bits=bits,
            search=search,
            io=io,
            strategy=strategy if fixed or strategy is not Strategy.LATENCY else None,
            reuse=reuse if fixed or reuse != 1 else None,
            reuse_of=layers["reuse_of"] or None,
            strategy_of=layers["strategy_of"] or None,
            part=part,
            clock_ns=clock,
            backend=backend,
            fifo=fifo,
            softmax=softmax,
            fold=fold,
            input_type=input_type,
            weights=weights,
            test=test,
            seed=seed,
            sampler=sampler,
            workers=workers,
            scheduler=scheduler,
            storage=storage,
            tune=tune,
            epochs=epochs,
            convert_front=convert_front,
            scale_filters=scale_filters,
            progress=progress(quiet=quiet or json),
            watch=watch,
        )
    if json:
        typer.echo(record.to_json())
    elif not quiet:
        from fpgacnn.reporting.terminal.exploring import study_report

        show(study_report(record))
    return 0 if record.holds else 1
