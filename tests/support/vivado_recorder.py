"""Vitis HLS and Vivado as far as the scripts of boards use them: commands, arguments, cells, pins and nets by release.

A script runs in a Tcl interpreter in which the tools' commands are functions here. An unknown command or argument, a
cell or pin that does not exist, a property that an IP does not have, an input with two drivers, streams of different
widths: each ends the script with an error, as in the tool. A port of the block design needs a driver, and each of its
bits one pin in the constraints. Sources: UG835 (Vivado Tcl commands), UG1399 (Vitis HLS), PG082, PG201, PG021, PG164,
PG247 and PG144 (pins and parameters of the IPs). It is a list written by hand, not the tools: what it accepts, they can
still refuse. An IP that is packaged here has the pins and interfaces of its Verilog.
"""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Release = tuple[int, int]


class ScriptError(AssertionError):
    """What the tool would refuse."""


@dataclass(frozen=True)
class Command:
    """`flags` take no value, `options` take one; `least` to `most` other arguments; releases that have the command."""

    flags: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    least: int = 0
    most: int = 0
    since: Release = (2019, 1)

    def parse(self, name: str, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
        given: dict[str, str] = {}
        rest: list[str] = []
        waiting = list(words)
        while waiting:
            word = waiting.pop(0)
            if word in self.flags:
                given[word] = ""
            elif word in self.options:
                if not waiting:
                    raise ScriptError(f"{name}: {word} has no value")
                given[word] = waiting.pop(0)
            elif word.startswith("-") and not word[1:2].isdigit():
                raise ScriptError(f"{name} has no argument {word}")
            else:
                rest.append(word)
        if not self.least <= len(rest) <= self.most:
            raise ScriptError(f"{name}: {len(rest)} arguments, not {self.least} to {self.most}: {rest}")
        return given, rest


def command(flags: str = "", options: str = "", least: int = 0, most: int = 0, **when: Release) -> Command:
    return Command(frozenset(flags.split()), frozenset(options.split()), least, most, **when)


HLS: Mapping[str, Command] = {
    "open_project": command("-reset", least=1, most=1),
    "set_top": command(least=1, most=1),
    "add_files": command("-tb", "-cflags -csimflags", least=1, most=1),
    "open_solution": command("-reset", "-flow_target", least=1, most=1, since=(2020, 1)),
    "set_part": command(least=1, most=1),
    "create_clock": command(options="-period -name"),
    "config_compile": command(options="-name_max_length -pipeline_loops"),
    "csynth_design": command(),
    "export_design": command(options="-format -vendor -library -ipname -version -description -output -flow -rtl"),
    "exit": command(most=1),
}
VIVADO: Mapping[str, Command] = {
    "create_project": command("-force", "-part", least=1, most=2),
    "open_project": command(least=1, most=1),
    "close_project": command("-delete"),
    "current_project": command(),
    "current_fileset": command(),
    "get_board_parts": command("-quiet -latest_file_version", least=1, most=1),
    "update_ip_catalog": command("-rebuild"),
    "create_ip": command(options="-name -vendor -library -version -module_name"),
    "get_ips": command(least=1, most=1),
    "create_bd_design": command(least=1, most=1),
    "create_bd_cell": command(options="-type -vlnv", least=1, most=1),
    "apply_bd_automation": command(options="-rule -config", least=1, most=1),
    "create_bd_port": command(options="-dir -from -to -type", least=1, most=1),
    "get_bd_ports": command(least=1, most=1),
    "get_bd_cells": command(least=1, most=1),
    "get_bd_pins": command(least=1, most=1),
    "get_bd_intf_pins": command(least=1, most=1),
    "get_bd_addr_segs": command(least=1, most=1),
    "connect_bd_net": command(options="-net", least=2, most=64),
    "connect_bd_intf_net": command(options="-intf_net", least=2, most=2),
    "assign_bd_address": command("-force", "-offset -range -target_address_space", most=1),
    "validate_bd_design": command("-force"),
    "save_bd_design": command(),
    "make_wrapper": command("-top -import -force", "-files"),
    "get_files": command(least=1, most=1),
    "add_files": command("-norecurse", "-fileset", least=1, most=1),
    "update_compile_order": command(options="-fileset"),
    "generate_target": command("-force", least=2, most=2),
    "get_runs": command(least=1, most=1),
    "reset_run": command(least=1, most=1),
    "launch_runs": command("-force", "-to_step -jobs", least=1, most=1),
    "wait_on_run": command(options="-timeout", least=1, most=1),
    "open_run": command(options="-name", least=1, most=1),
    "report_utilization": command("-hierarchical", "-file"),
    "report_timing_summary": command(options="-file -delay_type -max_paths"),
    "get_timing_paths": command(options="-delay_type -max_paths"),
    "get_property": command(least=2, most=2),
    "set_property": command(options="-dict", least=1, most=3),
    "ipx::package_project": command(
        "-import_files -force -force_update_compile_order", "-root_dir -vendor -library -taxonomy -module -set_current"
    ),
    "ipx::current_core": command(most=1),
    "ipx::create_xgui_files": command(least=1, most=1),
    "ipx::update_checksums": command(least=1, most=1),
    "ipx::check_integrity": command("-quiet", least=1, most=1),
    "ipx::save_core": command(most=1),
    "write_hw_platform": command("-fixed -include_bit -force", "-file", since=(2019, 2)),
    "exit": command(most=1),
}

PS8_VERSIONS = {(2021, 1): "3.3", (2021, 2): "3.4", (2023, 1): "3.5"}
"""Version of zynq_ultra_ps_e from a release on."""


@dataclass(frozen=True)
class Ip:
    """Pins by name -> I or O, interfaces -> M or S with their clock, parameters -> values (None: any)."""

    version: str
    parameters: Mapping[str, frozenset[str] | None]
    pins: Callable[[Mapping[str, str]], Mapping[str, str]]
    interfaces: Callable[[Mapping[str, str]], Mapping[str, tuple[str, str]]]
    segments: tuple[str, ...] = ()
    widths: Mapping[str, int] = field(default_factory=dict)
    """Bits of the data of streams, where they are known."""


def values(text: str) -> frozenset[str]:
    return frozenset(text.split())


def on(config: Mapping[str, str], key: str, names: Mapping[str, object]) -> dict[str, object]:
    return dict(names) if config.get(key, "0") == "1" else {}


BIT, WIDTHS = values("0 1"), values("32 64 128")


def smartconnect_interfaces(config: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found = {f"S{n:02d}_AXI": ("S", "aclk") for n in range(int(config.get("NUM_SI", "2")))}
    return found | {f"M{n:02d}_AXI": ("M", "aclk") for n in range(int(config.get("NUM_MI", "1")))}


CATALOG: dict[str, Ip] = {
    "xilinx.com:ip:processing_system7": Ip(
        "5.5",
        {
            "PCW_USE_M_AXI_GP0": BIT,
            "PCW_USE_S_AXI_HP0": BIT,
            "PCW_S_AXI_HP0_DATA_WIDTH": values("32 64"),
            "PCW_EN_CLK0_PORT": BIT,
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": None,
            "PCW_USE_FABRIC_INTERRUPT": BIT,
            "PCW_IRQ_F2P_INTR": BIT,
        },
        lambda c: {
            "FCLK_RESET0_N": "O",
            **on(c, "PCW_EN_CLK0_PORT", {"FCLK_CLK0": "O"}),
            **on(c, "PCW_USE_M_AXI_GP0", {"M_AXI_GP0_ACLK": "I"}),
            **on(c, "PCW_USE_S_AXI_HP0", {"S_AXI_HP0_ACLK": "I"}),
            **(on(c, "PCW_IRQ_F2P_INTR", {"IRQ_F2P": "I"}) if c.get("PCW_USE_FABRIC_INTERRUPT") == "1" else {}),
        },
        lambda c: {
            **on(c, "PCW_USE_M_AXI_GP0", {"M_AXI_GP0": ("M", "M_AXI_GP0_ACLK")}),
            **on(c, "PCW_USE_S_AXI_HP0", {"S_AXI_HP0": ("S", "S_AXI_HP0_ACLK")}),
        },
    ),
    "xilinx.com:ip:zynq_ultra_ps_e": Ip(
        "",
        {
            "PSU__USE__M_AXI_GP0": BIT,
            "PSU__USE__M_AXI_GP1": BIT,
            "PSU__USE__M_AXI_GP2": BIT,
            "PSU__USE__S_AXI_GP2": BIT,
            "PSU__SAXIGP2__DATA_WIDTH": WIDTHS,
            "PSU__FPGA_PL0_ENABLE": BIT,
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": None,
            "PSU__USE__IRQ0": BIT,
        },
        lambda c: {
            "pl_resetn0": "O",
            **on(c, "PSU__FPGA_PL0_ENABLE", {"pl_clk0": "O"}),
            **on(c, "PSU__USE__M_AXI_GP0", {"maxihpm0_fpd_aclk": "I"}),
            **on(c, "PSU__USE__M_AXI_GP1", {"maxihpm1_fpd_aclk": "I"}),
            **on(c, "PSU__USE__M_AXI_GP2", {"maxihpm0_lpd_aclk": "I"}),
            **on(c, "PSU__USE__S_AXI_GP2", {"saxihp0_fpd_aclk": "I"}),
            **on(c, "PSU__USE__IRQ0", {"pl_ps_irq0": "I"}),
        },
        lambda c: {
            **on(c, "PSU__USE__M_AXI_GP0", {"M_AXI_HPM0_FPD": ("M", "maxihpm0_fpd_aclk")}),
            **on(c, "PSU__USE__M_AXI_GP1", {"M_AXI_HPM1_FPD": ("M", "maxihpm1_fpd_aclk")}),
            **on(c, "PSU__USE__M_AXI_GP2", {"M_AXI_HPM0_LPD": ("M", "maxihpm0_lpd_aclk")}),
            **on(c, "PSU__USE__S_AXI_GP2", {"S_AXI_HP0_FPD": ("S", "saxihp0_fpd_aclk")}),
        },
    ),
    "xilinx.com:ip:axi_dma": Ip(
        "7.1",
        {
            "c_include_sg": BIT,
            "c_sg_include_stscntrl_strm": BIT,
            "c_sg_length_width": frozenset(str(n) for n in range(8, 27)),
            "c_include_mm2s": BIT,
            "c_include_s2mm": BIT,
            "c_m_axi_mm2s_data_width": values("32 64 128 256 512 1024"),
            "c_m_axis_mm2s_tdata_width": values("8 16 32 64 128 256 512 1024"),
            "c_m_axi_s2mm_data_width": values("32 64 128 256 512 1024"),
            "c_s_axis_s2mm_tdata_width": values("8 16 32 64 128 256 512 1024"),
            "c_mm2s_burst_size": values("2 4 8 16 32 64 128 256"),
            "c_s2mm_burst_size": values("2 4 8 16 32 64 128 256"),
        },
        lambda _: {
            **dict.fromkeys(("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk", "axi_resetn"), "I"),
            "mm2s_introut": "O",
            "s2mm_introut": "O",
        },
        lambda _: {
            "S_AXI_LITE": ("S", "s_axi_lite_aclk"),
            "M_AXI_MM2S": ("M", "m_axi_mm2s_aclk"),
            "M_AXI_S2MM": ("M", "m_axi_s2mm_aclk"),
            "M_AXIS_MM2S": ("M", "m_axi_mm2s_aclk"),
            "S_AXIS_S2MM": ("S", "m_axi_s2mm_aclk"),
        },
        ("S_AXI_LITE/Reg",),
    ),
    "xilinx.com:ip:smartconnect": Ip(
        "1.0",
        {"NUM_SI": frozenset(map(str, range(1, 17))), "NUM_MI": frozenset(map(str, range(1, 17)))},
        lambda _: {"aclk": "I", "aresetn": "I"},
        smartconnect_interfaces,
    ),
    "xilinx.com:ip:axi_gpio": Ip(
        "2.0",
        {
            "C_GPIO_WIDTH": frozenset(map(str, range(1, 33))),
            "C_ALL_OUTPUTS": BIT,
            "C_ALL_INPUTS": BIT,
            "C_IS_DUAL": BIT,
        },
        lambda c: {
            "s_axi_aclk": "I",
            "s_axi_aresetn": "I",
            **({} if c.get("C_ALL_INPUTS") == "1" else {"gpio_io_o": "O"}),
            **({} if c.get("C_ALL_OUTPUTS") == "1" else {"gpio_io_i": "I"}),
        },
        lambda _: {"S_AXI": ("S", "s_axi_aclk")},
        ("S_AXI/Reg",),
    ),
    "xilinx.com:ip:proc_sys_reset": Ip(
        "5.0",
        {},
        lambda _: {
            "slowest_sync_clk": "I",
            "ext_reset_in": "I",
            "aux_reset_in": "I",
            "dcm_locked": "I",
            "peripheral_aresetn": "O",
            "interconnect_aresetn": "O",
            "peripheral_reset": "O",
        },
        lambda _: {},
    ),
    "fpgacnn:hls:fpgacnn_axis": Ip(
        "1.0",
        {},
        lambda _: {"ap_clk": "I", "ap_rst_n": "I"},
        lambda _: {"in_stream": ("S", "ap_clk"), "out_stream": ("M", "ap_clk")},
    ),
}
MAY_STAY_OPEN = {"aux_reset_in", "dcm_locked", "IRQ_F2P", "pl_ps_irq0"}
AUTOMATION = {
    "xilinx.com:bd_rule:processing_system7": {"make_external", "apply_board_preset", "Master", "Slave"},
    "xilinx.com:bd_rule:zynq_ultra_ps_e": {"apply_board_preset"},
}
BOARD_FILES = {
    "tul.com.tw:pynq-z2:part0": "1.0",
    "xilinx.com:zcu102:part0": "3.4",
    "xilinx.com:kv260_som:part0": "1.4",
    "avnet.com:ultra96v2:part0": "1.2",
}
PROPERTIES = {
    "core": {"name", "version", "display_name", "description"},
    "project": {"board_part", "ip_repo_paths", "part"},
    "fileset": {"top", "generic"},
}


@dataclass
class Cell:
    vlnv: str
    ip: Ip
    config: dict[str, str] = field(default_factory=dict)


@dataclass
class Packaged:
    """An IP while it is packaged: where it goes, its name, and what its Verilog has."""

    folder: str
    vendor: str
    family: str
    ip: Ip
    version: str = ""
    name: str = ""
    checked: bool = False


_PORT = re.compile(
    r"((?:\(\*[^)]*\*\)\s*)*)(input|output)\s+(?:wire|reg)?\s*(?:\[(\d+):0\]\s*)?(\w+)\s*(?=[,)])", re.DOTALL
)
_INFO = re.compile(r'X_INTERFACE_INFO = "xilinx\.com:(\w+):(\w+):1\.0 (\w+) (\w+)"')
_PIN = re.compile(r"set_property -dict \{PACKAGE_PIN (\w+) IOSTANDARD (\w+)\} \[get_ports \{(.*)\}\]")
_CLOCKED, _RESET = re.compile(r"ASSOCIATED_BUSIF ([\w:]+)"), re.compile(r"ASSOCIATED_RESET (\w+)")
AXIS = {"TDATA", "TKEEP", "TSTRB", "TLAST", "TVALID", "TREADY"}


def packaged_ip(verilog: str, top: str) -> Ip:
    """The IP of a module, as the packager finds it by the attributes of the ports. Raises ScriptError."""
    found = re.search(rf"\bmodule {top} \((.*?)\);", verilog, re.DOTALL)
    if found is None:
        raise ScriptError(f"ipx::package_project: no module {top}")
    pins: dict[str, str] = {}
    streams: dict[str, dict[str, tuple[str, int]]] = {}
    clocks: dict[str, str] = {}
    resets: set[str] = set()
    of_clocks: set[str] = set()
    for attributes, direction, last, name in _PORT.findall(found[1] + ")"):
        info = _INFO.search(attributes)
        match info and info.groups():
            case ("signal", "clock", _, "CLK"):
                pins[name] = "I" if direction == "input" else "O"
                clocks |= {bus: name for bus in (_CLOCKED.findall(attributes) or [""])[0].split(":") if bus}
                of_clocks |= set(_RESET.findall(attributes))
            case ("signal", "reset", _, "RST") if "POLARITY ACTIVE_LOW" in attributes:
                pins[name] = "I" if direction == "input" else "O"
                resets.add(name)
            case ("interface", "axis", bus, port):
                streams.setdefault(bus, {})[port] = direction, int(last or 0) + 1
            case _:
                raise ScriptError(f"ipx::package_project: the port {name} belongs to no interface that is known here")
    if resets != of_clocks:
        raise ScriptError(f"ipx::package_project: clocks have the resets {of_clocks}, the ports are {resets}")
    interfaces = {}
    for bus, ports in streams.items():
        if set(ports) != AXIS or len({direction for port, (direction, _) in ports.items() if port != "TREADY"}) != 1:
            raise ScriptError(f"ipx::package_project: {bus} is no AXI4-Stream: {ports}")
        if ports["TVALID"][0] == ports["TREADY"][0]:
            raise ScriptError(f"ipx::package_project: {bus} is no AXI4-Stream: {ports}")
        if not ports["TDATA"][1] == 8 * ports["TKEEP"][1] == 8 * ports["TSTRB"][1]:
            raise ScriptError(f"ipx::package_project: {bus} has other bytes than bits: {ports}")
        if bus not in clocks:
            raise ScriptError(f"ipx::package_project: {bus} has no clock")
        interfaces[bus] = ("S" if ports["TVALID"][0] == "input" else "M", clocks[bus])
    widths = {bus: ports["TDATA"][1] for bus, ports in streams.items()}
    return Ip("1.0", {}, lambda _: pins, lambda _: interfaces, widths=widths)


@dataclass
class Recorder:
    """The state that the scripts of one board change, step by step, in the working directory."""

    release: Release
    board_files: bool = True
    slack: float = 0.5
    steps: list[str] = field(default_factory=list)
    cells: dict[str, Cell] = field(default_factory=dict)
    drivers: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    project: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=lambda: {"synth_1": "0%", "impl_1": "0%"})
    written: list[str] = field(default_factory=list)
    hls: list[str] = field(default_factory=list)
    packaged: Packaged | None = None
    ports: dict[str, int] = field(default_factory=dict)
    """Output ports of the block design, and their bits."""
    pins: list[str] = field(default_factory=list)
    designs: set[str] = field(default_factory=set)
    opened: bool = False
    validated: bool = False
    run_open: str = ""
    said: list[str] = field(default_factory=list)
    exit_status: int = 0

    def run(self, script: str, table: Mapping[str, Command]) -> int:
        """Run a script to its end; returns its exit status. Raises ScriptError for what the tool refuses."""
        tcl = tk.Tcl()
        problems: list[BaseException] = []
        self.exit_status, self.opened, self.run_open = 0, False, ""
        ended = False

        def define(name: str, known: Command) -> None:
            prefix = "hls_" if table is HLS else "do_"

            def call(*words: str) -> str:
                nonlocal ended
                try:
                    given, rest = known.parse(name, [str(word) for word in words])
                    if name == "exit":
                        ended, self.exit_status = True, int(rest[0]) if rest else 0
                        raise ScriptError("exit")  # noqa: TRY301  # ends the script
                    return str(getattr(self, prefix + name.replace("::", "_"))(given, rest) or "")
                except BaseException as error:
                    if not ended:
                        problems.append(error)
                    raise

            tcl.tk.createcommand(name, call)

        tcl.eval("namespace eval ipx {}")
        for name, known in table.items():
            if known.since <= self.release:
                define(name, known)
        tcl.tk.createcommand("puts", lambda *words: self.said.append(str(words[-1])))
        tcl.tk.createcommand("exec", lambda *_: problems.append(ScriptError("exec: no other program is needed")))
        self.split = tcl.tk.splitlist
        self.steps.append(script)
        try:
            tcl.eval(f"source {script}")
        except tk.TclError as error:
            if problems:
                raise ScriptError(f"{script}: {problems[0]}") from problems[0]
            if not ended:
                raise ScriptError(f"{script}: {error}") from error
        if not ended:
            raise ScriptError(f"{script} does not exit")
        return self.exit_status

    # --- Vitis HLS ------------------------------------------------------------------------------------------------

    def hls_open_project(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.hls = [f"project {rest[0]}"]

    def hls_set_top(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.hls.append(f"top {rest[0]}")

    def hls_add_files(self, given: Mapping[str, str], rest: list[str]) -> None:
        if not Path(rest[0]).is_file():
            raise ScriptError(f"add_files: no file {rest[0]}")
        for flag in given.get("-cflags", "").split():
            if flag.startswith("-I") and not Path(flag[2:]).is_dir():
                raise ScriptError(f"add_files: no folder {flag[2:]}")
        self.hls.append(f"file {rest[0]} {given.get('-cflags', '')}")

    def hls_open_solution(self, given: Mapping[str, str], rest: list[str]) -> None:
        if given.get("-flow_target") not in {"vivado", "vitis"}:
            raise ScriptError(f"open_solution: -flow_target {given.get('-flow_target')}")
        self.hls.append(f"solution {rest[0]} for {given['-flow_target']}")

    def hls_set_part(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.hls.append(f"part {rest[0]}")

    def hls_create_clock(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.hls.append(f"clock {float(given['-period']):g} ns")

    def hls_config_compile(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.hls.append(f"config_compile {dict(given)}")

    def hls_csynth_design(self, given: Mapping[str, str], rest: list[str]) -> None:
        said = " ".join(self.hls)
        for word in ("project", "top", "file", "solution", "part", "clock"):
            if word not in said:
                raise ScriptError(f"csynth_design: no {word} is set")
        self.hls.append("synthesis")

    def hls_export_design(self, given: Mapping[str, str], rest: list[str]) -> None:
        if "synthesis" not in self.hls or given.get("-format") != "ip_catalog":
            raise ScriptError("export_design: nothing to export")
        self.hls.append(f"ip {given['-vendor']}:{given['-library']}:{given['-ipname']}:{given['-version']}")
        place = Path(self.hls[0].removeprefix("project "), "solution1", "impl", "ip")
        place.mkdir(parents=True)
        (place / "component.xml").write_text("")

    # --- project ----------------------------------------------------------------------------------------------------

    def do_create_project(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.project = {"file": f"{rest[1]}/{rest[0]}.xpr", "part": given["-part"]}
        Path(rest[1]).mkdir(parents=True)
        self.opened = True

    def do_close_project(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.do_current_project(given, rest)
        self.project, self.opened = {}, False

    def do_open_project(self, given: Mapping[str, str], rest: list[str]) -> None:
        if rest[0] != self.project.get("file"):
            raise ScriptError(f"open_project: no project {rest[0]}")
        self.opened = True

    def do_current_project(self, given: Mapping[str, str], rest: list[str]) -> str:
        if not self.opened:
            raise ScriptError("no project is open")
        return "project"

    def do_current_fileset(self, given: Mapping[str, str], rest: list[str]) -> str:
        return "fileset"

    def do_get_board_parts(self, given: Mapping[str, str], rest: list[str]) -> str:
        name, star = rest[0].rsplit(":", 1)
        if star != "*":
            raise ScriptError(f"get_board_parts: {rest[0]}")
        return f"{name}:{BOARD_FILES[name]}" if self.board_files and name in BOARD_FILES else ""

    def do_update_ip_catalog(self, given: Mapping[str, str], rest: list[str]) -> None:
        for place in self.split(self.project.get("ip_repo_paths", "")):
            if not Path(place, "component.xml").is_file():
                raise ScriptError(f"update_ip_catalog: no IP in {place}")

    def do_create_ip(self, given: Mapping[str, str], rest: list[str]) -> None:
        vlnv = f"{given['-vendor']}:{given['-library']}:{given['-name']}"
        known = self.catalog
        if vlnv not in known or known[vlnv].version != given["-version"]:
            raise ScriptError(f"create_ip: {vlnv}:{given['-version']} is not in the catalog")
        self.cells[given["-module_name"]] = Cell(f"{vlnv}:{given['-version']}", known[vlnv])

    def do_get_ips(self, given: Mapping[str, str], rest: list[str]) -> str:
        return self._cell(rest[0])

    # --- packaging of RTL ---------------------------------------------------------------------------------------------

    @property
    def catalog(self) -> Mapping[str, Ip]:
        """The IPs of the tool, and the packaged one if its folder is a repository of the project."""
        one = self.packaged
        places = self.split(self.project.get("ip_repo_paths", ""))
        if one is None or not one.checked or str(Path(one.folder).resolve()) not in places:
            return CATALOG
        return {**CATALOG, f"{one.vendor}:{one.family}:{one.name}": one.ip}

    def do_ipx_package_project(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.do_current_project(given, rest)
        files = [Path(line.removeprefix("sources_1 ")) for line in self.files]
        verilog = "".join(file.read_text() for file in files if file.suffix == ".v")
        ip = packaged_ip(verilog, self.project["top"])
        self.packaged = Packaged(given["-root_dir"], given["-vendor"], given["-library"], ip)
        self.hls = [f"packaged {self.project['part']} {len(files)} files"]

    def _core(self) -> Packaged:
        if self.packaged is None:
            raise ScriptError("no core is open")
        return self.packaged

    def do_ipx_current_core(self, given: Mapping[str, str], rest: list[str]) -> str:
        self._core()
        return "core"

    def do_ipx_create_xgui_files(self, given: Mapping[str, str], rest: list[str]) -> None:
        self._core()

    def do_ipx_update_checksums(self, given: Mapping[str, str], rest: list[str]) -> None:
        self._core()

    def do_ipx_check_integrity(self, given: Mapping[str, str], rest: list[str]) -> None:
        core = self._core()
        core.checked = bool(core.name and core.version == core.ip.version)

    def do_ipx_save_core(self, given: Mapping[str, str], rest: list[str]) -> None:
        core = self._core()
        if not core.checked:
            raise ScriptError("ipx::save_core: the core was not checked, or has no name or version")
        Path(core.folder).mkdir(parents=True)
        (Path(core.folder) / "component.xml").write_text("")
        self.hls += [f"ip {core.vendor}:{core.family}:{core.name}:{core.version} in {core.folder}"]
        self.hls += [f"  port {name} {kind}" for name, kind in sorted(core.ip.pins({}).items())]
        for name, (kind, clock) in core.ip.interfaces({}).items():
            self.hls.append(f"  interface {name} {kind} of {clock}, {core.ip.widths[name]} bits")
        self.files.clear()

    # --- block design -----------------------------------------------------------------------------------------------

    def do_create_bd_design(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.designs.add(rest[0])

    def do_create_bd_cell(self, given: Mapping[str, str], rest: list[str]) -> str:
        parts = given["-vlnv"].split(":")
        vlnv = ":".join(parts[:3])
        known = self.catalog
        if vlnv not in known:
            raise ScriptError(f"create_bd_cell: {vlnv} is not in the catalog")
        if rest[0] in self.cells:
            raise ScriptError(f"create_bd_cell: there is a cell {rest[0]}")
        ip = known[vlnv]
        version = ip.version or max((since, text) for since, text in PS8_VERSIONS.items() if since <= self.release)[1]
        if len(parts) == 4 and parts[3] != version:
            raise ScriptError(f"create_bd_cell: {vlnv} has version {version}, not {parts[3]}")
        self.cells[rest[0]] = Cell(f"{vlnv}:{version}", ip)
        return rest[0]

    def do_apply_bd_automation(self, given: Mapping[str, str], rest: list[str]) -> None:
        keys = self.split(given["-config"])[::2]
        rule = given["-rule"]
        if rule not in AUTOMATION or not set(keys) <= AUTOMATION[rule]:
            raise ScriptError(f"apply_bd_automation: {rule} has no {sorted(set(keys) - AUTOMATION.get(rule, set()))}")
        preset = dict(zip(keys, self.split(given["-config"])[1::2], strict=True))["apply_board_preset"]
        if preset == "1" and "board_part" not in self.project:
            raise ScriptError("apply_bd_automation: a preset of a board, and no board_part is set")

    def do_create_bd_port(self, given: Mapping[str, str], rest: list[str]) -> str:
        if given.get("-dir") != "O" or given.get("-to") != "0" or rest[0] in {*self.ports, *self.cells}:
            raise ScriptError(f"create_bd_port: {given} {rest}")
        self.ports[rest[0]] = int(given["-from"]) + 1
        return f"/{rest[0]}"

    def do_get_bd_ports(self, given: Mapping[str, str], rest: list[str]) -> str:
        if rest[0] not in self.ports:
            raise ScriptError(f"there is no port {rest[0]}")
        return f"/{rest[0]}"

    def _bits(self, pin: str) -> int:
        """Bits of a port, or of a pin that a port is connected to."""
        cell, _, name = pin.partition("/")
        return int(self.cells[cell].config.get("C_GPIO_WIDTH", "1")) if cell else self.ports[name]

    def _cell(self, name: str) -> str:
        if name not in self.cells:
            raise ScriptError(f"there is no cell {name}")
        return name

    def do_get_bd_cells(self, given: Mapping[str, str], rest: list[str]) -> str:
        return self._cell(rest[0])

    def do_get_bd_pins(self, given: Mapping[str, str], rest: list[str]) -> str:
        cell, _, pin = rest[0].partition("/")
        found = self.cells[self._cell(cell)]
        if pin not in found.ip.pins(found.config):
            raise ScriptError(f"the cell {cell} has no pin {pin}")
        return rest[0]

    def do_get_bd_intf_pins(self, given: Mapping[str, str], rest: list[str]) -> str:
        cell, _, pin = rest[0].partition("/")
        found = self.cells[self._cell(cell)]
        if pin not in found.ip.interfaces(found.config):
            raise ScriptError(f"the cell {cell} has no interface {pin}")
        return rest[0]

    def do_get_bd_addr_segs(self, given: Mapping[str, str], rest: list[str]) -> str:
        cell, _, segment = rest[0].partition("/")
        if segment not in self.cells[self._cell(cell)].ip.segments:
            raise ScriptError(f"the cell {cell} has no address segment {segment}")
        return rest[0]

    def _direction(self, pin: str) -> str:
        cell, _, name = pin.partition("/")
        return self.cells[cell].ip.pins(self.cells[cell].config)[name] if cell else "I"

    def do_connect_bd_net(self, given: Mapping[str, str], rest: list[str]) -> None:
        sources = [pin for pin in rest if self._direction(pin) == "O"]
        if len(sources) != 1:
            raise ScriptError(f"connect_bd_net: {len(sources)} drivers among {rest}")
        for pin in rest:
            if pin != sources[0]:
                if pin in self.drivers:
                    raise ScriptError(f"connect_bd_net: {pin} is connected to {self.drivers[pin]} already")
                if pin.startswith("/") and self._bits(pin) != self._bits(sources[0]):
                    raise ScriptError(f"connect_bd_net: {pin} and {sources[0]} have different bits")
                self.drivers[pin] = sources[0]

    def _stream_bits(self, pin: str) -> int | None:
        """Bits of the data of a stream; None where they are not known, and for other interfaces."""
        cell, _, name = pin.partition("/")
        key = {"M_AXIS_MM2S": "c_m_axis_mm2s_tdata_width", "S_AXIS_S2MM": "c_s_axis_s2mm_tdata_width"}.get(name, "")
        given = self.cells[cell].config.get(key)
        return int(given) if given else self.cells[cell].ip.widths.get(name)

    def do_connect_bd_intf_net(self, given: Mapping[str, str], rest: list[str]) -> None:
        kinds = {}
        for pin in rest:
            cell, _, name = pin.partition("/")
            kinds[self.cells[cell].ip.interfaces(self.cells[cell].config)[name][0]] = pin
            if pin in self.links or pin in self.links.values():
                raise ScriptError(f"connect_bd_intf_net: {pin} is connected already")
        if set(kinds) != {"M", "S"}:
            raise ScriptError(f"connect_bd_intf_net: {rest} are not a master and a slave")
        widths = {self._stream_bits(pin) for pin in rest} - {None}
        if len(widths) > 1:
            raise ScriptError(f"connect_bd_intf_net: {rest} have {' and '.join(map(str, sorted(widths)))} bits")
        if ("AXIS" in kinds["M"] or "stream" in kinds["M"]) != ("AXIS" in kinds["S"] or "stream" in kinds["S"]):
            raise ScriptError(f"connect_bd_intf_net: {rest} have different protocols")
        self.links[kinds["M"]] = kinds["S"]

    def do_assign_bd_address(self, given: Mapping[str, str], rest: list[str]) -> None:
        if rest:
            if int(given["-offset"], 16) % (64 << 10):
                raise ScriptError(f"assign_bd_address: {given['-offset']} is no multiple of 64K")
            self.addresses[rest[0]] = f"{given['-offset']} {given['-range']}"
        else:
            self.addresses["others"] = "assigned by Vivado"

    def do_validate_bd_design(self, given: Mapping[str, str], rest: list[str]) -> None:
        for name, cell in self.cells.items():
            for pin, kind in cell.ip.pins(cell.config).items():
                if kind == "I" and pin not in MAY_STAY_OPEN and f"{name}/{pin}" not in self.drivers:
                    raise ScriptError(f"validate_bd_design: {name}/{pin} has no driver")
            for pin, (_, clock) in cell.ip.interfaces(cell.config).items():
                whole = f"{name}/{pin}"
                if whole not in self.links and whole not in self.links.values():
                    raise ScriptError(f"validate_bd_design: {whole} is not connected")
                if self.drivers.get(f"{name}/{clock}") is None:
                    raise ScriptError(f"validate_bd_design: {whole} has no clock")
        for port in self.ports:
            if f"/{port}" not in self.drivers:
                raise ScriptError(f"validate_bd_design: the port {port} has no driver")
        if "others" not in self.addresses:
            raise ScriptError("validate_bd_design: addresses are not assigned")
        self.validated = True

    def do_save_bd_design(self, given: Mapping[str, str], rest: list[str]) -> None:
        if not self.validated:
            raise ScriptError("save_bd_design: the design was not validated")

    def do_make_wrapper(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.files.append(f"wrapper of {given['-files']}")

    def do_get_files(self, given: Mapping[str, str], rest: list[str]) -> str:
        if rest[0].removesuffix(".bd") not in self.designs:
            raise ScriptError(f"get_files: no file {rest[0]}")
        return rest[0]

    def do_add_files(self, given: Mapping[str, str], rest: list[str]) -> None:
        for name in self.split(rest[0]):
            if not Path(name).is_file():
                raise ScriptError(f"add_files: no file {name}")
            self.files.append(f"{given.get('-fileset', 'sources_1')} {name}")

    def do_update_compile_order(self, given: Mapping[str, str], rest: list[str]) -> None:
        if given.get("-fileset") != "sources_1":
            raise ScriptError(f"update_compile_order: {given}")

    def do_generate_target(self, given: Mapping[str, str], rest: list[str]) -> None:
        if rest[0] != "all":
            raise ScriptError(f"generate_target: {rest[0]}")
        for design in self.designs:
            place = Path(self.project["file"]).parent / "fpgacnn.gen" / "sources_1" / "bd" / design / "hw_handoff"
            place.mkdir(parents=True)
            (place / f"{design}.hwh").write_text("")

    # --- runs -------------------------------------------------------------------------------------------------------

    def do_get_runs(self, given: Mapping[str, str], rest: list[str]) -> str:
        if rest[0] not in self.runs or not self.opened:
            raise ScriptError(f"get_runs: no run {rest[0]}")
        return f"run:{rest[0]}"

    def do_reset_run(self, given: Mapping[str, str], rest: list[str]) -> None:
        self.runs[rest[0]] = "0%"

    def do_launch_runs(self, given: Mapping[str, str], rest: list[str]) -> None:
        if rest[0] == "impl_1" and self.runs["synth_1"] != "100%":
            raise ScriptError("launch_runs: impl_1 before synth_1 has ended")
        if "top" not in self.project:
            raise ScriptError("launch_runs: no top is set")
        self._check_pins()
        self.runs[rest[0]] = "100%"
        if given.get("-to_step") == "write_bitstream":
            place = Path(self.project["file"]).parent / "fpgacnn.runs" / rest[0]
            place.mkdir(parents=True)
            (place / f"{self.project['top']}.bit").write_text("bits")

    def _check_pins(self) -> None:
        """Raise ScriptError where a bit of the block design's ports has no pin of its own, or no standard."""
        if not self.designs:
            return
        files = [Path(name.split(" ", 1)[1]) for name in self.files if name.startswith("constrs_1 ")]
        found = [pin for file in files for pin in _PIN.findall(file.read_text())]
        bits = sorted(f"{port}[{bit}]" for port, count in self.ports.items() for bit in range(count))
        if sorted(bit for *_, bit in found) != bits or len({pin for pin, *_ in found}) != len(found):
            raise ScriptError(f"launch_runs: the ports {bits} have the pins {found}")
        self.pins = [f"{bit} at {pin}, {standard}" for pin, standard, bit in found]

    def do_wait_on_run(self, given: Mapping[str, str], rest: list[str]) -> None:
        if rest[0] not in self.runs:
            raise ScriptError(f"wait_on_run: no run {rest[0]}")

    def do_open_run(self, given: Mapping[str, str], rest: list[str]) -> None:
        if self.runs[rest[0]] != "100%":
            raise ScriptError(f"open_run: {rest[0]} has not ended")
        self.run_open = rest[0]

    def _report(self, given: Mapping[str, str]) -> None:
        if not self.run_open:
            raise ScriptError("a report, and no run is open")
        Path(given["-file"]).write_text("")
        self.written.append(given["-file"])

    def do_report_utilization(self, given: Mapping[str, str], rest: list[str]) -> None:
        self._report(given)

    def do_report_timing_summary(self, given: Mapping[str, str], rest: list[str]) -> None:
        self._report(given)

    def do_get_timing_paths(self, given: Mapping[str, str], rest: list[str]) -> str:
        if given.get("-delay_type") not in {"max", "min", "min_max"} or not self.run_open:
            raise ScriptError(f"get_timing_paths: {given}")
        return f"path:{given['-delay_type']}"

    def do_write_hw_platform(self, given: Mapping[str, str], rest: list[str]) -> None:
        Path(given["-file"]).write_text("")
        self.written.append(given["-file"])

    # --- properties -------------------------------------------------------------------------------------------------

    def do_get_property(self, given: Mapping[str, str], rest: list[str]) -> str:
        name, thing = rest
        if thing.startswith("run:") and name in {"PROGRESS", "STATUS"}:
            return self.runs[thing.removeprefix("run:")]
        if thing.startswith("path:") and name == "SLACK":
            return str(self.slack)
        raise ScriptError(f"get_property: {thing} has no {name}")

    def do_set_property(self, given: Mapping[str, str], rest: list[str]) -> None:
        if "-dict" in given:
            words = self.split(given["-dict"])
            pairs, thing = list(zip(words[::2], words[1::2], strict=True)), rest[0]
        elif len(rest) == 3:
            pairs, thing = [(rest[0], rest[1])], rest[2]
        else:
            raise ScriptError(f"set_property: {rest}")
        for name, value in pairs:
            if thing in self.cells:
                self._configure(thing, name, value)
            elif thing == "core" and name in PROPERTIES["core"]:
                setattr(self._core(), name, value)
            elif name in PROPERTIES.get(thing, set()):
                self.project[name] = value
            else:
                raise ScriptError(f"set_property: {thing} has no {name}")

    def _configure(self, cell: str, name: str, value: str) -> None:
        key = name.removeprefix("CONFIG.")
        known = self.cells[cell].ip.parameters
        if key == name or key not in known:
            raise ScriptError(f"set_property: {self.cells[cell].vlnv} has no {name}")
        allowed = known[key]
        if allowed is not None and value not in allowed:
            raise ScriptError(f"set_property: {name} of {cell} cannot be {value}")
        self.cells[cell].config[key] = value

    # --- what was recorded ------------------------------------------------------------------------------------------

    def text(self) -> str:
        """The recorded design, for a golden file."""
        here, whole = str(Path.cwd()), str(Path.cwd().parents[1])
        lines = [f"release {self.release[0]}.{self.release[1]}"]
        lines += [line.replace(here, ".").replace(whole, "../..") for line in self.hls]
        lines += [f"project {name} = {value.replace(here, '.')}" for name, value in sorted(self.project.items())]
        for name, cell in sorted(self.cells.items()):
            lines.append(f"cell {name} {cell.vlnv}")
            lines += [f"  {key} = {value}" for key, value in sorted(cell.config.items())]
        lines += [f"net {source} -> {sink}" for sink, source in sorted(self.drivers.items())]
        lines += [f"interface {master} -> {slave}" for master, slave in sorted(self.links.items())]
        lines += [f"address {name} {place}" for name, place in sorted(self.addresses.items())]
        lines += [f"pin {one}" for one in self.pins]
        lines += [f"file {name}" for name in self.files]
        lines += [f"written {name}" for name in self.written]
        return "\n".join(lines) + "\n"
