"""Reports in the format of Vivado, RTL simulation and export_design, written here with our own numbers and names."""

# ruff: noqa: W291  # the tools leave blanks at the ends of lines

from __future__ import annotations

from dataclasses import dataclass

from tests.support.hls_reports import table

NOTE = (
    "* Warning! The Final LUT count, after physical optimizations and full implementation, is typically lower. CLB LUTs"
    " and CLB Registers may change."
)


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """What report_utilization counts."""

    design: str = "myproject"
    version: str = "2023.2"
    date: str = "Tue Mar  5 14:31:08 2024"
    part: str = "xcu250-figd2104-2L-e"
    state: str = "Synthesized"
    command: str = "report_utilization -file vivado_synth.rpt"
    lut: int = 7311
    ff: int = 8120
    dsp: int = 66
    tiles: str = "6.5"
    uram: int = 0
    ultrascale: bool = True


def utilization_rpt(netlist: Netlist) -> str:
    """`vivado_synth.rpt`, `*_utilization_placed.rpt`."""
    wide = netlist.version >= "2020.2"
    head = ("Site Type", "Used", "Fixed", *(("Prohibited",) if wide else ()), "Available", "Util%")

    def row(name: str, used: object, available: object) -> tuple[object, ...]:
        return (name, used, 0, *((0,) if wide else ()), available, "0.42")

    logic, memory, arithmetic = (
        ("CLB Logic", "BLOCKRAM", "ARITHMETIC") if netlist.ultrascale else ("Slice Logic", "Memory", "DSP")
    )
    kind = "CLB" if netlist.ultrascale else "Slice"
    placed = "Placed" in netlist.state
    sections = [
        logic,
        *([f"{logic} Distribution"] if placed else []),
        memory,
        arithmetic,
        "Primitives",
        "Black Boxes",
        "Instantiated Netlists",
    ]
    star = "" if placed else "*"
    tiles = float(netlist.tiles)
    tables = {
        logic: table(
            [head],
            [
                row(f" {kind} LUTs{star}", netlist.lut, 1728000),
                row("   LUT as Logic", netlist.lut - 100, 1728000),
                row("   LUT as Memory", 100, 791040),
                row(f" {kind} Registers", netlist.ff, 3456000),
                row(" F7 Muxes", 31, 864000),
            ],
        ),
        f"{logic} Distribution": table([head], [row(f" {kind} Registers", 1, 2), row(" LUT as Logic", 3, 4)]),
        memory: table(
            [head],
            [
                row(" Block RAM Tile", netlist.tiles, 2688),
                row("   RAMB36/FIFO*", int(tiles), 2688),
                row("   RAMB18", round(2 * (tiles - int(tiles))), 5376),
                *([row(" URAM", netlist.uram, 1280)] if netlist.ultrascale else []),
            ],
        ),
        arithmetic: table([head], [row(" DSPs", netlist.dsp, 12288), row("   DSP48E2 only", netlist.dsp, "")]),
        "Primitives": table([("Ref Name", "Used", "Functional Category")], [(" FDRE", netlist.ff, "Register")]),
    }
    numbered = list(enumerate(sections, 1))
    contents = "\n".join(f"{number}. {name}" for number, name in numbered)
    body = "\n\n".join(
        f"{number}. {name}\n{'-' * (len(name) + 3)}\n\n{tables.get(name, '')}\n{NOTE if name == logic else ''}"
        for number, name in numbered
    )
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
---------------------------------------------------
| Tool Version : Vivado v.{netlist.version} (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023
| Date         : {netlist.date}
| Host         : trigger running 64-bit Debian GNU/Linux
| Command      : {netlist.command}
| Design       : {netlist.design}
| Device       : {netlist.part}
| Speed File   : -2L
| Design State : {netlist.state}
---------------------------------------------------

Utilization Design Information

Table of Contents
-----------------
{contents}

{body}
"""


def timing_rpt(
    *, wns: str = "0.214", tns: str = "0.000", failing: int = 0, state: str | None = "Routed", met: bool = True
) -> str:
    """`*_timing_summary_routed.rpt`."""
    verdict = "All user specified timing constraints are met." if met else "Timing constraints are not met."
    line = "-" * 96
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
{line}
| Tool Version : Vivado v.2023.2 (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023
| Date         : Tue Mar  5 15:02:44 2024
| Host         : trigger running 64-bit Debian GNU/Linux
| Command      : report_timing_summary -file design_1_wrapper_timing_summary_routed.rpt
| Design       : design_1_wrapper
| Device       : xcu250-figd2104
| Speed File   : -2L  PRODUCTION 1.29 08-03-2020
{f"| Design State : {state}" if state else "| Temperature Grade : E"}
{line}

Timing Summary Report

{line}
| Timer Settings
| --------------
{line}

  Enable Multi Corner Analysis               :  Yes

{line}
| Design Timing Summary
| ---------------------
{line}

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  THS Failing Endpoints  THS Total Endpoints     WPWS(ns)  
    -------      -------  ---------------------  -------------------      -------      -------  ---------------------  -------------------     --------  
{wns:>11}{tns:>13}{failing:>23}                21013        0.017        0.000                      0                21013        1.958  


{verdict}


{line}
| Clock Summary
| -------------
{line}

Clock       Waveform(ns)         Period(ns)      Frequency(MHz)
-----       ------------         ----------      --------------
clk_fpga_0  {{0.000 2.500}}        5.000           200.000         
  feedback  {{0.000 5.000}}        10.000          100.000         


{line}
| Intra Clock Table
| -----------------
{line}

"""


def cosim_rpt(rows: tuple[tuple[str, ...], tuple[str, ...]], *, date: str = "Tue Mar  5 14:20:19 CET 2024") -> str:
    """`<top>_cosim.rpt`; rows of 8 cells as until 2020, of 9 as Vitis writes them."""
    wide = len(rows[0]) > 8
    head = "Latency(Clock Cycles)" if wide else "Latency"
    border = (
        "+----------+----------+"
        + "-----------------------------------------------+" * 2
        + ("----------------------+" if wide else "")
    )
    first = f"|          |          |{head:^47}|{'Interval':^47}|" + (" Total Execution Time |" if wide else "")
    second = f"+   RTL    +  Status  +{'-' * 47}+{'-' * 47}+" + ("    (Clock Cycles)    +" if wide else "")
    third = (
        "|          |          |"
        + "      min      |      avg      |      max      |" * 2
        + ("                      |" if wide else "")
    )

    def line(row: tuple[str, ...]) -> str:
        cells = [
            row[0].rjust(10),
            row[1].rjust(10),
            *(cell.rjust(15) for cell in row[2:8]),
            *(cell.rjust(22) for cell in row[8:]),
        ]
        return "|" + "|".join(cells) + "|"

    drawn = "\n".join([border, first, second, third, border, *map(line, rows), border])
    return f"\nReport time       : {date}.\nSolution          : solution1.\nSimulation tool   : xsim.\n\n{drawn}\n"


def export_rpt(*, implemented: bool = False, version: str = "2022.2") -> str:
    """`<top>_export.rpt`."""
    new = version >= "2021"
    stage = "Implementation" if implemented else "Synthesis"
    after = f"CP achieved post-implementation: {'4.711' if new else '   4.711'}\n" if implemented else ""
    more = "LATCH:            0\nCLB:              0\n" if new else ""
    return f"""

Implementation tool: Xilinx Vivado v.{version}
Project:             myproject_prj
Solution:            solution1
Device target:       xcu250-figd2104-2L-e
Report date:         Tue Mar 05 14:44:10 CET 2024

#=== Post-{stage} Resource usage ===
SLICE:            0
LUT:           7290
FF:            8115
DSP:             66
BRAM:            13
SRL:            344
URAM:             0
{more}#=== Final timing ===
CP required:    5.000
CP achieved post-synthesis:    4.303
{after}Timing met
"""


def results_rpt(*, implemented: bool = True, met: bool = True) -> str:
    """`export_impl.rpt` and `export_syn.rpt` of newer Vitis HLS."""
    stage = "Place & Route" if implemented else "Synthesis"
    line = "=" * 64
    route = "| Post-Route     | 4.711       |\n" if implemented else ""
    return f"""{line}
== Vivado {stage} Results
{line}
+ General Information:
    * Date:            Tue Mar  5 14:44:10 2024
    * Version:         2023.2 (Build 4023990 on Oct 11 2023)
    * Project:         myproject_prj
    * Solution:        solution1 (Vivado IP Flow Target)
    * Product family:  virtexuplus
    * Target device:   xcu250-figd2104-2L-e

{line}
== {stage} Resource Summary
{line}
LUT:              7290
FF:               8115
DSP:              66
BRAM:             13
URAM:             0
SRL:              344

{line}
== {stage} Timing Summary
{line}
* Timing was {"" if met else "not "}met
+----------------+-------------+
| Timing         | Period (ns) |
+----------------+-------------+
| Target         | 5.000       |
| Post-Synthesis | 4.303       |
{route}+----------------+-------------+
"""


EXPORT_XML = """<profile>
<AreaReport>
<Resources>
<SLICE>0</SLICE><LUT>7290</LUT><FF>8115</FF><DSP>66</DSP><BRAM>13</BRAM><URAM>0</URAM><SRL>344</SRL>
</Resources>
<AvailableResources><SLICE>0</SLICE><LUT>1728000</LUT></AvailableResources>
</AreaReport>
<TimingReport><TargetClockPeriod>5.000</TargetClockPeriod><AchievedClockPeriod>4.303</AchievedClockPeriod></TimingReport>
</profile>
"""


Used = tuple[int, int, int, int, int, int, int, int]
"""Total LUTs, logic LUTs, LUTRAMs, SRLs, FFs, RAMB36, RAMB18, DSP blocks."""


def hierarchy_rpt(rows: list[tuple[str, str, Used]], *, state: str = "Routed", percent: bool = False) -> str:
    """`*_utilization_hierarchical.rpt`: two blanks before a name for each level."""
    names = ("Total LUTs", "Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18", "DSP Blocks")

    def count(value: int) -> str:
        return f"{value}({value / 1000:.2f}%)" if percent else str(value)

    drawn = table(
        [("Instance", "Module", *names)],
        [(f" {name}", module, *(f"{count(one)} " for one in used)) for name, module, used in rows],
    )
    head = utilization_rpt(Netlist(state=state, command="report_utilization -hierarchical -file tree.rpt"))
    return (
        head.partition("Table of Contents")[0]
        + f"""Table of Contents
-----------------
1. Utilization by Hierarchy

1. Utilization by Hierarchy
---------------------------

{drawn}


* Note: The sum of lower-level cells may be larger than their parent cells total, due to cross-hierarchy LUT combining
"""
    )


def power_rpt(*, total: str = "4.517", state: str = "routed") -> str:
    """`*_power_routed.rpt`."""
    width = 58
    summary = [
        ("Total On-Chip Power (W)", total),
        ("Design Power Budget (W)", "Unspecified*"),
        ("Power Budget Margin (W)", "NA"),
        ("Dynamic (W)", "2.004"),
        ("Device Static (W)", "2.513"),
        ("Effective TJA (C/W)", "0.7"),
        ("Junction Temperature (C)", "28.3"),
        ("Confidence Level", "Medium"),
        ("Setting File", "---"),
    ]
    border = f"+{'-' * 26}+{'-' * 14}+"
    rows = "\n".join(f"| {name:<24} | {value:<12} |" for name, value in summary)
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
{"-" * width}
| Tool Version     : Vivado v.2023.2 (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023
| Date             : Tue Mar  5 15:03:02 2024
| Host             : trigger running 64-bit Debian GNU/Linux
| Command          : report_power -file myproject_power_routed.rpt -pb myproject_power_summary_routed.pb
| Design           : myproject
| Device           : xcu250-figd2104-2L-e
| Design State     : {state}
| Grade            : extended
{"-" * width}

Power Report

Table of Contents
-----------------
1. Summary
1.1 On-Chip Components

1. Summary
----------

{border}
{rows}
{border}
* Specify Design Power Budget using, set_operating_conditions -design_power_budget <value in Watts>


1.1 On-Chip Components
----------------------

+----------------+-----------+----------+
| On-Chip        | Power (W) | Used     |
+----------------+-----------+----------+
| CLB Logic      |     0.731 |    15000 |
| Static Power   |     2.513 |          |
| Total          |     4.517 |          |
+----------------+-----------+----------+
"""


def route_rpt(*, routable: int = 9120, routed: int = 9120, errors: int = 0) -> str:
    """`*_route_status.rpt`."""
    line = "   ------------------------------------------- : ----------- :"
    return f"""Design Route Status
                                               :      # nets :
{line}
   # of logical nets.......................... :       14007 :
       # of nets not needing routing.......... :        4887 :
           # of internally routed nets........ :        4102 :
           # of nets with no loads............ :         785 :
       # of routable nets..................... :  {routable:>10} :
           # of fully routed nets............. :  {routed:>10} :
       # of nets with routing errors.......... :  {errors:>10} :
{line}
"""
