"""`fpgacnn synth`: run a synthesis tool and read its reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options

STEPS = "Steps of HLS"
OPEN = "Yosys and nextpnr"


def synth(
    project: Annotated[Path, typer.Argument(help="Folder of a project of fpgacnn, or of any hls4ml project.")],
    csim: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool, typer.Option("--csim", help="Run the tool's own C simulation too.", rich_help_panel=STEPS)
    ] = False,
    cosim: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--cosim", help="Run RTL simulation too; with --csim the results are compared.", rich_help_panel=STEPS
        ),
    ] = False,
    vsynth: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option(
            "--vsynth",
            help="Run Vivado's logic synthesis too, for the resources of the netlist.",
            rich_help_panel=STEPS,
        ),
    ] = False,
    export: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool, typer.Option("--export", help="Export an IP for Vivado too.", rich_help_panel=STEPS)
    ] = False,
    read_only: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool, typer.Option("--read-only", help="Start no tool; read the reports that exist.")
    ] = False,
    again: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool, typer.Option("--again", help="Run the tool even if reports of this project exist.")
    ] = False,
    tool: Annotated[
        str | None,
        typer.Option(
            "--tool",
            help="vitis-run, vitis_hls, vivado_hls, or its path (also FPGACNN_HLS); for RTL yosys, nextpnr, vivado.",
            metavar="NAME",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", help="Another part than the project's.", metavar="PART", rich_help_panel=OPEN),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(
            "--clock", help="Another clock period than the project's, in ns.", metavar="NS", rich_help_panel=OPEN
        ),
    ] = None,
    no_dsp: Annotated[  # noqa: FBT002  # typer needs a positional bool
        bool,
        typer.Option("--no-dsp", help="Build multipliers of look-up tables.", rich_help_panel=OPEN),
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Time limit of the tool in seconds.", metavar="S")
    ] = 86_400.0,
    json: options.Json = False,  # noqa: FBT002  # typer needs a positional bool
    quiet: options.Quiet = False,  # noqa: FBT002  # typer needs a positional bool
    verbose: options.Verbose = False,  # noqa: FBT002  # read by main too
) -> int:
    """Run a synthesis tool on a project and read its reports; if complete reports exist, only read them.

    An HLS project runs in Vitis HLS or Vivado HLS. An RTL project is mapped to a part's primitives by Yosys, and for
    ECP5 parts placed and routed by nextpnr, which writes a bitstream; with --tool vivado, Vivado places and routes it
    out of context.

    Exit status 0: done; 1: it does not fit, misses the clock, or RTL simulation failed; 2: broken reports;
    3: no tool, or the tool failed.
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
            part=part,
            clock_ns=clock,
            dsp=not no_dsp,
            timeout_s=timeout,
            tell=tell,
        )
    if json:
        typer.echo(api.synthesis_document(project, found))
    elif not quiet:
        from fpgacnn.reporting.terminal.synthesis import synthesis_report

        show(synthesis_report(found))
    return 0 if found.holds else 1
