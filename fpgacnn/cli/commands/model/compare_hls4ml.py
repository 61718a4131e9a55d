"""`fpgacnn compare-hls4ml`: hls4ml's default recipe and fpgacnn on the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.api.names import BackendName
from fpgacnn.api.ranges import COMPARED_EVENTS
from fpgacnn.cli import options


def compare_hls4ml(
    model: Annotated[Path, typer.Argument(help="Trained model: .h5, .keras, JSON, or .onnx (ONNX, QONNX).")],
    input: Annotated[  # noqa: A002  # the flag's name
        Path,
        typer.Option("--input", help="Events: .npz with input_0, input_1, ... (and labels), or one .npy.", metavar="X"),
    ],
    output: options.ReportFile = None,
    events: Annotated[
        int,
        typer.Option("--events", min=1, help="Most events that both tools run; fewer of large networks.", metavar="N"),
    ] = COMPARED_EVENTS,
    input_type: options.InputType = None,
    bits: options.Bits = None,
    calibrate: options.Calibrate = None,
    sqnr: options.Sqnr = 40.0,
    weights: options.Weights = None,
    part: options.Part = options.DEFAULT.part,
    clock: options.Clock = options.DEFAULT.clock_ns,
    io: options.OwnIo = None,
    backend: options.Backend = BackendName.VITIS,
    timeout: options.Timeout = 900.0,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: ARG001, FBT002  # read by main
) -> int:
    """Run hls4ml's documented default recipe and fpgacnn on the same file, and compare both with the file's framework.

    The recipe is config_from_keras_model(granularity='name'), convert_from_keras_model, compile, predict and trace;
    for ONNX, qonnx cleans the graph first, and the functions have onnx in their names. It runs in a process of its own
    with limits. A file of Keras needs the extra `train` (TensorFlow, which loads the file), one of ONNX needs qonnx
    and onnxruntime. A float network gets its widths from the events in fpgacnn, unless --bits or --calibrate is given;
    hls4ml gives it fixed<16,6>. Exit status 0: fpgacnn converts the file, and its comparisons hold; 1: they do not; 2:
    the file is refused; 3: a tool is missing.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import out, plain_text, progress, show

    record = api.compare_hls4ml(
        model,
        input,
        output=output,
        events=events,
        input_type=input_type,
        bits=bits,
        calibrate=calibrate,
        sqnr_db=sqnr,
        weights=weights,
        part=part,
        clock_ns=clock,
        io=io,
        backend=backend,
        timeout_s=timeout,
        progress=progress(quiet=quiet or json),
    )
    if json:
        typer.echo(record.to_json())
    elif output and not quiet:
        out().print(f"written: {plain_text(output)}")
    elif not quiet:
        from fpgacnn.reporting.terminal.tables import hls4ml_report

        show(hls4ml_report(record))
    return 0 if record.holds else 1
