"""`fpgacnn synth`: run the vendor's tool, read its reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options

STEPS = "Steps"


def synth(
    project: Annotated[Path, typer.Argument(help="Folder of an hls4ml project; fpgacnn need not have made it.")],
    csim: Annotated[  # noqa: FBT002  # typer's way
        bool, typer.Option("--csim", help="The tool's own C simulation too.", rich_help_panel=STEPS)
    ] = False,  # typer's way
    cosim: Annotated[  # noqa: FBT002  # typer's way
        bool,
        typer.Option(
            "--cosim", help="RTL simulation too; with --csim the results are compared.", rich_help_panel=STEPS
        ),
    ] = False,  # typer's way
    vsynth: Annotated[  # noqa: FBT002  # typer's way
        bool,
        typer.Option(
            "--vsynth", help="Vivado's logic synthesis too, for resources as they will be.", rich_help_panel=STEPS
        ),
    ] = False,  # typer's way
    export: Annotated[bool, typer.Option("--export", help="An IP for Vivado too.", rich_help_panel=STEPS)] = False,  # noqa: FBT002  # typer's way
    read_only: Annotated[  # noqa: FBT002  # typer's way
        bool, typer.Option("--read-only", help="Start no tool; read the reports that are there.")
    ] = False,  # typer's way
    again: Annotated[  # noqa: FBT002  # typer's way
        bool, typer.Option("--again", help="Run the tool even where reports of this project are there.")
    ] = False,  # typer's way
    tool: Annotated[
        str | None,
        typer.Option(
            "--tool", help="vitis-run, vitis_hls or vivado_hls, or the path of one (also FPGACNN_HLS).", metavar="NAME"
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds that the tool may take.", metavar="S")
    ] = 86_400.0,
    json: options.Json = False,  # noqa: FBT002  # typer's way
    quiet: options.Quiet = False,  # noqa: FBT002  # typer's way
    verbose: options.Verbose = False,  # noqa: FBT002  # read by main too
) -> int:
    """Run Vitis HLS or Vivado HLS on a project and read what it left; reports that are there already are only read.

    Exit status 0: done; 1: does not fit, too slow in Vivado, or RTL simulation failed; 2: broken reports; 3: no tool, or it failed.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import follow, show

    with follow(quiet=quiet or json, verbose=verbose) as tell:
        found = api.synth(
            project,
            csim=csim,
            cosim=cosim,
            vsynth=vsynth,
            export=export,
            read_only=read_only,
            again=again,
            tool=tool,
            timeout_s=timeout,
            tell=tell,
        )
    if json:
        typer.echo(api.synthesis_document(project, found))
    elif not quiet:
        from fpgacnn.reporting.terminal.synthesis import synthesis_report

        show(synthesis_report(found))
    return 0 if found.holds else 1
