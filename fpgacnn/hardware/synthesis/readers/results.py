"""What newer Vitis HLS writes about a run of Vivado: `Vivado Synthesis Results`, `Vivado Place & Route Results`."""

from __future__ import annotations

import re

from fpgacnn.errors import ReportBrokenError
from fpgacnn.hardware.synthesis.figures import Origin, Resources, Stage
from fpgacnn.hardware.synthesis.readers.cells import Cells, date_text
from fpgacnn.hardware.synthesis.report import Export

HEADING = re.compile(r"^== Vivado (Place & Route|Synthesis) Results\s*$", re.MULTILINE)

_FIELD = re.compile(r"\s*\* (Date|Version|Target device):\s+(\S.*?)\s*")
_COUNT = re.compile(r"([A-Z]{2,8}):\s+(\S+)\s*")
_PERIOD = re.compile(r"\| (Target|Post-Synthesis|Post-Route|Post-Implementation)\s*\|\s*(\S+)\s*\|\s*")
_VERDICT = re.compile(r"\s*\* Timing was (not )?met\b.*", re.IGNORECASE)
NEEDED = ("LUT", "FF", "DSP", "BRAM")


def read_results_rpt(text: str, file: str) -> Export:
    """Resources, the clock periods that were reached, and whether the timing was met; None if there is no verdict.

    Raises ReportBrokenError.
    """
    heading = HEADING.search(text)
    if heading is None:
        raise ReportBrokenError(file=file, section="heading", why="it is missing")
    lines = text[heading.start() :].splitlines()
    usage, timing = Cells(file, f"{heading[1]} Resource Summary"), Cells(file, f"{heading[1]} Timing Summary")
    fields = {found[1]: found[2] for line in lines if (found := _FIELD.fullmatch(line))}
    counts = {found[1]: usage.whole(found[2]) for line in lines if (found := _COUNT.fullmatch(line))}
    periods = {found[1]: timing.real(found[2]) for line in lines if (found := _PERIOD.fullmatch(line))}
    missing = next((name for name in NEEDED if name not in counts), None)
    if missing:
        raise usage.broken(f"'{missing}' is missing; the report ends early")
    if "Target" not in periods:
        raise timing.broken("'Target' is missing; the report ends early")
    verdict = next((found for line in lines if (found := _VERDICT.fullmatch(line))), None)
    origin = Origin(stage=Stage.SYNTH if heading[1] == "Synthesis" else Stage.IMPL, file=file)
    return Export(
        origin=origin,
        version=fields.get("Version", "").partition(" ")[0] or None,
        date=date_text(fields.get("Date", "")),
        part=fields.get("Target device"),
        resources=Resources(
            origin=origin,
            lut=counts["LUT"],
            ff=counts["FF"],
            dsp=counts["DSP"],
            bram_18k=counts["BRAM"],
            uram=counts.get("URAM"),
        ),
        slices=counts.get("SLICE"),
        shift_registers=counts.get("SRL"),
        required_ns=periods["Target"],
        achieved_synth_ns=periods.get("Post-Synthesis"),
        achieved_impl_ns=periods.get("Post-Route", periods.get("Post-Implementation")),
        timing_met=verdict[1] is None if verdict else None,
    )
