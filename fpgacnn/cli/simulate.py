"""`fpgacnn simulate`: run events through an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def simulate(
    source: Annotated[Path, typer.Argument(help="Project folder or model file.", metavar="PROJECT|MODEL")],
    input: Annotated[Path, typer.Option("--input", help="Events: .npz with input_0, ... or one .npy.", metavar="X")],  # noqa: A002  # the flag's name
    engine: Annotated[str, typer.Option("--engine", help="emulator or csim.", metavar="NAME")] = "emulator",
    output: Annotated[Path | None, typer.Option("--output", help="Write output_0, ... here as float64.", metavar="Y.npz")] = None,
    trace: Annotated[Path | None, typer.Option("--trace", help="Write every node's result here.", metavar="T.npz")] = None,
    input_type: options.InputType = None,
    bits: options.Bits = None,
    weights: options.Weights = None,
    softmax: options.Softmax = "logits",
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer's way
    quiet: options.Quiet = False,  # noqa: FBT002  # typer's way
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Run events through the hardware's arithmetic and write the outputs."""
    from fpgacnn.arrays import write_arrays
    from fpgacnn.cli.console import out, progress, show_json
    from fpgacnn.errors import UnknownNameError, printable
    from fpgacnn.flow.request import Request
    from fpgacnn.flow.stages import simulate as run
    from fpgacnn.quantization import SoftmaxChoice
    from fpgacnn.quantization.widths import parse_widths

    if softmax not in set(SoftmaxChoice):
        raise UnknownNameError(what="softmax choice", name=softmax, known=", ".join(SoftmaxChoice))
    request = Request(
        model=source, weights=weights, input_type=input_type, softmax=SoftmaxChoice(softmax), widths=parse_widths(bits) if bits else None, seconds=timeout
    )
    result = run(source, input, engine, request, trace=trace is not None, progress=progress(quiet=quiet or json))
    outputs = {f"output_{number}": codes.values for number, codes in enumerate(result.outputs.values())}
    if output:
        write_arrays(output, outputs)
    if trace:
        write_arrays(trace, {name: codes.values for name, codes in result.trace.items()})
    document = {
        "schema": 1,
        "engine": result.engine,
        "events": result.events,
        "outputs": [
            {"name": name, "shape": codes.array.shape[1:], "format": str(codes.format), "min": float(codes.values.min()), "max": float(codes.values.max())}
            for name, codes in result.outputs.items()
        ],
        "written": [str(path) for path in (output, trace) if path],
    }
    if json:
        show_json(document)
    elif not quiet:
        console = out()
        console.print(f"{result.events:,} events through the {result.engine}")
        for name, codes in result.outputs.items():
            console.print(f"{name}: {codes.format}, from {codes.values.min():g} to {codes.values.max():g}")
        for path in (output, trace):
            if path:
                console.print(f"written: {printable(path)}", markup=False)
    return 0
