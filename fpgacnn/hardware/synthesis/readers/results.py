"""What newer Vitis HLS writes about a run of Vivado: `Vivado Synthesis Results`, `Vivado Place & Route Results`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fpgacnn.errors import ReportBrokenError
from fpgacnn.hardware.synthesis.figures import Origin, Stage
from fpgacnn.hardware.synthesis.readers.cells import Cells, date_text
from fpgacnn.hardware.synthesis.readers.cosim import resources_of
from fpgacnn.hardware.synthesis.report import Export

HEADING = re.compile(r"^== Vivado (Place & Route|Synthesis) Results\s*$", re.MULTILINE)

_FIELD = re.compile(r"\s*\* (Date|Version|Target device):\s+(\S.*?)\s*")
_COUNT = re.compile(r"([A-Z]{2,8}):\s+(\S+)\s*")
_PERIOD = re.compile(r"\| (Target|Post-Synthesis|Post-Route|Post-Implementation)\s*\|\s*(\S+)\s*\|\s*")
_VERDICT = re.compile(r"\s*\* Timing was (not )?met\b.*", re.IGNORECASE)
REACHED = {"Synthesis": ("Post-Synthesis",), "Place & Route": ("Post-Route", "Post-Implementation")}
"""Names of the clock period that each run reaches."""


def read_results_rpt(text: str, file: str) -> Export:
    """Resources, the clock periods that were reached, and whether the timing was met.

    Without a verdict the periods decide; None if one of them is unknown.

    Raises ReportBrokenError.
    """
    heading = HEADING.search(text)
    if heading is None:
        raise ReportBrokenError(file=file, section="heading", why="it is missing")
    lines = text[heading.start() :].splitlines()
    usage, timing = Cells(file, f"{heading[1]} Resource Summary"), Cells(file, f"{heading[1]} Timing Summary")
    fields = {found[1]: found[2] for line in lines if (found := _FIELD.fullmatch(line))}
    counts = {found[1]: usage.whole(found[2]) for line in lines if (found := _COUNT.fullmatch(line))}
    origin = Origin(stage=Stage.SYNTH if heading[1] == "Synthesis" else Stage.IMPL, file=file)
    resources = resources_of(counts, origin, usage)
    periods = {found[1]: timing.real(found[2]) for line in lines if (found := _PERIOD.fullmatch(line))}
    if "Target" not in periods:
        raise timing.broken("'Target' is missing; the report ends early")
    reached = REACHED[heading[1]]
    if not any(name in periods for name in reached):
        raise timing.broken(f"'{reached[0]}' is missing; the report ends early")
    verdict = next((found for line in lines if (found := _VERDICT.fullmatch(line))), None)
    return Export(
        origin=origin,
        version=fields.get("Version", "").partition(" ")[0] or None,
        date=date_text(fields.get("Date", "")),
        part=fields.get("Target device"),
        resources=resources,
        slices=counts.get("SLICE"),
        shift_registers=counts.get("SRL"),
        required_ns=periods["Target"],
        achieved_synth_ns=periods.get("Post-Synthesis"),
        achieved_impl_ns=periods.get("Post-Route", periods.get("Post-Implementation")),
        timing_met=verdict[1] is None if verdict else _in_time(periods, reached),
    )


def _in_time(periods: Mapping[str, float | None], reached: Sequence[str]) -> bool | None:
    """Whether the reached period is at most the target."""
    found, target = next(periods[name] for name in reached if name in periods), periods["Target"]
    return None if found is None or target is None else found <= target
