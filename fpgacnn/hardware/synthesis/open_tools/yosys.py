"""Map the RTL of a project to the primitives of a family with Yosys; results are cached by all that decides them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgacnn.design.project import TOP, write_files
from fpgacnn.errors import SynthesisLeftNothingError
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.synthesis.open_tools.documents import FOLDER, NETLIST_FORMAT, NetlistDocument, text_of
from fpgacnn.hardware.synthesis.open_tools.families import synthesis_command, yosys_family
from fpgacnn.hardware.synthesis.open_tools.programs import YOSYS, OpenProgram, find_program
from fpgacnn.hardware.synthesis.open_tools.runs import remembered, result_of, run_tool
from fpgacnn.hardware.synthesis.open_tools.sources import Sources, read_sources
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.output import write_atomically

REPORT, LOG = f"{FOLDER}/yosys.rpt", f"{FOLDER}/yosys.log"
SCOPES = "$scopeinfo"
"""A cell of Yosys that only names a part of the source."""

SCRIPT, COUNTS, NETLIST = "script.ys", "counts.json", "netlist.json"

_STEP = re.compile(r"\d+\.\d+\. Executing ")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """What to build: a project, a whole name of a part, whether multipliers of the part may be used, and a limit.

    `tool` is the one that the user named; `again` leaves out what is remembered of earlier runs.
    """

    folder: Path
    part: str
    dsp: bool
    seconds: float
    tool: str
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedDesign:
    """A netlist of Yosys: its report, and for ECP5 the netlist itself, which nextpnr reads."""

    document: NetlistDocument
    content: bytes


def map_design(wanted: OpenRun, tell: Callable[[str], None]) -> MappedDesign:
    """Run Yosys on the RTL of a project, and write its report there.

    Raises RtlNeededError, OpenPartError, UnknownPartError, OpenToolMissingError, SynthesisFailedError,
    SynthesisLeftNothingError, ToolTimeoutError, WriteError.
    """
    sources = read_sources(wanted.folder, wanted.tool)
    family = yosys_family(find_device(wanted.part), wanted.tool)
    with temporary_folder("fpgacnn-yosys-") as here:
        program = find_program(YOSYS, here)
        script = _script(sources, family, dsp=wanted.dsp)
        counts, netlist = remembered(
            "yosys",
            (program.version, sources.digest, script),
            lambda: _mapped(program, here, sources, script, wanted, tell),
            again=wanted.again,
        )
    document = NetlistDocument(
        format=NETLIST_FORMAT,
        tool=program.name,
        version=program.version,
        design=TOP,
        part=wanted.part,
        family=family,
        dsp=wanted.dsp,
        sources=sources.digest,
        cells=_counts(counts, wanted),
    )
    write_atomically(wanted.folder / REPORT, text_of(document).encode())
    return MappedDesign(document=document, content=netlist)


def _script(sources: Sources, family: str, *, dsp: bool) -> str:
    """The script of Yosys; all names in it are of our own choice."""
    netlist = [f"write_json {NETLIST}"] if family == "ecp5" else []
    lines = [
        f"read_verilog -sv {' '.join(sources.files)}",
        synthesis_command(family, TOP, dsp=dsp),
        f"tee -q -o {COUNTS} stat -json",
        *netlist,
    ]
    return "".join(f"{line}\n" for line in lines)


def _mapped(
    program: OpenProgram, here: Path, sources: Sources, script: str, wanted: OpenRun, tell: Callable[[str], None]
) -> tuple[bytes, ...]:
    """The counts of Yosys, and the netlist or nothing."""
    write_files(here, {**sources.files, SCRIPT: script.encode()})
    words = [SCRIPT] if program.runs_scripts_only else ["-q", "-s", SCRIPT]
    log = wanted.folder / LOG
    run_tool(
        program,
        words,
        here,
        seconds=wanted.seconds,
        log=log,
        tell=tell,
        shown=_STEP,
        named=sources.named,
    )
    netlist = result_of(here / NETLIST, program, log) if NETLIST in script else b""
    return result_of(here / COUNTS, program, log), netlist


def _counts(answer: bytes, wanted: OpenRun) -> dict[str, int]:
    """How often each primitive occurs, by `stat -json`."""
    try:
        found: Any = json.loads(answer)["design"]["num_cells_by_type"]
        return {str(name): int(count) for name, count in found.items() if name != SCOPES}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = "its counts of cells cannot be read"
        raise SynthesisLeftNothingError(tool="Yosys", why=why, log=wanted.folder / LOG) from error
