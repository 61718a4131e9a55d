"""C simulation of a streamed project with FIFOs of the written depths, several events at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.design.project import TOP, HlsProject, write_files
from fpgacnn.errors import BoundedStreamsError, CSimCrashedError, WriteError
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.sim.bounded.rewrite import Rewritten, main_program, rewritten
from fpgacnn.sim.csim import DEFAULT_SECONDS, CSim
from fpgacnn.sim.result import SimulationResult
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run

SOURCE = f"firmware/{TOP}.cpp"
HEADER = "hls_stream.h"
DEADLOCK = 4
MAX_RESULT_BYTES = 1 << 32
EVENTS = 4
PLAIN, STALLING = "csim, FIFOs as written", "csim, FIFOs as written, pipelines that stall"
"""Names of the engine: results appear at once, or are held back in pipelines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Processes that wait for each other, each with the FIFO that it waits for: `clone of stem (full layer16_cpy2)`."""

    engine: str
    circle: tuple[str, ...]


class BoundedCSim(CSim):
    """C simulation of one streamed project, plain, and with its templates as processes; one program does both."""

    def __init__(
        self, project: HlsProject, design: Design, held: Mapping[str, int], *, seconds: float = DEFAULT_SECONDS
    ) -> None:
        super().__init__(project, design, seconds=seconds)
        try:
            top = project.files[SOURCE].decode("utf-8")
        except (KeyError, UnicodeDecodeError) as error:
            raise BoundedStreamsError(why=f"{SOURCE} is missing or is no text") from error
        self._top = rewritten(top, held)
        self._files |= {
            f"{TOP}_bounded.h": self._top.text.encode(),
            f"bounded/{HEADER}": files("fpgacnn.sim.bounded").joinpath(HEADER).read_bytes(),
            "csim_main.cpp": main_program(self._top.ports, project.inputs, project.outputs).encode(),
        }

    def run_bounded(self, inputs: Sequence[Codes], *, stalling: bool) -> SimulationResult | Stopped:
        """Compute events with FIFOs of the written depths. `stalling`: results are held back, as in stalled pipelines.

        Raises CompilerMissingError, CompileFailedError, CSimCrashedError, ToolTimeoutError.
        """
        events = len(inputs[0].array)
        rows = np.concatenate([one.values.reshape(events, -1) for one in inputs], axis=1)
        engine = STALLING if stalling else PLAIN
        with temporary_folder("fpgacnn-bounded-") as here, self._program(here) as program:
            weights = {name: data for name, data in self._files.items() if name.startswith("firmware/weights/")}
            write_files(here, weights)
            try:
                np.ascontiguousarray(rows).tofile(here / "events.bin")
            except OSError as error:
                raise WriteError(file=here / "events.bin", why=error.strerror or str(error)) from error
            command = [program.path, str(events), "events.bin", "results.bin", "2" if stalling else "1"]
            finished = run(command, folder=here, seconds=self._seconds, inherited=program.handles)
            if finished.status == DEADLOCK:
                return Stopped(engine=engine, circle=circle(finished.tail, self._top))
            answers = _numbers(here / "results.bin") if finished.status == 0 else np.zeros(0)
        sizes = [port.size for port in self._project.outputs]
        if finished.status != 0 or answers.size != events * sum(sizes) or "leftover data" in finished.tail:
            raise CSimCrashedError(how=finished.how, why=finished.last_line)
        parts = np.split(answers.reshape(events, -1), np.cumsum(sizes)[:-1], axis=1)
        outputs = {
            port.node: self._codes(port.node, part) for port, part in zip(self._project.outputs, parts, strict=True)
        }
        return SimulationResult(engine=engine, outputs=outputs, trace={})


def _numbers(file: Path) -> NDArray[np.float64]:
    """The results of the program; none if it left no whole numbers."""
    try:
        content = read_regular(file, limit=MAX_RESULT_BYTES)
    except OSError:
        return np.zeros(0)
    return np.frombuffer(content) if len(content) % np.dtype(np.float64).itemsize == 0 else np.zeros(0)


def circle(output: str, top: Rewritten) -> tuple[str, ...]:
    """The processes that wait for each other, from what the program says of every process that waits."""
    waits: dict[str, tuple[bool, str]] = {}
    for line in output.splitlines():
        words = line.split("\t")
        if len(words) == len(("waits", "process", "full or empty", "FIFO")) and words[0] == "waits":
            waits[words[1]] = (words[2] == "full", words[3])
    order: list[str] = []
    name = next(iter(waits), "")
    while name in waits and name not in order:
        order.append(name)
        full, fifo = waits[name]
        name = (top.readers if full else top.writers).get(fifo, "")
    found = order[order.index(name) :] if name in order else order
    return tuple(f"{one} ({'full' if waits[one][0] else 'empty'} {waits[one][1]})" for one in found)
