"""The reports of RTL simulation and of export_design with Vivado."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fpgacnn.errors import ReportBrokenError
from fpgacnn.hardware.synthesis.figures import Origin, Resources, Stage
from fpgacnn.hardware.synthesis.readers.cells import NOTHING, Cells, date_text
from fpgacnn.hardware.synthesis.readers.text import parse_table
from fpgacnn.hardware.synthesis.readers.xml import Element, parse_xml
from fpgacnn.hardware.synthesis.report import Cosim, Export

COSIM_FIELD = re.compile(r"(Report time|Solution|Simulation tool) *: (.*)")
EXPORT_FIELD = re.compile(r"(Implementation tool|Project|Solution|Device target|Report date):(.*)")
EXPORT_HEAD = re.compile(r"#=== Post-(Synthesis|Implementation) Resource usage ===")
_COUNT = re.compile(r"([A-Z]+):\s*(\S+)")
_PERIOD = re.compile(r"CP (required|achieved post-synthesis|achieved post-implem\w*):\s*(\S+)")
VERDICTS = {"Timing met": True, "Timing not met": False}


def read_cosim(text: str, file: str) -> Cosim:
    """The language that was simulated, its verdict and cycles.

    Raises ReportBrokenError.
    """
    cells = Cells(file, "Latency and Interval")
    lines = text.splitlines()
    fields = {found[1]: found[2].strip().removesuffix(".") for line in lines if (found := COSIM_FIELD.fullmatch(line))}
    # One line inside the head mixes + and |; only rows of a language matter.
    drawn = [line for line in lines if line.startswith(("+-", "|"))]
    rows = [line for line in drawn if line.lstrip("| ").startswith(("VHDL", "Verilog"))]
    if len(rows) != 2:
        raise cells.broken(f"{len(rows)} rows of languages instead of 2; the report ends early")
    width = rows[0].count("|") - 1
    if width not in (8, 9):
        raise cells.broken(f"{width} columns instead of 8 or 9")
    table = parse_table([drawn[0], f"|{'|' * width}", drawn[0], *rows, drawn[-1]], file, cells.section)
    tried = [row for row in table.rows if row[1].strip() not in NOTHING]
    row = [cell.strip() for cell in (tried or table.rows)[-1]]
    return Cosim(
        origin=Origin(stage=Stage.COSIM, file=file),
        date=date_text(fields.get("Report time", "")),
        solution=fields.get("Solution"),
        language=row[0] if tried else None,
        status=row[1] if tried else None,
        latency_cycles=cells.whole_ends(row[2], row[4]),
        average_latency_cycles=cells.whole(row[3]),
        interval_cycles=cells.whole_ends(row[5], row[7]),
        average_interval_cycles=cells.whole(row[6]),
        total_cycles=cells.whole(row[8]) if width > 8 else None,
    )


def read_export_rpt(text: str, file: str) -> Export:
    """Resources and clock period after Vivado, from the text.

    Raises ReportBrokenError.
    """
    lines = text.splitlines()
    fields = {found[1]: found[2].strip() for line in lines if (found := EXPORT_FIELD.fullmatch(line))}
    head = next((found for line in lines if (found := EXPORT_HEAD.fullmatch(line.strip()))), None)
    if head is None:
        raise ReportBrokenError(file=file, section="Resource usage", why="it is missing; the report ends early")
    usage, timing = Cells(file, "Resource usage"), Cells(file, "Final timing")
    counts = {found[1]: usage.whole(found[2]) for line in lines if (found := _COUNT.fullmatch(line.strip()))}
    periods = {found[1]: timing.real(found[2]) for line in lines if (found := _PERIOD.fullmatch(line.strip()))}
    verdicts = [VERDICTS[line.strip()] for line in lines if line.strip() in VERDICTS]
    after = ["achieved post-impl"] if head[1] == "Implementation" else []
    for name in ("required", "achieved post-synthesis", *after):
        if not any(period.startswith(name) for period in periods):
            raise timing.broken(f"'CP {name}' is missing; the report ends early")
    if not verdicts and None not in periods.values():
        raise timing.broken("the verdict on timing is missing; the report ends early")
    origin = Origin(stage=Stage.SYNTH if head[1] == "Synthesis" else Stage.IMPL, file=file)
    impl = next((value for name, value in periods.items() if "impl" in name), None)
    tool = fields.get("Implementation tool", "")
    return Export(
        origin=origin,
        version=tool.rpartition("v.")[2] or None,
        date=date_text(fields.get("Report date", "")),
        part=fields.get("Device target"),
        resources=resources_of(counts, origin, usage),
        slices=counts.get("SLICE"),
        shift_registers=counts.get("SRL"),
        required_ns=periods["required"],
        achieved_synth_ns=periods.get("achieved post-synthesis"),
        achieved_impl_ns=impl,
        timing_met=verdicts[0] if verdicts else None,
    )


def resources_of(counts: Mapping[str, int | None], origin: Origin, usage: Cells) -> Resources:
    """The resources in a list of counts.

    Raises ReportBrokenError if one is missing.
    """
    missing = next((name for name in ("LUT", "FF", "DSP", "BRAM") if name not in counts), None)
    if missing:
        raise usage.broken(f"'{missing}' is missing; the report ends early")
    return Resources(
        origin=origin,
        lut=counts["LUT"],
        ff=counts["FF"],
        dsp=counts["DSP"],
        bram_18k=counts["BRAM"],
        uram=counts.get("URAM"),
    )


def read_export_xml(text: str, file: str) -> Export:
    """Resources and clock period after Vivado, from XML.

    The file says neither stage nor date; it is counted as synthesis, of which every export is at least.
    Raises ReportBrokenError, ReportRefusedError.
    """
    root = parse_xml(text, file)
    used, timing = root.find("AreaReport", "Resources"), root.find("TimingReport")
    if used is None or timing is None:
        raise ReportBrokenError(
            file=file, section="AreaReport" if used is None else "TimingReport", why="it is missing"
        )
    origin = Origin(stage=Stage.SYNTH, file=file)
    required, achieved = (_real(timing, tag, file) for tag in ("TargetClockPeriod", "AchievedClockPeriod"))
    return Export(
        origin=origin,
        version=None,
        date=None,
        part=None,
        resources=Resources(
            origin=origin,
            lut=_count(used, "LUT", file),
            ff=_count(used, "FF", file),
            dsp=_count(used, "DSP", file),
            bram_18k=_count(used, "BRAM", file),
            uram=_count(used, "URAM", file),
        ),
        slices=_count(used, "SLICE", file),
        shift_registers=_count(used, "SRL", file),
        required_ns=required,
        achieved_synth_ns=achieved,
        achieved_impl_ns=None,
        timing_met=None if required is None or achieved is None else achieved <= required,
    )


def _count(element: Element, tag: str, file: str) -> int | None:
    found = element.find(tag)
    return Cells(file, tag).whole(found.text) if found else None


def _real(element: Element, tag: str, file: str) -> float | None:
    found = element.find(tag)
    return Cells(file, tag).real(found.text) if found else None
