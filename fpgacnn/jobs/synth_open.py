"""Synthesize an RTL project with open tools: Yosys for a netlist, nextpnr for a routed ECP5 and its bitstream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fpgacnn.design import serialize
from fpgacnn.design.project import RECORD
from fpgacnn.errors import UsageError
from fpgacnn.hardware.devices import completed, find_device
from fpgacnn.hardware.devices.ecp5 import ecp5_of
from fpgacnn.hardware.synthesis.open_tools import nextpnr, yosys
from fpgacnn.hardware.synthesis.open_tools.constraints import PINS, digest_of, read_constraints
from fpgacnn.hardware.synthesis.open_tools.documents import NetlistDocument, RoutedDocument, existing
from fpgacnn.hardware.synthesis.open_tools.sources import has_rtl, read_sources
from fpgacnn.hardware.synthesis.open_tools.yosys import OpenRun


class OpenTool(StrEnum):
    """The open tools, as `--tool` names them."""

    YOSYS = "yosys"
    NEXTPNR = "nextpnr"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """Options of open tools: another part or clock than the project's, and no multipliers of the part."""

    part: str | None = None
    clock_ns: float | None = None
    dsp: bool = True

    @property
    def given(self) -> bool:
        """Whether the user gave one of them."""
        return self != OpenOptions()


def open_tool(folder: Path, tool: str | None, options: OpenOptions) -> OpenTool | None:
    """The open tool that `--tool` names, else the one for the part of an RTL project; None for the vendor's tools.

    Raises UsageError for options of open tools beside another tool, UnknownPartError.
    """
    named = next((one for one in OpenTool if one == tool), None)
    if named is not None:
        return named
    if tool is None and has_rtl(folder):
        family = find_device(_target(folder, options)[0]).family
        return OpenTool.NEXTPNR if family == "ecp5" else OpenTool.YOSYS
    if options.given:
        raise UsageError(what="--part, --clock and --no-dsp are for --tool yosys and --tool nextpnr")
    return None


def _target(folder: Path, options: OpenOptions) -> tuple[str, float]:
    """Part and clock period: the user's, else the project's.

    Raises UsageError, UnknownPartError, ProjectError.
    """
    if options.clock_ns is not None and not 0 < options.clock_ns < float("inf"):
        raise UsageError(what=f"a clock period cannot be {options.clock_ns:g} ns")
    part, clock_ns = options.part, options.clock_ns
    if part is None or clock_ns is None:
        if not (folder / RECORD).is_file():
            raise UsageError(what=f"{folder} was not written by fpgacnn: give --part and --clock")
        target = serialize.load(folder)[0].target
        part = target.part if part is None else part
        clock_ns = target.clock_ns if clock_ns is None else clock_ns
    return completed(part)[0], clock_ns


def run_open(
    folder: Path,
    tool: OpenTool,
    options: OpenOptions,
    *,
    seconds: float,
    again: bool,
    tell: Callable[[str], None],
) -> tuple[str, ...]:
    """Run a tool where its reports of this RTL do not exist yet; the reports are in the project. Returns notes.

    Raises RtlNeededError, OpenPartError, OpenToolMissingError, UnknownPartError, UsageError, SynthesisFailedError,
    SynthesisLeftNothingError, ToolTimeoutError, ForeignToolError, WriteError.
    """
    sources = read_sources(folder, tool)
    part, clock_ns = _target(folder, options)
    if tool is OpenTool.NEXTPNR:
        ecp5_of(part)
    run = OpenRun(folder=folder, part=part, dsp=options.dsp, seconds=seconds, tool=tool, again=again)
    netlist = existing(folder / yosys.REPORT, NetlistDocument)
    routed = existing(folder / nextpnr.REPORT, RoutedDocument)
    wanted = (sources.digest, part, options.dsp)
    same = [one is not None and (one.sources, one.part, one.dsp) == wanted and not again for one in (netlist, routed)]
    if tool is OpenTool.YOSYS and same[0]:
        return (f"the netlist of this RTL exists and is read; --again runs {tool}",)
    if tool is OpenTool.NEXTPNR and all(same) and routed is not None and _still_routed(folder, routed, clock_ns):
        return (f"the routed design of this RTL exists and is read; --again runs {tool}", *_notes(routed))
    tell(f"{tool} for {part} in {folder}")
    made = yosys.map_design(run, tell)
    if tool is OpenTool.NEXTPNR:
        return _notes(nextpnr.route(run, made, clock_ns, tell))
    return ()


def _still_routed(folder: Path, routed: RoutedDocument, clock_ns: float) -> bool:
    """Whether a routed design is for this clock and these constraints, and its bitstream is still in the project."""
    if (routed.clock_ns, routed.constraints) != (clock_ns, digest_of(read_constraints(folder))):
        return False
    return routed.bitstream is None or (folder / nextpnr.BITSTREAM).is_file()


def _notes(routed: RoutedDocument) -> tuple[str, ...]:
    """What a user must know before the bitstream is loaded."""
    if routed.out_of_context:
        return ("the package has too few pins for all ports: routed out of context, without a bitstream",)
    if routed.unplaced:
        return (f"{routed.unplaced} of {routed.port_bits} port bits have no pin in {PINS}: nextpnr has chosen them",)
    return ()
