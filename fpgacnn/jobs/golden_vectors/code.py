"""The generated code of a project, C++ or SystemVerilog: its simulation, with a trace too, and its files made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fpgacnn.design.project import HlsProject
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.hardware.hls import backend
from fpgacnn.hardware.rtl import backend as rtl_backend
from fpgacnn.hardware.rtl.trace import with_trace
from fpgacnn.pipeline.open_project import OpenedProject
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.rtl.run import RtlSimulation


def words_of_simulation(opened: OpenedProject) -> str:
    """What the simulation of a project's code is called."""
    return "RTL simulation" if isinstance(opened.project, RtlProject) else "C simulation"


def simulation_of(opened: OpenedProject, seconds: float) -> CSim | RtlSimulation:
    """The simulation of the code in the folder."""
    if isinstance(opened.project, RtlProject):
        return RtlSimulation(opened.project, opened.design, seconds=seconds)
    return CSim(opened.project, opened.design, seconds=seconds)


def traced_simulation_of(opened: OpenedProject, seconds: float) -> CSim | RtlSimulation:
    """The simulation of the code in the folder, with the answers of every layer."""
    if isinstance(opened.project, RtlProject):
        return RtlSimulation(with_trace(opened.project), opened.design, seconds=seconds)
    return CSim(_with_trace(opened), opened.design, seconds=seconds)


def made_again(opened: OpenedProject) -> Mapping[str, bytes]:
    """The files that this version generates from the project's design."""
    if isinstance(opened.project, RtlProject):
        return rtl_backend.convert(opened.design).files
    return backend.convert(opened.design, opened.hls("freeze")[1]).files


def _with_trace(opened: OpenedProject) -> HlsProject:
    """The folder's C++ with a trace of every layer: generated again, with the files edited in the folder."""
    project, lowered = opened.hls("freeze")
    plain_code = backend.convert(opened.design, lowered).files
    traced = backend.convert(opened.design, lowered, trace=True)
    same = {name for name, content in traced.files.items() if plain_code.get(name) == content}
    return replace(
        traced,
        files={**traced.files, **{name: content for name, content in project.files.items() if name in same}},
    )
