"""Reports in the format of the vendor's tools, written here with our own numbers and names, for all versions."""

# ruff: noqa: W291, W293  # the tools leave blanks at the ends of lines

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Row = Sequence[object]


def table(header: Sequence[Row], rows: Sequence[Row], *, indent: int = 0, footers: Sequence[Sequence[Row]] = ()) -> str:
    """A table as the tools draw it: lines of the header may have fewer cells, the rows are flush left and right."""
    columns = len(header[-1])
    every = [*rows, *(row for group in footers for row in group)]
    widths = [
        max([len(str(header[-1][place])) + 2, *(len(str(row[place])) + 2 for row in every)]) for place in range(columns)
    ]
    border = "+" + "+".join("-" * width for width in widths) + "+"

    def line(row: Row) -> str:
        first, *rest = [str(cell) for cell in row]
        return (
            "|"
            + "|".join(
                [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
            )
            + "|"
        )

    def title(row: Row) -> str:
        inside = " | ".join(str(cell) for cell in row)
        return "|" + inside.center(len(border) - 2) + "|" if len(row) < columns else line(row)

    lines = [border, *(title(row) for row in header), border, *(line(row) for row in rows), border]
    for group in footers:
        lines += [*(line(row) for row in group), border]
    return "\n".join(" " * indent + one for one in lines)


@dataclass(frozen=True, kw_only=True)
class Module:
    """What a report of C synthesis says of a module."""

    name: str = "myproject"
    version: str = "2023.2"
    date: str = "Tue Mar  5 14:02:31 2024"
    part: str = "xcu250-figd2104-2L-e"
    clock: tuple[str, str, str] = ("5.00", "3.640", "1.35")
    latency: tuple[str, str] = ("1043", "1187")
    time: tuple[str, str] = ("5.215 us", "5.935 us")
    interval: tuple[str, str] = ("1031", "1031")
    pipeline: str = "dataflow"
    loops: Sequence[Row] = ()
    instances: Sequence[tuple[str, str, Row, Row]] = ()
    """Name, module, (latency least, most, time least, most, interval least, most, type), (BRAM, DSP, FF, LUT, URAM)."""
    fifos: Sequence[Row] = ()
    memories: Sequence[Row] = ()
    dsp_blocks: Sequence[Row] = ()
    total: Mapping[str, object] | None = None
    slr: bool = False
    ports: Sequence[Row] = (
        ("ap_clk", "in", 1, "ap_ctrl_hs", "myproject", "return value"),
        ("x_TDATA", "in", 24, "axis", "x_V", "pointer"),
    )

    @property
    def vitis(self) -> bool:
        return self.version >= "2020.2"

    @property
    def timed(self) -> bool:
        """Whether this version writes times beside cycles."""
        return self.version >= "2019.2"

    @property
    def counted(self) -> tuple[str, ...]:
        dsp = "DSP" if self.vitis else "DSP48E"
        return ("BRAM_18K", dsp, "FF", "LUT", "URAM") if self.version >= "2019" else ("BRAM_18K", dsp, "FF", "LUT")

    def resources(self) -> dict[str, object]:
        return {"BRAM_18K": 14, "DSP": 66, "FF": 9321, "LUT": 15407, "URAM": 0, **(self.total or {})}


RULE = "=" * 64
AVAILABLE = {"BRAM_18K": 5376, "DSP": 12288, "FF": 3456000, "LUT": 1728000, "URAM": 1280}


def hls_rpt(module: Module) -> str:
    """`<module>_csynth.rpt`."""
    maker = "Vitis" if module.vitis else "Vivado"
    unit = "ns" if module.timed else ""
    uram = ("URAM",) if "URAM" in module.counted else ()
    timed = [one for one in module.instances if one[2]]
    target, estimated, uncertainty = (f"{one} {unit}".strip() for one in module.clock)
    head = f"""

{RULE}
== {maker} HLS Report for '{module.name}'
{RULE}
* Date:           {module.date}

* Version:        {module.version} (Build 1234567 on Jan 01 2024)
* Project:        myproject_prj
* Solution:       solution1{" (Vivado IP Flow Target)" if module.vitis else ""}
* Product family: virtexuplus
* Target device:  {module.part}


{RULE}
== Performance Estimates
{RULE}
+ Timing{"" if module.timed else " (ns)"}: 
    * Summary: 
{table([("Clock", "Target", "Estimated", "Uncertainty")], [("ap_clk", target, estimated, uncertainty)], indent=4)}

+ Latency{"" if module.timed else " (clock cycles)"}: 
    * Summary: 
{_speed([(*module.latency, *module.time, *module.interval, module.pipeline)], (), module, 4)}

    + Detail: 
        * Instance: 
{_speed([one[2] for one in timed], [one[:2] for one in timed], module, 8)}

        * Loop: 
{_loops(module)}



{RULE}
== Utilization Estimates
{RULE}
* Summary: 
{_usage(module)}

+ Detail: 
    * Instance: 
{_sizes([("Instance", "Module")], [(*one[:2], *one[3]) for one in module.instances], module)}

    * {"DSP" if module.vitis else "DSP48E" if module.version >= "2019" else "DSP48"}: 
{_or_none(module.dsp_blocks, [("Instance", "Module", "Expression")])}

    * Memory: 
{_or_none(module.memories, [("Memory", "Module", "BRAM_18K", "FF", "LUT", *uram, "Words", "Bits", "Banks", "W*Bits*Banks")])}

    * FIFO: 
{_or_none(module.fifos, [("Name", "BRAM_18K", "FF", "LUT", *uram, "Depth", "Bits", "Size:D*B")])}

    * Expression: 
    N/A

    * Multiplexer: 
    N/A

    * Register: 
    N/A



{RULE}
== Interface
{RULE}
* Summary: 
{table([("RTL Ports", "Dir", "Bits", "Protocol", "Source Object", "C Type")], module.ports)}

"""
    return head.lstrip("\n") if module.version < "2017" else head


def _speed(rows: Sequence[Row], names: Sequence[Row], module: Module, indent: int) -> str:
    if not rows:
        return " " * indent + "N/A"
    first = [("Instance", "Module")] if names else [()]
    last = (*first[0], "min", "max", *(("min", "max") if module.timed else ()), "min", "max", "Type")
    kept = [row if module.timed else (*row[:2], *row[4:]) for row in rows]
    given = [(*name, *row) for name, row in zip(names, kept, strict=True)] if names else kept
    top = (
        ("Latency (cycles)", "Latency (absolute)", "Interval", "Pipeline")
        if module.timed
        else ("Latency", "Interval", "Pipeline")
    )
    return table([top, last], given, indent=indent)


def _loops(module: Module) -> str:
    header = [
        ("", "Latency (cycles)", "Iteration", "Initiation Interval", "Trip", ""),
        ("Loop Name", "min", "max", "Latency", "achieved", "target", "Count", "Pipelined"),
    ]
    return table(header, module.loops, indent=8) if module.loops else "        N/A"


def _usage(module: Module) -> str:
    names, total = module.counted, module.resources()

    def row(title: str, counts: Mapping[str, object]) -> Row:
        return (title, *(counts["DSP" if name == "DSP48E" else name] for name in names))

    nothing = dict.fromkeys(total, "-")
    kinds = [
        row(kind, nothing) for kind in ("DSP", "Expression", "FIFO", "Instance", "Memory", "Multiplexer", "Register")
    ]
    kinds[3] = row("Instance", {**nothing, "LUT": 15000})
    quarter = {name: count // 4 for name, count in AVAILABLE.items()}
    slr = (
        [[row("Available SLR", quarter)], [row("Utilization SLR (%)", dict.fromkeys(total, "~0"))]]
        if module.slr
        else []
    )
    footers = [
        [row("Total", total)],
        *slr,
        [row("Available", AVAILABLE)],
        [row("Utilization (%)", dict.fromkeys(total, "~0"))],
    ]
    return table([("Name", *names)], kinds, footers=footers)


def _sizes(names: Sequence[Row], rows: Sequence[Row], module: Module) -> str:
    if not rows:
        return "    N/A"
    kept = [row[: 2 + len(module.counted)] for row in rows]
    sums = [sum(int(str(row[place])) for row in kept) for place in range(2, 2 + len(module.counted))]
    return table([(*names[0], *module.counted)], kept, indent=4, footers=[[("Total", "", *sums)]])


def _or_none(rows: Sequence[Row], header: Sequence[Row]) -> str:
    return table(header, rows, indent=4) if rows else "    N/A"


def hls_xml(module: Module, *, inner: Sequence[Module] = (), loops: str = "") -> str:
    """`<module>_csynth.xml`; with `inner`, Vitis HLS's csynth.xml."""
    listed = f"<ModuleInformation>{''.join(map(_module_xml, (*inner, module)))}</ModuleInformation>" if inner else ""
    return f"""<profile>
<ReportVersion><Version>{module.version}</Version></ReportVersion>
<UserAssignments><unit>ns</unit><Part>{module.part}</Part><TopModelName>{module.name}</TopModelName>
<TargetClockPeriod>{module.clock[0]}</TargetClockPeriod><ClockUncertainty>{module.clock[2]}</ClockUncertainty></UserAssignments>
<PerformanceEstimates><PipelineType>{module.pipeline}</PipelineType>
<SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>{module.clock[1]}</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><unit>clock cycles</unit>{_latency_xml(module)}
<Interval-min>{_undef(module.interval[0])}</Interval-min><Interval-max>{_undef(module.interval[1])}</Interval-max></SummaryOfOverallLatency>{loops}
</PerformanceEstimates>
<AreaEstimates><Resources>{_area_xml(module, module.resources())}</Resources>
<AvailableResources>{_area_xml(module, AVAILABLE)}</AvailableResources></AreaEstimates>
<InterfaceSummary><RtlPorts><name>ap_clk</name><Dir>in</Dir><Bits>1</Bits></RtlPorts></InterfaceSummary>
{listed}
</profile>
"""


def _undef(text: str) -> str:
    return "undef" if text == "?" else text


def _latency_xml(module: Module) -> str:
    least, most = map(_undef, module.latency)
    times = (
        f"<Best-caseRealTimeLatency>{_undef(module.time[0])}</Best-caseRealTimeLatency><Worst-caseRealTimeLatency>{_undef(module.time[1])}</Worst-caseRealTimeLatency>"
        if module.timed
        else ""
    )
    return f"<Best-caseLatency>{least}</Best-caseLatency><Average-caseLatency>{least}</Average-caseLatency><Worst-caseLatency>{most}</Worst-caseLatency>{times}"


def _area_xml(module: Module, counts: Mapping[str, object]) -> str:
    """In no order, as the tools write it."""
    return "".join(
        f"<{name}>{counts['DSP' if name == 'DSP48E' else name]}</{name}>" for name in reversed(module.counted)
    )


def _module_xml(module: Module) -> str:
    return f"""<Module><Name>{module.name}</Name><PerformanceEstimates>
<SummaryOfTimingAnalysis><TargetClockPeriod>{module.clock[0]}</TargetClockPeriod><ClockUncertainty>{module.clock[2]}</ClockUncertainty>
<TargetInitiationInterval>4294967295</TargetInitiationInterval><EstimatedClockPeriod>{module.clock[1]}</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>{_latency_xml(module)}<PipelineInitiationInterval>{_undef(module.interval[0])}</PipelineInitiationInterval>
<PipelineType>{module.pipeline}</PipelineType></SummaryOfOverallLatency></PerformanceEstimates>
<AreaEstimates><Resources>{_area_xml(module, module.resources())}<AVAIL_LUT>1728000</AVAIL_LUT><UTIL_LUT>~0</UTIL_LUT></Resources></AreaEstimates></Module>"""


SUMMARY_HEADER = (
    ("Modules", "Issue", "", "Latency", "Latency", "Iteration", "", "Trip", "", "", "", "", "", ""),
    (
        "& Loops",
        "Type",
        "Slack",
        "(cycles)",
        "(ns)",
        "Latency",
        "Interval",
        "Count",
        "Pipelined",
        "BRAM",
        "DSP",
        "FF",
        "LUT",
        "URAM",
    ),
)


def summary_rpt(rows: Sequence[Row], *, top: str = "myproject", version: str = "2023.2") -> str:
    """Vitis HLS's `csynth.rpt`."""
    return f"""

{RULE}
== Synthesis Summary Report of '{top}'
{RULE}
+ General Information: 
    * Date:           Tue Mar  5 14:02:33 2024
    * Version:        {version} (Build 1234567 on Jan 01 2024)
    * Project:        myproject_prj
    * Solution:       solution1 (Vivado IP Flow Target)
    * Product family: virtexuplus
    * Target device:  xcu250-figd2104-2L-e
    

+ Performance & Resource Estimates: 
    
    PS: '+' for module; 'o' for loop; '*' for dataflow
{table(SUMMARY_HEADER, rows, indent=4)}


{RULE}
== HW Interfaces
{RULE}
* AXIS
{table([("Interface", "Direction", "TDATA")], [("x", "in", 24)])}


{RULE}
== SW I/O Information
{RULE}
* Top Function Arguments
{table([("Argument", "Direction", "Datatype")], [("x", "in", "stream<nnet::array<ap_fixed<8, 1>, 3>, 0>&")])}

"""


SIZE_STEPS = (
    ("Compile/Link", "", "  4,120", "After all functions are compiled and linked into a single design"),
    ("", "", "", ""),
    ("Unroll/Inline", "", "", "After user unroll and inline pragmas are applied"),
    ("", "(1) unroll", "151,004 *", "user unroll pragmas are applied"),
    ("HW Transforms", "", "", "After hardware transfomations"),
    ("", "(2) optimizations", "    977", "high level synthesis optimizations"),
)


def design_size_rpt() -> str:
    """`csynth_design_size.rpt`."""
    return f"""
{RULE}
== Design Size Report
{RULE}

* Total Instructions per Compilation Phase
{table([("Phase", "Step", "Instructions", "Description")], SIZE_STEPS)}
    * - Exceeded design size warning message threshold
"""


def design_size_xml() -> str:
    """`csynth_design_size.xml`."""
    lines = [
        f'<column name="{phase}">{step}, {count.replace(",", "").strip()}, {words}</column>'
        for phase, step, count, words in SIZE_STEPS
    ]
    keys = '<keys size="4">Phase, Step, Instructions, Description</keys>'
    item = f'<item name="Total Instructions per Compilation Phase"><table>{keys}{"".join(lines)}</table></item>'
    return f'<design_size title="Design Size Report">{item}</design_size>'


SIZES_OF_FUNCTIONS = (
    ("+ kernel_top", "kernel.cpp:8", "4,120", "151,004 *", "1,030", "977"),
    ("    pixel", "nnet_types.h:11", "18 (2 calls)", "", "", ""),
    ("  + dense<ap_fixed<16, 6>...", "nnet_dense.h:41", "900", "2,400", "310", "295"),
)
PHASES = ("Compile/Link", "Unroll/Inline", "Performance/Pipeline", "Optimizations")


def design_size_2023_1_rpt() -> str:
    """`csynth_design_size.rpt` of Vitis HLS 2023.1: functions only."""
    return f"""
{RULE}
== Design Size Report
{RULE}

* Instructions per Function for each Compilation Phase
{table([("Function", "Location", *PHASES)], SIZES_OF_FUNCTIONS)}
    * - Exceeded design size warning message threshold
"""


def design_size_2023_1_xml() -> str:
    """`csynth_design_size.xml` of Vitis HLS 2023.1."""
    names = " ".join(f'col{place}="{name}"' for place, name in enumerate(("Function", "Location", *PHASES)))
    return (
        '<design_size title="Design Size Report">'
        '<item name="Instructions per Function for each Compilation Phase"><hiertable>'
        f'<header size="6" {names}/><rows>'
        '<row id="0" col0="kernel_top" col1="kernel.cpp:8" col2="4120" col3="151004" col3_note="*" col4="1030" col5="977">'
        '<row id="3" col0="pixel" col1="nnet_types.h:11" col2="18" col2_disp="    18 (2 calls)" col3="" col4="" col5=""/>'
        "</row></rows></hiertable></item></design_size>"
    )
