"""Options that several commands share, each declared once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeAlias, TypedDict

import typer

from fpgacnn.api.names import BackendName, IoType, Multiplier, Strategy, Target
from fpgacnn.cli.config import with_file
from fpgacnn.errors import UsageError

TARGET, PROOF = "Target", "Proof"

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show more: the reason of every width, the traceback of an internal error."),
]
Weights: TypeAlias = Annotated[
    Path | None, typer.Option("--weights", help="HDF5 weights of an architecture JSON.", metavar="FILE")
]
Input: TypeAlias = Annotated[
    Path | None,
    typer.Option("--input", help="Events: .npz with input_0, input_1, ... (and labels), or one .npy.", metavar="X"),
]
InputType: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--input-type",
        help="Fixed-point type of the inputs, e.g. 'ufixed<8,0>'.",
        metavar="TYPE",
        rich_help_panel=TARGET,
    ),
]
Part: TypeAlias = Annotated[
    str, typer.Option("--part", help="FPGA part, or a board such as zcu102.", rich_help_panel=TARGET)
]
UnlistedPart: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--unlisted-part", help="Accept a part that is not in the table, without an estimate.", rich_help_panel=TARGET
    ),
]
_CLOCK = typer.Option("--clock", help="Clock period in ns.", metavar="NS", rich_help_panel=TARGET)
Clock: TypeAlias = Annotated[float, _CLOCK]
Board: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--board",
        help="Board, for example pynq-z2: part and clock are its own; wrapper, scripts and drivers are written.",
        metavar="NAME",
        rich_help_panel=TARGET,
    ),
]
Io: TypeAlias = Annotated[
    IoType | None,
    typer.Option(
        "--io",
        help="stream: pixel by pixel, the default, as it takes images of any size with small code and little logic;"
        " parallel: all values of an event at once, faster for small networks, and the default for what hls4ml cannot"
        " stream.",
        show_default="stream",
        case_sensitive=False,
        rich_help_panel=TARGET,
    ),
]
_STRATEGY = typer.Option(
    "--strategy",
    help="latency: all products at once; resource: shared multipliers; da: a graph of adders, no multipliers.",
    case_sensitive=False,
    rich_help_panel=TARGET,
)
StrategyOption: TypeAlias = Annotated[Strategy, _STRATEGY]
_REUSE = typer.Option(
    "--reuse", help="Products for each multiplier and result (reuse factor).", metavar="N", rich_help_panel=TARGET
)
Reuse: TypeAlias = Annotated[int, _REUSE]
_BACKEND = typer.Option(
    "--backend",
    help="The synthesis tool that the project is written for.",
    case_sensitive=False,
    rich_help_panel=TARGET,
)
Backend: TypeAlias = Annotated[BackendName, _BACKEND]
Fifo: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--fifo",
        help="Depths of FIFOs (--io stream): auto (the smallest that keep the interval), frame, or a JSON file.",
        metavar="auto|frame|FILE",
        rich_help_panel=TARGET,
    ),
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="LAYER.reuse=N, LAYER.strategy=resource|da or LAYER.multiplier=dsp|lut|auto; repeatable.",
        metavar="LAYER.KEY=VALUE",
        callback=with_file,
        rich_help_panel=TARGET,
    ),
]
OwnPart: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--part", help="FPGA part, or a board such as zcu102 (default: the project's).", rich_help_panel=TARGET
    ),
]
OwnClock: TypeAlias = Annotated[float | None, _CLOCK]
OwnIo: TypeAlias = Annotated[
    IoType | None,
    typer.Option(
        "--io",
        help="parallel: all values of an event at once; stream: pixel by pixel.",
        case_sensitive=False,
        rich_help_panel=TARGET,
    ),
]
OwnStrategy: TypeAlias = Annotated[Strategy | None, _STRATEGY]
OwnReuse: TypeAlias = Annotated[int | None, _REUSE]
OwnBackend: TypeAlias = Annotated[BackendName | None, _BACKEND]
Softmax: TypeAlias = Annotated[
    str,
    typer.Option(
        "--softmax",
        help="A final softmax: keep, argmax, or logits (the softmax is left out).",
        metavar="CHOICE",
        rich_help_panel=TARGET,
    ),
]
Bits: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--bits",
        help="For float networks: bits (and integer bits) of weights and activations.",
        metavar="W[,I]",
        rich_help_panel=TARGET,
    ),
]
Calibrate: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--calibrate",
        help="For float networks: real events to choose widths on, or with --bits ranges.",
        metavar="X",
        rich_help_panel=TARGET,
    ),
]
Sqnr: TypeAlias = Annotated[
    float,
    typer.Option(
        "--sqnr",
        help="With --calibrate: smallest ratio of signal to quantization noise.",
        metavar="DB",
        rich_help_panel=TARGET,
    ),
]
Fold: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--fold/--no-fold",
        help="Layers that only cast (quantizers, ReLU) become the result type of the layer before, where exact; "
        "normalizations go into the weights behind them, where these cost no more.",
        rich_help_panel=TARGET,
    ),
]
Timeout: TypeAlias = Annotated[
    float,
    typer.Option(
        "--timeout", help="Time limit of g++ and of each simulation in seconds.", metavar="S", rich_help_panel=PROOF
    ),
]
Reference: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--reference",
        help="Framework that also runs the file: auto (its own, if installed; the default), keras, onnx or none.",
        metavar="NAME",
        rich_help_panel=PROOF,
    ),
]
Golden: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--golden", help="Folder of the golden vectors (default: PROJECT.golden, beside the project).", metavar="DIR"
    ),
]

ReportFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the report to this file; the suffix gives the format: .html, .md, .csv or .json.",
        metavar="FILE",
    ),
]

DEFAULT = Target()


class LayerSettings(TypedDict):
    """Reuse factors, strategies and multipliers of single layers, as keyword arguments of the API."""

    reuse_of: dict[str, int]
    strategy_of: dict[str, str]
    multiplier_of: dict[str, str]


def layer_settings(settings: list[str] | None) -> LayerSettings:
    """Reuse factors, strategies and multipliers of single layers, from `--set`.

    Raises UsageError.
    """
    reuse_of: dict[str, int] = {}
    strategy_of: dict[str, str] = {}
    multiplier_of: dict[str, str] = {}
    for setting in settings or []:
        layer, key, value = _split(setting)
        match key:
            case "reuse" if re.fullmatch(r"[0-9]{1,9}", value):
                reuse_of[layer] = int(value)
            case "strategy" if value.lower() in set(Strategy):
                strategy_of[layer] = value.lower()
            case "multiplier" if value.lower() in set(Multiplier):
                multiplier_of[layer] = value.lower()
            case _:
                raise UsageError(
                    what=f"--set {setting}: only LAYER.reuse=N, LAYER.strategy=latency|resource|da and"
                    " LAYER.multiplier=dsp|lut|auto can be set"
                )
    return {"reuse_of": reuse_of, "strategy_of": strategy_of, "multiplier_of": multiplier_of}


def _split(setting: str) -> tuple[str, str, str]:
    name, equals, value = setting.partition("=")
    layer, dot, key = name.rpartition(".")
    if not (equals and dot and layer):
        raise UsageError(what=f"--set {setting}: expected LAYER.KEY=VALUE")
    return layer, key.lower(), value


def flags_given(context: typer.Context, **flags: str) -> list[str]:
    """The parameters among these whose flags are on the command line."""
    found = ((flag, context.get_parameter_source(name)) for name, flag in flags.items())
    return [flag for flag, source in found if source is not None and source.name == "COMMANDLINE"]


def given_in_file(context: typer.Context, *names: str) -> set[str]:
    """The parameters among these that the file of `--config` gives."""
    return {
        name
        for name in names
        if (source := context.get_parameter_source(name)) is not None and source.name == "DEFAULT_MAP"
    }
