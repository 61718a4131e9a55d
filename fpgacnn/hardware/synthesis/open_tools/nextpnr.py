"""Place and route a netlist on an ECP5 with nextpnr, and write its bitstream with ecppack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgacnn.design.project import TOP, write_files
from fpgacnn.errors import SynthesisLeftNothingError
from fpgacnn.hardware.devices.ecp5 import Ecp5, ecp5_of
from fpgacnn.hardware.synthesis.figures import TimingPath
from fpgacnn.hardware.synthesis.open_tools.constraints import digest_of, read_constraints, with_clock, without_pin
from fpgacnn.hardware.synthesis.open_tools.documents import FOLDER, ROUTED_FORMAT, RoutedDocument, Used, text_of
from fpgacnn.hardware.synthesis.open_tools.programs import ECPPACK, NEXTPNR, OpenProgram, find_program
from fpgacnn.hardware.synthesis.open_tools.runs import remembered, result_of, run_tool
from fpgacnn.hardware.synthesis.open_tools.yosys import MappedDesign, OpenRun
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.output import write_atomically

REPORT, LOG, PACK_LOG = f"{FOLDER}/nextpnr.rpt", f"{FOLDER}/nextpnr.log", f"{FOLDER}/ecppack.log"
BITSTREAM = f"{FOLDER}/{TOP}.bit"

NETLIST, ANSWER, CONFIGURATION = "netlist.json", "report.json", "design.config"
CONSTRAINTS, BITS = "pins.lpf", "design.bit"
SEED = 1
SHOWN_PATHS = 5
_PROGRESS = re.compile(r"(Info: (Packing|Placed|Running|Routing|Program finished)|ERROR)")


def route(wanted: OpenRun, netlist: MappedDesign, clock_ns: float, tell: Callable[[str], None]) -> RoutedDocument:
    """Place and route a netlist for a clock period, write report and bitstream into the project.

    Without enough pins the design is routed out of context, and there is no bitstream. A clock that is not reached is
    no error here: the report says so. Raises OpenPartError, OpenToolMissingError, SynthesisFailedError,
    SynthesisLeftNothingError, ToolTimeoutError, FileMissingError, WriteError.
    """
    target = ecp5_of(wanted.part)
    constraints, ports = read_constraints(wanted.folder), _port_bits(netlist)
    routed_with = with_clock(constraints, clock_ns)
    alone = len(ports) > target.pins
    with temporary_folder("fpgacnn-nextpnr-") as here:
        program = find_program(NEXTPNR, here)
        pack = None if alone else find_program(ECPPACK, here)
        words = _words(target, clock_ns, alone=alone)
        answer, bits = remembered(
            "nextpnr",
            (program.version, str(pack), *words, routed_with.decode("utf-8", "replace"), netlist.content.decode()),
            lambda: _routed(program, pack, here, words, netlist, routed_with, wanted, tell),
            again=wanted.again,
        )
    placed = _Ports(
        constraints=digest_of(constraints), bits=len(ports), unplaced=without_pin(constraints, ports), alone=alone
    )
    document = _document(wanted, netlist, program, answer, clock_ns, placed)
    bitstream = wanted.folder / BITSTREAM
    if alone:
        bitstream.unlink(missing_ok=True)
    else:
        write_atomically(bitstream, bits)
    write_atomically(wanted.folder / REPORT, text_of(document).encode())
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ports:
    """Bits of ports and how many have no pin, the digest of the constraints; `alone`: routed without pins."""

    constraints: str
    bits: int
    unplaced: int
    alone: bool


def _port_bits(netlist: MappedDesign) -> tuple[str, ...]:
    """The bits of all ports of the design, with the names that nextpnr gives them: `aclk`, `s_axis_tdata[3]`."""
    ports = json.loads(netlist.content)["modules"][TOP]["ports"]
    return tuple(one for name, port in ports.items() for one in _names(name, port))


def _names(name: str, port: Any) -> list[str]:
    count, offset = len(port["bits"]), int(port.get("offset", 0))
    if count == 1 and offset == 0:
        return [name]
    return [f"{name}[{number}]" for number in range(offset, offset + count)]


def _words(target: Ecp5, clock_ns: float, *, alone: bool) -> list[str]:
    files = ["--json", NETLIST, "--report", ANSWER, "--textcfg", CONFIGURATION]
    pins = ["--out-of-context"] if alone else ["--lpf", CONSTRAINTS, "--lpf-allow-unconstrained"]
    frequency = ["--freq", f"{1000 / clock_ns:.6g}", "--timing-allow-fail", "--seed", str(SEED)]
    return [*target.flags, *frequency, *files, *pins]


def _routed(
    program: OpenProgram,
    pack: OpenProgram | None,
    here: Path,
    words: list[str],
    netlist: MappedDesign,
    constraints: bytes,
    wanted: OpenRun,
    tell: Callable[[str], None],
) -> tuple[bytes, ...]:
    """The report of nextpnr, and the bitstream or nothing."""
    write_files(here, {NETLIST: netlist.content, CONSTRAINTS: constraints})
    log = wanted.folder / LOG
    run_tool(
        program,
        words,
        here,
        seconds=wanted.seconds,
        log=log,
        tell=tell,
        shown=_PROGRESS,
    )
    answer = result_of(here / ANSWER, program, log)
    if pack is None:
        return answer, b""
    run_tool(
        pack,
        ["--compress", "--input", CONFIGURATION, "--bit", BITS],
        here,
        seconds=wanted.seconds,
        log=wanted.folder / PACK_LOG,
        tell=tell,
    )
    return answer, result_of(here / BITS, pack, wanted.folder / PACK_LOG)


def _document(
    wanted: OpenRun,
    netlist: MappedDesign,
    program: OpenProgram,
    answer: bytes,
    clock_ns: float,
    ports: _Ports,
) -> RoutedDocument:
    try:
        report: Any = json.loads(answer)
        reached = [float(clock["achieved"]) for clock in report["fmax"].values()]
        sites = {
            str(name): Used(used=int(site["used"]), available=int(site["available"]))
            for name, site in report["utilization"].items()
        }
        paths = tuple(_paths(report["critical_paths"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        why, log = "its report cannot be read", wanted.folder / LOG
        raise SynthesisLeftNothingError(tool=program, why=why, log=log) from error
    return RoutedDocument(
        format=ROUTED_FORMAT,
        tool=program.name,
        version=program.version,
        design=TOP,
        part=wanted.part,
        dsp=netlist.document.dsp,
        sources=netlist.document.sources,
        clock_ns=clock_ns,
        reached_ns=round(1000 / min(reached), 4) if reached else None,
        out_of_context=ports.alone,
        constraints=ports.constraints,
        port_bits=ports.bits,
        unplaced=ports.unplaced,
        bitstream=None if ports.alone else BITSTREAM,
        sites=sites,
        paths=paths,
    )


def _paths(found: Any) -> Iterator[TimingPath]:
    """The longest paths between registers; those from and to pins depend on what is outside of the part."""
    inside = [one for one in found if "async" not in one["from"] + one["to"] and one["path"]]
    for one in inside[:SHOWN_PATHS]:
        steps = one["path"]
        delay = sum(float(step["delay"]) for step in steps)
        routing = sum(float(step["delay"]) for step in steps if step["type"] == "routing")
        yield TimingPath(
            begin=str(steps[0]["to"]["cell"]),
            end=str(steps[-1]["from"]["cell"] if "from" in steps[-1] else steps[-1]["to"]["cell"]),
            delay_ns=round(delay, 3),
            cells_ns=round(delay - routing, 3),
            levels=sum(step["type"] == "logic" for step in steps),
        )
