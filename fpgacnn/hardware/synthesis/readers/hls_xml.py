"""`<module>_csynth.xml` and `csynth.xml`: totals of a module, and with Vitis HLS of all modules below it."""

from __future__ import annotations

from fpgacnn.hardware.synthesis.figures import FloatRange, IntRange, Origin, Resources, Stage
from fpgacnn.hardware.synthesis.readers.cells import NONE_SET, Cells
from fpgacnn.hardware.synthesis.readers.xml import Element, parse_xml
from fpgacnn.hardware.synthesis.report import Clock, Loop, ModuleReport

NO_LOOP = {
    "Slack",
    "TripCount",
    "Latency",
    "AbsoluteTimeLatency",
    "PipelineII",
    "PipelineDepth",
    "InstanceList",
    "IterationLatency",
    "Name",
}


def read_hls_xml(text: str, file: str) -> ModuleReport:
    """The module that the file is about.

    Raises ReportBrokenError, ReportRefusedError.
    """
    root = parse_xml(text, file)
    reader = _Reader(file, _version(root, file))
    return reader.top(root)


def read_modules_xml(text: str, file: str) -> tuple[ModuleReport, ...]:
    """All modules that Vitis HLS lists in csynth.xml; none with Vivado HLS.

    Raises ReportBrokenError, ReportRefusedError.
    """
    root = parse_xml(text, file)
    listed = root.find("ModuleInformation")
    reader = _Reader(file, _version(root, file))
    part = _text(root, "UserAssignments", "Part")
    return tuple(reader.module(one, part) for one in listed.all("Module")) if listed else ()


def _version(root: Element, file: str) -> str:
    found = _text(root, "ReportVersion", "Version")
    if root.tag != "profile" or not found:
        raise Cells(file, "ReportVersion").broken("it is missing")
    return found


def _text(element: Element, *path: str) -> str | None:
    found = element.find(*path)
    return found.text.strip() or None if found else None


