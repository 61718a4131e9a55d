"""All files of a board's folder: wrapper, scripts, drivers, and the description of the words of an event."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import BackendName, Design, Target
from fpgacnn.design.project import HlsProject, files_digest
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import BoardRefusedError
from fpgacnn.hardware.board.boards import Board, BoardKind
from fpgacnn.hardware.board.cpp import cpp_files
from fpgacnn.hardware.board.entry import Entry, SelfTest
from fpgacnn.hardware.board.instructions import instructions
from fpgacnn.hardware.board.layout import Layout, PortWords, layout_of
from fpgacnn.hardware.board.rtl_wrapper import RTL_LIBRARY, RTL_SOURCE, rtl_wrapper_files
from fpgacnn.hardware.board.wrapper import (
    HEADER,
    LIBRARY,
    MEMORY_TOP,
    SOURCE,
    STREAM_TOP,
    top_ports,
    wrapper_files,
)
from fpgacnn.ir.fixed_point import Format
from fpgacnn.system.npz import packed

FOLDER = "board"
"""Folder of a project with a folder for each board."""

DESCRIPTION, VECTORS = "board.json", "vectors.npz"
SCHEMA = 1
DMA_ADDRESS = {BoardKind.ZYNQ7000: 0x40400000, BoardKind.ZYNQMP: 0xA0000000}
"""In the windows of M_AXI_GP0 (UG585) and M_AXI_HPM0_FPD (UG1085)."""

LED_ADDRESS = {BoardKind.ZYNQ7000: 0x41200000, BoardKind.ZYNQMP: 0xA0010000}
"""In the same windows."""

NOT_RUN = "No Vivado, no Vitis and no board has run these files where they were written."
PYTHON = ("fpgacnn_board.py", "fpgacnn_transport.py", "fpgacnn_run.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardTree:
    """The folder of a board as a value: files by path, and the words of an event."""

    board: Board
    layout: Layout
    files: Mapping[str, bytes]


def network_digest(project: HlsProject | RtlProject) -> str:
    """sha256 of the C++ with its weights, or of the RTL; the first bits are the identity that every answer repeats."""
    folder = "rtl/" if isinstance(project, RtlProject) else "firmware/"
    return files_digest({name: data for name, data in project.files.items() if name.startswith(folder)})


def board_layout(board: Board, project: HlsProject | RtlProject, design: Design) -> Layout:
    """The words of a project's events on a board.

    Raises WrapperFormError, BoardRefusedError.
    """
    channels: list[int | None]
    if isinstance(project, RtlProject):
        channels = [port.channels for port in (*project.inputs, *project.outputs)]
    else:
        channels = [top.channels for top in top_ports(project)]
    return layout_of(design, channels, network_digest(project), board.word_bits)


def wrapper_names(backend: BackendName) -> tuple[str, ...]:
    """The files of a wrapper in the folder of a board."""
    return (RTL_SOURCE, RTL_LIBRARY) if backend is BackendName.RTL else (HEADER, SOURCE, LIBRARY)


def refuse_other_tools(board: Board, target: Target) -> None:
    """Raise BoardRefusedError for what has no way to the board.

    That are projects of Vivado HLS, whose releases end with 2020.1, and RTL on a card, whose kernels are of C++.
    """
    if target.backend is BackendName.VIVADO:
        raise BoardRefusedError(
            what=f"a project for Vivado HLS on {board.name}",
            why="the wrapper needs Vitis HLS 2021.1 to 2025.2; convert with --backend vitis",
        )
    if target.backend is BackendName.RTL and board.kind is BoardKind.ALVEO:
        raise BoardRefusedError(
            what=f"an RTL project on {board.name}",
            why="kernels of cards read the memory of the card, and only the wrapper of HLS projects does;"
            " convert with --backend vitis, or for a board with a processor or a serial line",
        )


def board_tree(
    board: Board, project: HlsProject | RtlProject, design: Design, entries: Sequence[Entry], test: SelfTest
) -> BoardTree:
    """Everything that a board needs.

    Raises BoardRefusedError for a project that has no way to the board and for names that repeat, WrapperFormError.
    """
    refuse_other_tools(board, design.target)
    layout = board_layout(board, project, design)
    description = _json(describe(board, layout, entries))
    here = {
        DESCRIPTION: description,
        **_wrapper(project, layout),
        **script_files(board, layout, design.target.backend),
        **driver_files(description, test),
        **(cpp_files(board, layout, entries, test, DMA_ADDRESS[board.kind]) if board.has_processor else {}),
        "README.md": instructions(board, NOT_RUN, design.target.backend).encode(),
    }
    return BoardTree(board=board, layout=layout, files=here)


def _wrapper(project: HlsProject | RtlProject, layout: Layout) -> dict[str, bytes]:
    if isinstance(project, RtlProject):
        return rtl_wrapper_files(layout, project)
    return wrapper_files(layout, top_ports(project))


def describe(board: Board, layout: Layout, entries: Sequence[Entry]) -> dict[str, object]:
    """What the drivers read: the words of an event, and how numbers become codes.

    Raises BoardRefusedError if two inputs or two outputs have the same name.
    """
    _refuse_repeated("inputs", [one.name for one in entries])
    _refuse_repeated("outputs", [port.source for port in layout.outputs])
    pairs = zip(layout.inputs, entries, strict=True)
    return {
        "schema": SCHEMA,
        "board": board.name,
        "kind": board.kind.value,
        "part": board.part,
        "clock_mhz": board.clock_mhz,
        "baud": board.baud,
        "word_bits": layout.word_bits,
        "words_in": layout.words_in,
        "words_out": layout.words_out,
        "identity": layout.identity,
        "leds": {"pins": len(board.leds), "linux": list(board.linux_leds)},
        "inputs": [_port(port, one.name, one.mode, one.element, exact=one.exact) for port, one in pairs],
        "outputs": [_port(port, port.source, port.format, "float64", exact=False) for port in layout.outputs],
    }


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BoardRefusedError(
            what=f"{what} with the same name {repeated[0]!r}", why="the drivers find inputs and outputs by their names"
        )


def _port(port: PortWords, name: str, form: Format, element: str, *, exact: bool) -> dict[str, object]:
    return {
        "name": name,
        "shape": list(port.shape),
        "width": form.width,
        "fraction": form.fraction,
        "signed": form.signed,
        "rounding": form.rounding.value,
        "overflow": form.overflow.value,
        "element": element,
        "exact": exact,
        "groups": port.groups,
        "channels": port.channels,
        "padded": port.padded,
        "lane_bits": port.lane_bits,
        "words": port.words,
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode()


def script_files(board: Board, layout: Layout, backend: BackendName) -> dict[str, bytes]:
    """Scripts of Vitis HLS and Vivado, or of v++, and the settings that they read."""
    design = "design_uart" if board.kind is BoardKind.UART else "design_processor"
    names = (
        ()
        if board.kind is BoardKind.ALVEO
        else (_ip_script(backend), "common", design, "synthesis", "implementation", "bitstream")
    )
    found = {f"scripts/{name}.tcl": _resource("scripts", f"{name}.tcl") for name in names}
    found["build.sh"] = _resource("scripts", "build.sh")
    found["steps.sh"] = _steps(board, layout, backend).encode()
    if names:
        found["settings.tcl"] = _settings(board, backend).encode()
    if board.kind is BoardKind.UART:
        found["hls/fpgacnn_uart.v"] = _resource("hls", "fpgacnn_uart.v")
        found["board.xdc"] = _constraints(board).encode()
    if board.leds:
        found["board.xdc"] = _led_constraints(board).encode()
    if board.kind is BoardKind.ALVEO:
        found["connectivity.cfg"] = _connectivity(board).encode()
    return found


def _ip_script(backend: BackendName) -> str:
    """The script that makes an IP of wrapper and network."""
    return "package" if backend is BackendName.RTL else "ip"


def _resource(*parts: str) -> bytes:
    return resources("fpgacnn.hardware.board").joinpath(*parts).read_bytes()


def _settings(board: Board, backend: BackendName) -> str:
    rtl = backend is BackendName.RTL
    values: dict[str, object] = {
        "board": board.name,
        "kind": board.kind.value,
        "part": board.part,
        "board_part": board.board_part,
        "clock_mhz": board.clock_mhz,
        "clock_hz": board.clock_mhz * 1_000_000,
        "clock_ns": f"{board.clock_ns:.3f}",
        "word_bits": board.word_bits,
        "memory_bits": board.memory_bits,
        "length_bits": board.length_bits,
        "baud": board.baud,
        "dma_address": f"{DMA_ADDRESS.get(board.kind, 0):#010x}",
        "led_address": f"{LED_ADDRESS.get(board.kind, 0):#010x}",
        "led_count": len(board.leds),
        "ip_top": STREAM_TOP,
        "ip_library": "rtl" if rtl else "hls",
        "ip_folder": "build/ip" if rtl else "build/fpgacnn_prj/solution1/impl/ip",
    }
    lines = "".join(f"set {name} {{{value}}}\n" for name, value in values.items())
    return f"# {board.title}. {board.source}.\n{lines}"


def _steps(board: Board, layout: Layout, backend: BackendName) -> str:
    serial, card = board.kind is BoardKind.UART, board.kind is BoardKind.ALVEO
    values = {
        "steps": "kernel link" if card else "ip design synthesis implementation bitstream",
        "ip_script": "" if card else _ip_script(backend),
        "design_script": "design_uart" if serial else "design_processor",
        "identity": f"{layout.identity:08x}",
        "platform": board.platform,
        "clock_hz": str(board.clock_mhz * 1_000_000),
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _constraints(board: Board) -> str:
    pins = "".join(
        f"set_property -dict {{PACKAGE_PIN {pin} IOSTANDARD LVCMOS33}} [get_ports {port}]\n"
        for port, pin in board.pins.items()
    )
    return (
        f"# {board.title}. {board.source}.\n{pins}"
        f"create_clock -name clock -period {board.clock_ns:.3f} [get_ports clock]\n"
        "set_false_path -from [get_ports {reset_n from_host}]\nset_false_path -to [get_ports {to_host led}]\n"
    )


def _led_constraints(board: Board) -> str:
    """Pins of the block design's port `leds`."""
    pins = "".join(
        f"set_property -dict {{PACKAGE_PIN {pin} IOSTANDARD {board.led_standard}}} [get_ports {{leds[{bit}]}}]\n"
        for bit, pin in enumerate(board.leds)
    )
    return f"# {board.title}. LEDs: {board.led_source}.\n{pins}set_false_path -to [get_ports {{leds[*]}}]\n"


def _connectivity(board: Board) -> str:
    name = f"{MEMORY_TOP}_1"
    return (
        f"# {board.title}. {board.source}.\n[connectivity]\nnk={MEMORY_TOP}:1:{name}\n"
        f"sp={name}.in_words:{board.memory}\nsp={name}.out_words:{board.memory}\n"
    )


def driver_files(description: bytes, test: SelfTest) -> dict[str, bytes]:
    """Drivers in Python, with events for the test on the board."""
    vectors: dict[str, NDArray[np.generic]] = {
        f"input_{number}": values for number, values in enumerate(test.inputs)
    } | {f"output_{number}": codes for number, codes in enumerate(test.outputs)}
    python = {f"python/{name}": _resource("drivers", "python", name) for name in PYTHON}
    return {**python, f"python/{DESCRIPTION}": description, f"python/{VECTORS}": packed(vectors)}
