"""C simulation of a wrapper: words in, words out, with random pauses on both streams; damaged frames too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design, IoType
from fpgacnn.design.project import TOP, HlsProject, write_files
from fpgacnn.errors import CSimCrashedError, WrapperFormError, WrapperFrameError, WriteError
from fpgacnn.hardware.board.layout import PARTIAL, SHORT, Layout
from fpgacnn.hardware.board.wrapper import HEADER, LIBRARY, MEMORY_TOP, SOURCE, STREAM_TOP
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.sim.bounded.rewrite import places_of, rewritten
from fpgacnn.sim.bounded.run import DEADLOCK
from fpgacnn.sim.bounded.run import HEADER as STREAM_HEADER
from fpgacnn.sim.csim import DEFAULT_SECONDS, CSim
from fpgacnn.sim.result import SimulationResult
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run

FRAMES = (1, 2, 3, 7, 16, 64)
"""Events of the frames that are sent, in turns."""

SEED = 1
_INCLUDE = re.compile(r"^[ \t]*#include.*$", re.MULTILINE)
_TOP = re.compile(rf"^void {STREAM_TOP}\([^)]*\) \{{\n(?P<body>.*?)^\}}\n", re.MULTILINE | re.DOTALL)
_CALL = re.compile(rf"^    (?P<name>fpgacnn_read|fpgacnn_write|{TOP})\((?P<arguments>[^;(){{}}]*)\);$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """Words of a stream with their TLAST and TKEEP: `data` (beats,), `last` (beats,), `keep` (beats,)."""

    data: NDArray[np.uint64]
    last: NDArray[np.bool_]
    keep: NDArray[np.uint64]

    def packed(self) -> bytes:
        """As the simulation reads them: pairs of 64-bit numbers."""
        return np.stack([self.data, self.last.astype(np.uint64) | self.keep << np.uint64(8)], axis=1).tobytes()


def frames_of(events: int) -> list[int]:
    """The sizes of frames for a number of events."""
    sizes: list[int] = []
    while (left := events - sum(sizes)) > 0:
        sizes.append(min(FRAMES[len(sizes) % len(FRAMES)], left))
    return sizes


def beats_of(words: NDArray[np.uint64], sizes: Sequence[int], word_bits: int) -> Beats:
    """The beats of whole events (events, words) in frames of `sizes` events."""
    last = np.zeros(words.shape, np.bool_)
    last[np.cumsum(sizes) - 1, -1] = True
    keep = np.full(words.size, (1 << word_bits // 8) - 1, np.uint64)
    return Beats(data=words.reshape(-1), last=last.reshape(-1), keep=keep)


class WrapperCSim(CSim):
    """The wrapper of one board around one project, in C simulation. `wrapper`: its files by path."""

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
        super().__init__(project, design, seconds=seconds)
        self._layout, self._board = layout, board
        here = resources("fpgacnn.hardware.board").joinpath("hls", "simulation")
        streams = resources("fpgacnn.sim.bounded").joinpath(STREAM_HEADER).read_bytes()
        self._files = {
            **project.files,
            f"bounded/{STREAM_HEADER}": streams,
            "board/ap_axi_sdata.h": here.joinpath("ap_axi_sdata.h").read_bytes(),
            "board/fpgacnn_axi.h": wrapper[LIBRARY],
            "board/fpgacnn_wrapper.h": wrapper[HEADER],
            "fpgacnn_wrapper_simulated.h": simulated(project, design, wrapper[SOURCE]).encode(),
            "csim_main.cpp": here.joinpath("wrapper_main.cpp").read_bytes(),
        }

    def words(self, inputs: Sequence[Codes]) -> NDArray[np.uint64]:
        """The words (events, words of an event) of codes."""
        return self._layout.pack(tuple(one.array for one in inputs))

    def run_beats(self, beats: Beats, events: int, *, seed: int = SEED, memory: bool = False) -> Beats:
        """The wrapper's answer to beats, which are `events` events, damaged ones counted.

        Raises CompileFailedError, CSimCrashedError, WrapperFrameError if the wrapper stops or leaves words.
        """
        wanted = events * self._layout.words_out * 16
        with temporary_folder("fpgacnn-wrapper-") as here, self._program(here) as program:
            write_files(here, {n: data for n, data in self._files.items() if n.startswith("firmware/weights/")})
            try:
                (here / "in.bin").write_bytes(beats.packed())
            except OSError as error:
                raise WriteError(file=here / "in.bin", why=error.strerror or str(error)) from error
            way = MEMORY_TOP if memory else STREAM_TOP
            numbers = [str(events), str(len(beats.data))]
            command = [program.path, *numbers, "in.bin", "out.bin", str(seed), "memory" if memory else "stream"]
            finished = run(command, folder=here, seconds=self._seconds, inherited=program.handles)
            if finished.status == DEADLOCK:
                raise WrapperFrameError(board=self._board, why=f"{way} waits for ever: {finished.last_line}")
            if finished.status in {5, 6} or "leftover data" in finished.tail:
                raise WrapperFrameError(board=self._board, why=f"{way} takes or gives a wrong number of words")
            if finished.status != 0:
                raise CSimCrashedError(how=finished.how, why=finished.last_line)
            try:
                answer = read_regular(here / "out.bin", limit=wanted)
            except OSError as error:
                raise CSimCrashedError(how="no results", why=error.strerror or str(error)) from error
        if len(answer) != wanted:
            raise WrapperFrameError(board=self._board, why=f"{way} gives {len(answer)} of {wanted} bytes")
        pairs = np.frombuffer(answer, np.uint64).reshape(-1, 2)
        flags = pairs[:, 1]
        return Beats(data=pairs[:, 0].copy(), last=(flags & np.uint64(1)).astype(np.bool_), keep=flags >> np.uint64(8))

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Send events in frames, with random pauses.

        Raises WrapperFrameError if status, TLAST or TKEEP of an answer are wrong.
        """
        assert not trace
        events = len(inputs[0].array)
        sizes = frames_of(events)
        found = self.run_beats(beats_of(self.words(inputs), sizes, self._layout.word_bits), events)
        return self._result(found, sizes, "wrapper with stalls")

    def run_memory(self, inputs: Sequence[Codes]) -> SimulationResult:
        """Send events through the kernel on memory, as one frame.

        Raises WrapperFrameError as `run`.
        """
        events = len(inputs[0].array)
        beats = beats_of(self.words(inputs), [events], self._layout.word_bits)
        return self._result(self.run_beats(beats, events, memory=True), [events], "kernel on memory")

    def _result(self, found: Beats, sizes: Sequence[int], engine: str) -> SimulationResult:
        problem = next(broken_frames(found, sizes, self._layout), None)
        if problem:
            raise WrapperFrameError(board=self._board, why=problem)
        outputs, _ = self._layout.unpack(found.data.reshape(-1, self._layout.words_out))
        pairs = zip(self._layout.outputs, outputs, strict=True)
        codes = {port.node: Codes(array=array, format=port.format) for port, array in pairs}
        return SimulationResult(engine=engine, outputs=codes, trace={})


