"""C simulation of a wrapper: words in, words out, with random pauses on both streams; damaged frames too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files as resources
from pathlib import Path

from fpgacnn.design import Design, IoType
from fpgacnn.design.project import TOP, HlsProject, write_files
from fpgacnn.errors import CSimCrashedError, WrapperFormError, WrapperFrameError
from fpgacnn.hardware.board.beats import ANSWERED, SEED, SENT, Beats, WrapperSimulation
from fpgacnn.hardware.board.layout import Layout
from fpgacnn.hardware.board.wrapper import HEADER, LIBRARY, MEMORY_TOP, SOURCE, STREAM_TOP
from fpgacnn.sim.bounded.rewrite import places_of, rewritten
from fpgacnn.sim.bounded.run import DEADLOCK
from fpgacnn.sim.bounded.run import HEADER as STREAM_HEADER
from fpgacnn.sim.csim import DEFAULT_SECONDS, CSim
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.subprocesses import run

_INCLUDE = re.compile(r"^[ \t]*#include.*$", re.MULTILINE)
_TOP = re.compile(rf"^void {STREAM_TOP}\([^)]*\) \{{\n(?P<body>.*?)^\}}\n", re.MULTILINE | re.DOTALL)
_CALL = re.compile(rf"^    (?P<name>fpgacnn_read|fpgacnn_write|{TOP})\((?P<arguments>[^;(){{}}]*)\);$", re.MULTILINE)


class WrapperCSim(WrapperSimulation):
    """The wrapper of one board around one HLS project, in C simulation. `wrapper`: its files by path."""

    def __init__(
        self,
        project: HlsProject,
        design: Design,
        wrapper: Mapping[str, bytes],
        layout: Layout,
        *,
        board: str,
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        super().__init__(layout, board)
        here = resources("fpgacnn.hardware.board").joinpath("hls", "simulation")
        streams = resources("fpgacnn.sim.bounded").joinpath(STREAM_HEADER).read_bytes()
        self._seconds = seconds
        self._files = {
            **project.files,
            f"bounded/{STREAM_HEADER}": streams,
            "board/ap_axi_sdata.h": here.joinpath("ap_axi_sdata.h").read_bytes(),
            "board/fpgacnn_axi.h": wrapper[LIBRARY],
            "board/fpgacnn_wrapper.h": wrapper[HEADER],
            "fpgacnn_wrapper_simulated.h": simulated(project, design, wrapper[SOURCE]).encode(),
            "csim_main.cpp": here.joinpath("wrapper_main.cpp").read_bytes(),
        }
        self._built = _Built(project, design, self._files, seconds)

    def run_beats(self, beats: Beats, events: int, *, seed: int = SEED, memory: bool = False) -> Beats:
        """The wrapper's answer to beats, which are `events` events, damaged ones counted.

        Raises CompileFailedError, CSimCrashedError, WrapperFrameError if the wrapper stops or leaves words.
        """
        with temporary_folder("fpgacnn-wrapper-") as here, self._built.opened(here) as (program, handles):
            write_files(here, {n: data for n, data in self._files.items() if n.startswith("firmware/weights/")})
            self.send(beats, here)
            way = MEMORY_TOP if memory else STREAM_TOP
            numbers = [str(events), str(len(beats.data))]
            command = [program, *numbers, SENT, ANSWERED, str(seed), "memory" if memory else "stream"]
            finished = run(command, folder=here, seconds=self._seconds, inherited=handles)
            if finished.status == DEADLOCK:
                raise WrapperFrameError(board=self.board, why=f"{way} waits for ever: {finished.last_line}")
            if finished.status in {5, 6} or "leftover data" in finished.tail:
                raise WrapperFrameError(board=self.board, why=f"{way} takes or gives a wrong number of words")
            if finished.status != 0:
                raise CSimCrashedError(how=finished.how, why=finished.last_line)
            try:
                return self.received(here, events, way)
            except OSError as error:
                raise CSimCrashedError(how="no results", why=error.strerror or str(error)) from error


class _Built(CSim):
    """The compiler of C simulation with other files than those of a project."""

    def __init__(self, project: HlsProject, design: Design, files: Mapping[str, bytes], seconds: float) -> None:
        super().__init__(project, design, seconds=seconds)
        self._files = {**files}

    @contextmanager
    def opened(self, here: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The program, and the opened files that its path goes through."""
        with self._program(here) as program:
            yield program.path, program.handles


def simulated(project: HlsProject, design: Design, source: bytes) -> str:
    """The wrapper as it is in the folder, and once more as processes that can wait.

    Raises WrapperFormError if its top function is not as fpgacnn writes it.
    """
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrapperFormError(file=SOURCE, why="it is no text") from error
    head = f'#include "firmware/{TOP}.cpp"\n#include "board/fpgacnn_wrapper.h"\n'
    plain = _INCLUDE.sub("", text)
    ports = "hls::stream<fpgacnn_axi::packet> &in_stream, hls::stream<fpgacnn_axi::packet> &out_stream"
    begin = f"static void {STREAM_TOP}_processes({ports}) {{\n"
    if design.target.io is not IoType.STREAM:
        whole = f'    fpgacnn_bounded::process("wrapper", 0, [&] {{ {STREAM_TOP}(in_stream, out_stream); }});\n'
        return f"{head}{plain}{begin}{whole}    fpgacnn_bounded::run();\n}}\n"
    bounded = rewritten(project.files[f"firmware/{TOP}.cpp"].decode("utf-8"), {})
    return f"{head}{bounded.text}{plain}{begin}{_processes(plain)}}}\n"


def _processes(text: str) -> str:
    """The body of the wrapper's top function: reader and writer as processes, and the network's own processes last."""
    top = _TOP.search(text)
    calls = [found["name"] for found in _CALL.finditer(top["body"])] if top else []
    if top is None or calls != ["fpgacnn_read", TOP, "fpgacnn_write"]:
        raise WrapperFormError(file=SOURCE, why=f"{STREAM_TOP} does not read, compute and write in this order")
    network = ""

    def process(call: re.Match[str]) -> str:
        nonlocal network
        if call["name"] == TOP:
            network = f"    {TOP}_bounded({call['arguments']});\n"
            return ""
        return f'    fpgacnn_bounded::process("{call["name"]}", 0, [&] {{ {call[0].strip()} }});'

    body = places_of(top["body"])
    return f"{_CALL.sub(process, body)}{network}"
