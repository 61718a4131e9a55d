"""Simulation of an RTL project's wrapper in Verilator: words in, words out, with random pauses on both streams."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files as resources

from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import InternalError, RtlSimulationError, WrapperFrameError
from fpgacnn.hardware.board.beats import ANSWERED, SEED, SENT, Beats, WrapperSimulation
from fpgacnn.hardware.board.layout import Layout
from fpgacnn.hardware.board.wrapper import STREAM_TOP
from fpgacnn.sim.csim import DEFAULT_SECONDS
from fpgacnn.sim.rtl.build import MAIN, OPTIMIZED, SOURCES, RtlProgram
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.subprocesses import run

STOPPED, LEFT_OVER = 4, 6
"""Exit status of the simulation: no word comes or goes any more; more words came than the events have."""

SPARE_CLOCKS = 1000
"""Clocks without any word, beyond those of the schedule, after which the wrapper counts as stopped."""


class WrapperRtl(WrapperSimulation):
    """The wrapper of one board around one RTL project, in Verilator. `wrapper`: its files by path."""

    def __init__(
        self,
        project: RtlProject,
        wrapper: Mapping[str, bytes],
        layout: Layout,
        *,
        board: str,
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        super().__init__(layout, board)
        main = resources("fpgacnn.hardware.board").joinpath("rtl", "simulation", "wrapper_main.cpp")
        files = {
            **{name: data for name, data in project.files.items() if name.startswith("rtl/")},
            **{f"board/{name}": data for name, data in wrapper.items()},
        }
        sources = {name: data for name, data in files.items() if name.endswith(SOURCES)}
        files = {**sources, MAIN: main.read_bytes()}
        self._built = RtlProgram(files, STREAM_TOP, level=OPTIMIZED, seconds=seconds)
        self._seconds, self._idle = seconds, 2 * (project.latency + project.interval) + SPARE_CLOCKS

    def run_beats(self, beats: Beats, events: int, *, seed: int = SEED, memory: bool = False) -> Beats:
        """The wrapper's answer to beats, which are `events` events, damaged ones counted.

        Raises VerilatorMissingError, CompilerMissingError, RtlBuildError, RtlSimulationError, ToolTimeoutError,
        WrapperFrameError if the wrapper stops or leaves words.
        """
        if memory:
            raise InternalError(what="RTL has no kernel on memory")
        with temporary_folder("fpgacnn-wrapper-") as here, self._built.opened(here) as (program, handles):
            self.send(beats, here)
            numbers = [str(len(beats.data)), str(events * self.layout.words_out)]
            command = [program, *numbers, SENT, ANSWERED, str(seed), str(self._idle)]
            finished = run(command, folder=here, seconds=self._seconds, inherited=handles)
            if finished.status == STOPPED:
                raise WrapperFrameError(board=self.board, why=f"{STREAM_TOP} waits for ever: {finished.last_line}")
            if finished.status == LEFT_OVER:
                raise WrapperFrameError(board=self.board, why=f"{STREAM_TOP} gives more words than the events have")
            if finished.status != 0:
                raise RtlSimulationError(how=finished.how, why=finished.last_line)
            try:
                return self.received(here, events, STREAM_TOP)
            except OSError as error:
                raise RtlSimulationError(how="no answers", why=error.strerror or str(error)) from error
