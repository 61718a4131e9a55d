"""`fpgacnn simulate`: run events through an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def simulate(
    source: Annotated[Path, typer.Argument(help="Project folder or model file.", metavar="PROJECT|MODEL")],
    input: Annotated[  # noqa: A002  # the flag's name
        Path,
        typer.Option(
            "--input", help="Events: .npz with input_0, ... or one .npy; their number is not limited.", metavar="X"
        ),
    ],  # the flag's name
    engine: Annotated[str, typer.Option("--engine", help="emulator, csim or rtl.", metavar="NAME")] = "emulator",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write output_0, ... to this file as float64.", metavar="Y.npz"),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Write the result of every node to this file.", metavar="T.npz")
    ] = None,
    stats: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--stats",
            help="Show every node's range, counts of wraps, saturations and ties, and shares that rounding loses.",
        ),
    ] = False,  # typer needs a positional bool
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Write distributions of all weights and results to this file: .html, or .svg or .png (matplotlib).",
            metavar="FILE",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, help="Threads of the emulator (default: one for each processor).", metavar="N"
        ),
    ] = None,
    input_type: options.InputType = None,
    bits: options.Bits = None,
    calibrate: options.Calibrate = None,
    sqnr: options.Sqnr = 40.0,
    weights: options.Weights = None,
    softmax: options.Softmax = "logits",
    fold: options.Fold = True,  # noqa: FBT002  # typer needs a positional bool
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Run events through the integer arithmetic of the hardware and write the outputs."""
    from fpgacnn import api
    from fpgacnn.cli.console import bar, out, progress, show, show_json
    from fpgacnn.errors import printable
    from fpgacnn.reporting.terminal.simulation import profile_table, ranges_table

    with bar("events", quiet=quiet or json) as advance:
        result = api.simulate_to_files(
            source,
            input,
            engine=engine.lower(),
            output=output,
            trace=trace,
            stats=stats,
            plot=plot,
            threads=threads,
            timeout_s=timeout,
            progress=progress(quiet=quiet or json),
            advance=advance,
            input_type=input_type,
            bits=bits,
            calibrate=calibrate,
            sqnr_db=sqnr,
            weights=weights,
            softmax=softmax,
            fold=fold,
        )
    stats = stats or plot is not None
    written = [path for path in (output, trace, plot) if path]
    if json:
        outputs = [
            {"name": one.name, "shape": one.shape, "format": one.format, "min": one.least, "max": one.most}
            for one in result.outputs
        ]
        document = {
            "schema": 1,
            "engine": result.engine,
            "emulator": result.words,
            "events": result.events,
            "seconds": result.seconds,
            "outputs": outputs,
            "notes": result.notes,
        }
        show_json(
            {**document, **({"layers": result.layers, "profile": result.profile} if stats else {}), "written": written}
        )
    elif not quiet:
        console = out()
        rate = f", {result.events / result.seconds:,.0f} a second" if result.seconds else ""
        console.print(
            f"{result.events:,} events through the {result.engine} ({result.words}) in {result.seconds:.2f} s{rate}",
            markup=False,
        )
        for one in result.outputs:
            console.print(f"{one.name}: {one.format}, from {one.least:g} to {one.most:g}")
        if stats:
            show([ranges_table(result.layers), *([profile_table(result.profile)] if result.profile else [])])
        for note in result.notes:
            console.print(f"note: {printable(note)}", markup=False)
        for path in written:
            console.print(f"written: {printable(path)}", markup=False)
    return 0
