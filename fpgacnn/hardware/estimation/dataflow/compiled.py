"""The simulation's loops as compiled code, if there is a C compiler: about 60 times faster, same results."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import FpgacnnError, OutOfMemoryError
from fpgacnn.hardware.estimation.dataflow.process import Network
from fpgacnn.hardware.estimation.dataflow.simulate import GAP, State, Tables, Trace, run_interpreted, trace_of
from fpgacnn.sim.emulator.native.build import find_c_compiler, library

SOURCE = "kernel.c"
OUT_OF_MEMORY = 2
FRAMES = 4

_NUMBERS = ("processes", "channels", "frames", "gap")
_ARRAYS = (
    "first",
    "cycle",
    "channel",
    "write",
    "length",
    "depth",
    "latency",
    "writer",
    "reader",
    "base",
    "written",
    "taken",
    "writes",
    "reads",
    "started",
    "done",
    "wait",
)


class _Network(ctypes.Structure):
    """`struct network` of kernel.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _NUMBERS),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
    )


@cache
def _kernel() -> ctypes.CDLL | None:
    """The compiled kernel; None if no compiler is found, or the one that is found cannot make it."""
    compiler = find_c_compiler()
    if compiler is None:
        return None
    source = files("fpgacnn.hardware.estimation.dataflow").joinpath(SOURCE).read_text(encoding="utf-8")
    try:
        with library(source, compiler) as path:
            loaded = ctypes.CDLL(str(path))
    except (FpgacnnError, OSError):
        return None  # an estimate needs no compiler
    loaded.fpgacnn_simulate.restype = ctypes.c_int32
    loaded.fpgacnn_simulate.argtypes = [ctypes.POINTER(_Network)]
    return loaded


def has_kernel() -> bool:
    """Whether simulations run as compiled code."""
    return _kernel() is not None


class Simulator:
    """Runs one network with different depths of its FIFOs; what does not depend on depths is prepared once."""

    def __init__(self, network: Network, *, compiled: bool = True) -> None:
        self._network = network
        self._tables = Tables.of(network)
        self._compiled = compiled

    def run(self, depths: dict[str, int] | None = None, frames: int = FRAMES) -> Trace:
        """Simulate frames that follow each other as fast as they are taken.

        Raises OutOfMemoryError.
        """
        network = self._network if depths is None else self._network.with_depths(depths)
        state = State.of(network, self._tables, frames)
        ended = fill(self._tables, state, frames, compiled=self._compiled)
        return trace_of(network, state, ended=ended)


def fill(tables: Tables, state: State, frames: int, *, compiled: bool = True) -> bool:
    """Fill an empty state with the times of all words; whether every frame ended.

    Raises OutOfMemoryError.
    """
    kernel = _kernel() if compiled else None
    return run_interpreted(tables, state, frames) if kernel is None else _run_compiled(kernel, tables, state, frames)


def _run_compiled(kernel: ctypes.CDLL, tables: Tables, state: State, frames: int) -> bool:
    arrays: dict[str, NDArray[np.generic]] = {
        name: np.ascontiguousarray(getattr(tables if hasattr(tables, name) else state, name)) for name in _ARRAYS
    }
    given = _Network(
        len(tables.length),
        len(state.depth),
        frames,
        GAP,
        *(arrays[name].ctypes.data for name in _ARRAYS),
    )
    status = kernel.fpgacnn_simulate(ctypes.byref(given))
    if status == OUT_OF_MEMORY:
        raise OutOfMemoryError
    return bool(status == 0)