class _Reader:
    def __init__(self, file: str, version: str) -> None:
        self.file, self.version = file, version
        self.origin = Origin(stage=Stage.CSYNTH, file=file)
        # The file does not name its tool; Vivado HLS ended with 2020.1.
        self.tool = "Vivado HLS" if version < "2020.2" else "Vitis HLS"

    def cells(self, section: str) -> Cells:
        return Cells(self.file, section)

    def top(self, root: Element) -> ModuleReport:
        name = self.needed(root, "UserAssignments", "TopModelName")
        part = _text(root, "UserAssignments", "Part")
        speed, given = self.part_of(root, "PerformanceEstimates"), self.part_of(root, "UserAssignments")
        timing = self.part_of(speed, "SummaryOfTimingAnalysis")
        clock = Clock(
            target_ns=self.real(given, "TargetClockPeriod"),
            estimated_ns=self.real(timing, "EstimatedClockPeriod"),
            uncertainty_ns=self.real(given, "ClockUncertainty"),
        )
        area = self.part_of(root, "AreaEstimates")
        available = area.find("AvailableResources")
        interval = self.part_of(speed, "SummaryOfOverallLatency")
        ends = self.ends(interval, "Interval-min", "Interval-max")
        return self.made(name, speed, area, clock, part, ends, self.resources(available) if available else None)

    def module(self, element: Element, part: str | None) -> ModuleReport:
        speed, area = self.part_of(element, "PerformanceEstimates"), self.part_of(element, "AreaEstimates")
        timing = self.part_of(speed, "SummaryOfTimingAnalysis")
        clock = Clock(
            target_ns=self.real(timing, "TargetClockPeriod"),
            estimated_ns=self.real(timing, "EstimatedClockPeriod"),
            uncertainty_ns=self.real(timing, "ClockUncertainty"),
        )
        latency = self.part_of(speed, "SummaryOfOverallLatency")
        interval = self.cells("PipelineInitiationInterval").whole_range(
            self.needed(latency, "PipelineInitiationInterval")
        )
        return self.made(self.needed(element, "Name"), speed, area, clock, part, interval, None)

    def made(
        self,
        name: str,
        speed: Element,
        area: Element,
        clock: Clock,
        part: str | None,
        interval: IntRange,
        available: Resources | None,
    ) -> ModuleReport:
        latency = self.part_of(speed, "SummaryOfOverallLatency")
        loops = speed.find("SummaryOfLoopLatency")
        time = self.times(latency)
        return ModuleReport(
            name=name,
            origin=self.origin,
            tool=self.tool,
            version=self.version,
            date=None,
            project=None,
            solution=None,
            family=None,
            part=part,
            clock=clock,
            latency_cycles=self.ends(latency, "Best-caseLatency", "Worst-caseLatency"),
            latency_ns=time,
            interval_cycles=interval,
            pipeline=_text(speed, "PipelineType") or _text(latency, "PipelineType"),
            resources=self.resources(self.part_of(area, "Resources")),
            available=available,
            available_per_slr=None,
            by_kind={},
            loops=tuple(self.loops(loops, 0)) if loops else (),
            instances=None,
            fifos=None,
            memories=None,
            dsp_blocks=None,
            interface=None,
        )

    def loops(self, element: Element, depth: int) -> list[Loop]:
        found = []
        for child in element.children:
            if child.tag in NO_LOOP:
                continue
            found.append(self.loop(child, depth))
            found.extend(self.loops(child, depth + 1))
        return found

    def loop(self, element: Element, depth: int) -> Loop:
        cells = self.cells(element.tag)
        interval = self.whole(element, "PipelineII")
        iteration = _text(element, "PipelineDepth") or _text(element, "IterationLatency") or ""
        return Loop(
            name=element.tag,
            depth=depth,
            latency_cycles=self.span(element, "Latency"),
            iteration_latency_cycles=cells.whole_range(iteration),
            interval_cycles=interval,
            target_interval_cycles=None,
            trip_count=self.span(element, "TripCount"),
            pipelined=interval is not None,
        )

    def span(self, element: Element, tag: str) -> IntRange:
        """A count, or a range as `<range><min>4</min><max>9</max></range>`."""
        found = element.find(tag)
        if found is None:
            return IntRange(least=None, most=None)
        ends = found.find("range")
        if ends is None:
            return self.cells(tag).whole_range(found.text)
        return self.ends(ends, "min", "max")

    def resources(self, element: Element) -> Resources:
        dsp = "DSP" if element.find("DSP") else "DSP48E"
        return Resources(
            origin=self.origin,
            lut=self.whole(element, "LUT"),
            ff=self.whole(element, "FF"),
            dsp=self.whole(element, dsp),
            bram_18k=self.whole(element, "BRAM_18K"),
            uram=self.whole(element, "URAM"),
        )

    def times(self, latency: Element) -> FloatRange | None:
        least, most = _text(latency, "Best-caseRealTimeLatency"), _text(latency, "Worst-caseRealTimeLatency")
        return None if least is None or most is None else self.cells("Best-caseRealTimeLatency").time_ends(least, most)

    def ends(self, element: Element, least: str, most: str) -> IntRange:
        return self.cells(least).whole_ends(self.needed(element, least), self.needed(element, most))

    def whole(self, element: Element, tag: str) -> int | None:
        found = self.cells(tag).whole(_text(element, tag) or "")
        return None if found == NONE_SET else found

    def real(self, element: Element, tag: str) -> float | None:
        return self.cells(tag).real(_text(element, tag) or "")

    def part_of(self, element: Element, tag: str) -> Element:
        found = element.find(tag)
        if found is None:
            raise self.cells(tag).broken("it is missing")
        return found

    def needed(self, element: Element, *path: str) -> str:
        found = _text(element, *path)
        if found is None:
            raise self.cells(path[-1]).broken("it is missing or empty")
        return found
