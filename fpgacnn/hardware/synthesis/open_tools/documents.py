"""The reports that fpgacnn writes of runs of Yosys and nextpnr, as JSON documents in the project folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fpgacnn.errors import ReportBrokenError
from fpgacnn.hardware.devices import find
from fpgacnn.hardware.synthesis.figures import Origin, Resources, Stage, TimingPath
from fpgacnn.hardware.synthesis.open_tools.families import counted
from fpgacnn.hardware.synthesis.report import TimingReport, Utilization
from fpgacnn.system.codec import Codec, DecodeError
from fpgacnn.system.files.regular import read_regular_text

FOLDER = "open_prj"
"""Folder of the open tools in a project."""

NETLIST_FORMAT, ROUTED_FORMAT = "fpgacnn netlist 1", "fpgacnn routed design 2"
MAX_DOCUMENT_BYTES = 16 << 20
CODEC = Codec(max_integer=1 << 40, max_float=1e9)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetlistDocument:
    """A netlist of Yosys: the part and the family that it was mapped to, and how often each primitive occurs.

    `dsp`: whether multipliers of the part were allowed. `sources` is the digest of the RTL.
    """

    format: str
    tool: str
    version: str
    design: str
    part: str
    family: str
    dsp: bool
    sources: str
    cells: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """How many sites of a kind a routed design uses, and how many there are."""

    used: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedDocument:
    """A design that nextpnr placed and routed.

    `reached_ns` is the shortest clock period; None where no register feeds another one. `out_of_context`: without pins,
    because the package has too few. `constraints` is the SHA-256 of the file with the pins, and `unplaced` counts the
    bits of ports, `port_bits` in all, that it gives no pin. `bitstream` is its file in the project.
    """

    format: str
    tool: str
    version: str
    design: str
    part: str
    dsp: bool
    sources: str
    clock_ns: float
    reached_ns: float | None
    out_of_context: bool
    constraints: str
    port_bits: int
    unplaced: int
    bitstream: str | None
    sites: Mapping[str, Used]
    paths: tuple[TimingPath, ...]


def text_of(document: NetlistDocument | RoutedDocument) -> str:
    """A document as the text of its file."""
    return f"{json.dumps(CODEC.encode(document), indent=1)}\n"


def existing(file: Path, kind: type[T]) -> T | None:
    """The document of an earlier run; None where there is none that can be read."""
    try:
        return _decoded(kind, read_regular_text(file, limit=MAX_DOCUMENT_BYTES), file.name)
    except (OSError, UnicodeDecodeError, ReportBrokenError):
        return None


def read_netlist(text: str, file: str) -> Utilization:
    """The netlist that Yosys made.

    Raises ReportBrokenError.
    """
    document = _decoded(NetlistDocument, text, file)
    origin = Origin(stage=Stage.SYNTH, file=file)
    if min(document.cells.values(), default=0) < 0:
        raise ReportBrokenError(file=file, section="cells", why="a count is negative")
    used, cells = counted(document.family, document.cells, origin)
    return Utilization(
        origin=origin,
        design=document.design,
        version=document.version,
        date=None,
        part=document.part,
        state="Synthesized" if document.dsp else "Synthesized without DSP blocks",
        resources=used,
        available=_available(document.part, origin),
        lut_logic=None if used.lut is None else used.lut - cells.shift_registers - cells.memory_luts,
        lut_memory=cells.shift_registers + cells.memory_luts,
        ramb36=None,
        ramb18=None,
        tool=document.tool,
        cells=cells,
        sources=document.sources,
    )


def read_routed(text: str, file: str) -> tuple[Utilization, TimingReport]:
    """Use and timing of the design that nextpnr routed.

    Raises ReportBrokenError.
    """
    document = _decoded(RoutedDocument, text, file)
    origin = Origin(stage=Stage.IMPL, file=file)
    used, has = (_sites(document, origin, column) for column in ("used", "available"))
    reached = document.reached_ns
    slack = None if reached is None else round(document.clock_ns - reached, 4)
    utilization = Utilization(
        origin=origin,
        design=document.design,
        version=document.version,
        date=None,
        part=document.part,
        state="Routed out of context" if document.out_of_context else "Routed",
        resources=used,
        available=has,
        lut_logic=None,
        lut_memory=None,
        ramb36=None,
        ramb18=None,
        tool=document.tool,
        sources=document.sources,
    )
    timing = TimingReport(
        origin=origin,
        design=document.design,
        version=document.version,
        date=None,
        part=document.part,
        worst_setup_slack_ns=slack,
        total_setup_slack_ns=None,
        failing_endpoints=None,
        worst_hold_slack_ns=None,
        worst_pulse_width_slack_ns=None,
        clock_periods_ns={"aclk": document.clock_ns},
        met=None if slack is None else slack >= 0,
        tool=document.tool,
        reached_ns=reached,
        paths=document.paths,
        bitstream=document.bitstream,
    )
    return utilization, timing


def _sites(document: RoutedDocument, origin: Origin, column: str) -> Resources:
    """Sites of a kind: a table, a register, a multiplier and a block of 18 Kb are one site each."""

    def count(name: str) -> int:
        site = document.sites.get(name)
        return 0 if site is None else site.used if column == "used" else site.available

    return Resources(
        origin=origin,
        lut=count("TRELLIS_COMB"),
        ff=count("TRELLIS_FF"),
        dsp=count("MULT18X18D"),
        bram_tiles=count("DP16KD") / 2,
        uram=0,
    )


def _available(part: str, origin: Origin) -> Resources:
    """What the part has; without numbers where the table of parts has no such part."""
    device = find(part)
    if device is None:
        return Resources(origin=origin, lut=None, ff=None, dsp=None)
    return Resources(
        origin=origin,
        lut=device.lut,
        ff=device.ff,
        dsp=device.dsp,
        bram_tiles=float(device.bram_36k),
        uram=device.uram,
    )


def _decoded(kind: type[T], text: str, file: str) -> T:
    try:
        return CODEC.decode(kind, json.loads(text))
    except json.JSONDecodeError as error:
        raise ReportBrokenError(file=file, section="document", why="it is no whole JSON document") from error
    except RecursionError as error:
        raise ReportBrokenError(file=file, section="document", why="it is nested too deeply") from error
    except DecodeError as error:
        raise ReportBrokenError(file=file, section=error.where or "document", why=error.seen) from error
