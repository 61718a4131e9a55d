"""Files beside the RTL: the schedule, the script and the constraints for Vivado."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from fpgacnn.design import Design
from fpgacnn.design.project import TOP
from fpgacnn.design.rtl_project import RtlLayer

_TCL = """# Synthesis of {top} out of context: vivado -mode batch -source build.tcl
set here [file dirname [file normalize [info script]]]
set sources [concat [glob $here/../rtl/*.sv] [glob $here/../rtl/kernels/*.sv] [glob $here/../rtl/library/*.sv]]
read_verilog -sv [lsort $sources]
read_xdc -mode out_of_context $here/{top}.xdc
synth_design -top {top} -part {part} -mode out_of_context
report_utilization -file $here/utilization_synth.rpt
opt_design
place_design
phys_opt_design
route_design
report_utilization -file $here/utilization_impl.rpt
report_timing_summary -file $here/timing_impl.rpt
"""


def scripts(design: Design, layers: Sequence[RtlLayer], interval: int, latency: int) -> Mapping[str, bytes]:
    """Everything in the folder that is no SystemVerilog; a part's name has no character that Tcl would read."""
    target = design.target
    schedule = {
        "top": TOP,
        "clock_ns": target.clock_ns,
        "interval_clocks": interval,
        "latency_clocks": latency,
        "layers": [asdict(layer) for layer in layers],
    }
    return {
        "schedule.json": f"{json.dumps(schedule, indent=1)}\n".encode(),
        "vivado/build.tcl": _TCL.format(top=TOP, part=target.part).encode(),
        f"vivado/{TOP}.xdc": f"create_clock -period {target.clock_ns:g} -name aclk [get_ports aclk]\n".encode(),
    }
