"""`<module>_csynth.rpt` of Vivado HLS 2016.4 to 2020.1 and Vitis HLS 2021.1 on: one module, all its tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from fpgacnn.errors import ReportBrokenError, ReportUnknownFormError
from fpgacnn.hardware.synthesis.figures import FloatRange, IntRange, Origin, Resources, Stage
from fpgacnn.hardware.synthesis.readers.cells import Cells, date_text, layer_index, writer_index
from fpgacnn.hardware.synthesis.readers.text import HlsText, ReportTable
from fpgacnn.hardware.synthesis.report import (
    Clock,
    DspBlock,
    FifoReport,
    Instance,
    Interface,
    Loop,
    Memory,
    ModuleReport,
)

TITLE = re.compile(r"(Vivado|Vitis) HLS Report for '(.+)'")
KINDS = ("DSP", "Expression", "FIFO", "Instance", "Memory", "Multiplexer", "Register")
PERFORMANCE, UTILIZATION = "Performance Estimates", "Utilization Estimates"
SCREEN = re.compile(r"^(?:Found \d+ solution\(s\) in |SYNTHESIS REPORT:$|CO-SIMULATION RESULT:$)", re.MULTILINE)
"""`hls4ml report` prints a report up to its DSP table; people keep that output in place of the file."""

DSP_HEADINGS = ("DSP", "DSP48E", "DSP48")

T = TypeVar("T")


def read_hls_rpt(text: str, file: str) -> ModuleReport:
    """A module's report; what `hls4ml report` left out of its output is None.

    Raises ReportBrokenError.
    """
    document = HlsText(text, file)
    title = TITLE.fullmatch(document.title)
    if not title:
        raise ReportBrokenError(file=file, section="title", why="no HLS report's title")
    return _Reader(document, title[1], title[2], abridged=SCREEN.search(text) is not None).report()


class _Reader:
    def __init__(self, document: HlsText, vendor: str, name: str, *, abridged: bool) -> None:
        self.document, self.vendor, self.name, self.abridged = document, vendor, name, abridged
        self.origin = Origin(stage=Stage.CSYNTH, file=document.file)

    def report(self) -> ModuleReport:
        fields = self.document.fields
        if "Version" not in fields:
            raise ReportBrokenError(
                file=self.document.file, section="General Information", why="the tool's version is missing"
            )
        latency, time, interval, pipeline = self.latency()
        rows = self.utilization()
        return ModuleReport(
            name=self.name,
            origin=self.origin,
            tool=f"{self.vendor} HLS",
            version=fields["Version"].split(" ")[0],
            date=date_text(fields.get("Date", "")),
            project=fields.get("Project"),
            solution=fields["Solution"].split(" (")[0] if "Solution" in fields else None,
            family=fields.get("Product family"),
            part=fields.get("Target device"),
            clock=self.clock(),
            latency_cycles=latency,
            latency_ns=time,
            interval_cycles=interval,
            pipeline=pipeline,
            resources=rows["Total"],
            available=rows["Available"],
            available_per_slr=rows.get("Available SLR"),
            by_kind={kind: rows[kind] for kind in KINDS if kind in rows},
            loops=self.each((PERFORMANCE, "Latency", "Detail", "Loop"), 8, self.loop),
            instances=self.instances(),
            fifos=None if self.abridged else self.each((UTILIZATION, "Detail", "FIFO"), None, self.fifo),
            memories=None if self.abridged else self.each((UTILIZATION, "Detail", "Memory"), None, self.memory),
            dsp_blocks=None if self.abridged else self.dsp_blocks(),
            interface=None if self.abridged else self.interface(),
        )

    def cells(self, *path: str) -> Cells:
        return Cells(self.document.file, " > ".join(path))

    def named(self, *path: str) -> ReportTable | None:
        """A table whose rows begin with a name and a module."""
        table = self.document.table(*path)
        if table is not None and len(table.header) < 2:
            raise self.cells(*path).broken("the columns of names are missing")
        return table

    def each(
        self, path: tuple[str, ...], width: int | None, read: Callable[[ReportTable, tuple[str, ...], Cells], T]
    ) -> tuple[T, ...]:
        """A value for every row of a table but its total."""
        table, cells = self.named(*path), self.cells(*path)
        if table is None:
            return ()
        if width is not None and len(table.header) != width:
            raise ReportUnknownFormError(
                file=cells.file, why=f"'{cells.section}' has {len(table.header)} columns instead of {width}"
            )
        return tuple(read(table, row, cells) for row in table.rows if row[0].strip() != "Total")

    def clock(self) -> Clock:
        path = (PERFORMANCE, "Timing", "Summary")
        table, cells = self.document.needed(*path), self.cells(*path)
        if len(table.header) != 4:
            raise ReportUnknownFormError(
                file=cells.file, why=f"'{cells.section}' has {len(table.header)} columns instead of 4"
            )
        _, target, estimated, uncertainty = table.rows[0]
        return Clock(
            target_ns=cells.nanoseconds(target),
            estimated_ns=cells.nanoseconds(estimated),
            uncertainty_ns=cells.nanoseconds(uncertainty),
        )

    def latency(self) -> tuple[IntRange, FloatRange | None, IntRange, str]:
        path = (PERFORMANCE, "Latency", "Summary")
        table, cells = self.document.needed(*path), self.cells(*path)
        return _performance(table.rows[0], cells)

    def utilization(self) -> Mapping[str, Resources]:
        path = (UTILIZATION, "Summary")
        table, cells = self.document.needed(*path), self.cells(*path)
        rows = {row[0].strip(): self.resources(table, row, cells) for row in table.rows if "%" not in row[0]}
        for needed in ("Total", "Available"):
            if needed not in rows:
                raise cells.broken(f"the row '{needed}' is missing")
        return rows

    def resources(self, table: ReportTable, row: tuple[str, ...], cells: Cells) -> Resources:
        def count(*names: str) -> int | None:
            place = table.column(*names)
            return None if place is None else cells.whole(row[place])

        return Resources(
            origin=self.origin,
            lut=count("LUT"),
            ff=count("FF"),
            dsp=count("DSP", "DSP48E"),
            bram_18k=count("BRAM_18K"),
            uram=count("URAM"),
        )

    def loop(self, _: ReportTable, row: tuple[str, ...], cells: Cells) -> Loop:
        mark, _sep, name = row[0].strip().partition(" ")
        if not name or set(mark) not in ({"-"}, {"+"}):
            raise cells.broken(f"'{row[0].strip()}' is no loop's name")
        return Loop(
            name=name.strip(),
            depth=mark.count("+"),
            latency_cycles=cells.whole_ends(row[1], row[2]),
            iteration_latency_cycles=cells.whole_range(row[3]),
            interval_cycles=cells.whole(row[4]),
            target_interval_cycles=cells.whole(row[5]),
            trip_count=cells.whole_range(row[6]),
            pipelined=cells.yes(row[7]),
        )

    def instances(self) -> tuple[Instance, ...]:
        """Instances of both tables: what computes nothing in time stands in the second one only."""
        speed_path, area_path = (PERFORMANCE, "Latency", "Detail", "Instance"), (UTILIZATION, "Detail", "Instance")
        speed, area = self.named(*speed_path), self.named(*area_path)
        speed_cells, area_cells = self.cells(*speed_path), self.cells(*area_path)
        timed = (
            {row[0].strip(): (row[1].strip(), _performance(row[2:], speed_cells)) for row in speed.rows}
            if speed
            else {}
        )
        sized = (
            {
                row[0].strip(): (row[1].strip(), self.resources(area, row, area_cells))
                for row in area.rows
                if row[0].strip() != "Total"
            }
            if area
            else {}
        )
        names = [*timed, *(name for name in sized if name not in timed)]
        return tuple(self.instance(name, timed.get(name), sized.get(name)) for name in names)

    @staticmethod
    def instance(
        name: str,
        timed: tuple[str, tuple[IntRange, FloatRange | None, IntRange, str]] | None,
        sized: tuple[str, Resources] | None,
    ) -> Instance:
        module = timed[0] if timed else sized[0] if sized else ""
        latency, time, interval, pipeline = timed[1] if timed else (None, None, None, None)
        index = layer_index(module)
        return Instance(
            name=name,
            module=module,
            layer=layer_index(name) if index is None else index,
            latency_cycles=latency,
            latency_ns=time,
            interval_cycles=interval,
            pipeline=pipeline,
            resources=sized[1] if sized else None,
        )

    def fifo(self, table: ReportTable, row: tuple[str, ...], cells: Cells) -> FifoReport:
        name = row[0].strip()
        return FifoReport(
            name=name,
            layer=writer_index(name),
            depth=_count(table, row, cells, "Depth"),
            bits=_count(table, row, cells, "Bits"),
            size_bits=_count(table, row, cells, "Size:D*B", "Size:D*B*B"),
            resources=self.resources(table, row, cells),
        )

    def memory(self, table: ReportTable, row: tuple[str, ...], cells: Cells) -> Memory:
        return Memory(
            name=row[0].strip(),
            module=row[1].strip(),
            words=_count(table, row, cells, "Words"),
            bits=_count(table, row, cells, "Bits"),
            banks=_count(table, row, cells, "Banks"),
            size_bits=_count(table, row, cells, "W*Bits*Banks"),
            resources=self.resources(table, row, cells),
        )

    def dsp_blocks(self) -> tuple[DspBlock, ...]:
        heading = next(
            (name for name in DSP_HEADINGS if self.document.has(UTILIZATION, "Detail", name)), DSP_HEADINGS[0]
        )
        return self.each(
            (UTILIZATION, "Detail", heading),
            3,
            lambda _, row, __: DspBlock(name=row[0].strip(), module=row[1].strip(), expression=row[2].strip()),
        )

    def interface(self) -> Interface:
        ports = self.each(
            ("Interface", "Summary"),
            6,
            lambda _, row, cells: (row[1].strip(), cells.whole(row[2]) or 0, row[3].strip()),
        )
        return Interface(
            ports=len(ports),
            input_bits=sum(bits for direction, bits, _ in ports if direction == "in"),
            output_bits=sum(bits for direction, bits, _ in ports if direction == "out"),
            protocols=tuple(sorted({protocol for _, _, protocol in ports})),
        )


def _performance(row: tuple[str, ...], cells: Cells) -> tuple[IntRange, FloatRange | None, IntRange, str]:
    """Latency, the same in time where the tool says it (from 2019.2 on), interval, pipelining."""
    match [cell.strip() for cell in row]:
        case [least, most, interval_least, interval_most, pipeline]:
            time = None
        case [least, most, time_least, time_most, interval_least, interval_most, pipeline]:
            time = cells.time_ends(time_least, time_most)
        case other:
            raise cells.broken(f"{len(other)} cells of latency instead of 5 or 7")
    return cells.whole_ends(least, most), time, cells.whole_ends(interval_least, interval_most), pipeline


def _count(table: ReportTable, row: tuple[str, ...], cells: Cells, *names: str) -> int | None:
    place = table.column(*names)
    if place is None:
        raise cells.broken(f"the column '{names[0]}' is missing")
    return cells.whole(row[place])