def broken_frames(found: Beats, sizes: Sequence[int], layout: Layout) -> Iterator[str]:
    """What is wrong with the status, TLAST and TKEEP of answers to undamaged frames of `sizes` events."""
    events = sum(sizes)
    last = np.zeros((events, layout.words_out), np.bool_)
    last[np.cumsum(sizes) - 1, -1] = True
    if (found.last != last.reshape(-1)).any():
        place = int((found.last != last.reshape(-1)).argmax())
        yield f"TLAST of word {place} is {int(found.last[place])}"
    if (found.keep != np.uint64((1 << layout.word_bits // 8) - 1)).any():
        yield "a word lacks bytes (TKEEP)"
    _, status = layout.unpack(found.data.reshape(-1, layout.words_out))
    numbers = np.concatenate([np.arange(size) for size in sizes]).astype(np.int64)
    wanted = layout.status(numbers, np.zeros(events, np.int64))
    if (status != wanted).any():
        event = int((status != wanted).argmax())
        yield f"the status of event {event} is {int(status[event]):#018x}, not {int(wanted[event]):#018x}"


def errors_of(status: NDArray[np.uint64]) -> list[str]:
    """The errors of every status, in words."""
    words = {SHORT: "TLAST before its end", PARTIAL: "a word without all bytes (TKEEP)"}
    return [
        " and ".join(text for bit, text in words.items() if int(one) & bit) or "none" for one in status.astype(object)
    ]


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
