"""Load compiled kernels; the only module that uses ctypes for them. Other Python threads run during a call."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import KernelBuildError
from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.sim.emulator.native.codegen.program import Program, offsets

ALIGNMENT = 64

CHUNKS = 16
"""Chunks of one call, after which Python can handle signals."""

BAD_INPUT, NONE_LEFT = 1, 2
"""Bits of the result of `fpgacnn_run`."""


class _Step(ctypes.Structure):
    """`struct step` of lanes.h."""

    _fields_ = (
        ("kernel", ctypes.c_int64),
        ("size", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        ("scalar", ctypes.c_void_p),
    )


def _loaded(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise KernelBuildError(why=str(error)) from error
    library.fpgacnn_run.restype = library.fpgacnn_lanes.restype = ctypes.c_int32
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.fpgacnn_run.argtypes = [pointer, number, *[pointer] * 3, *[number] * 3, pointer, pointer]
    return library


class Kernels:
    """A program with its compiled kernels. It keeps alive all tables that the steps point to."""

    def __init__(self, program: Program, path: str, lanes: int) -> None:
        self._library = _loaded(path)
        if self._library.fpgacnn_lanes() != lanes:
            raise KernelBuildError(why=f"the kernels were built for another processor than {lanes} lanes")
        self._kept: list[object] = []
        self._steps = (_Step * len(program.steps))()
        self._count = len(program.steps)
        tally = 0
        for place, (one, kernel) in enumerate(zip(program.steps, program.kernels, strict=True)):
            sizes = np.array((*offsets(one), *one.sizes, tally), np.int64)
            scalars = np.array(one.scalars or (0,), np.int64)
            tables = np.array([table.ctypes.data for table in one.tables] or [0], np.uintp)
            self._kept += [sizes, scalars, tables, one.tables]
            self._steps[place] = _Step(kernel, sizes.ctypes.data, tables.ctypes.data, scalars.ctypes.data)
            tally += len(one.tallies)

    def run(self, work: Work, memory: NDArray[np.uint8], counts: CodeArray) -> tuple[bool, bool]:
        """Compute some of the events that are left; whether any are left then, and whether all inputs are good."""
        found = self._library.fpgacnn_run(
            self._steps,
            self._count,
            work.inputs,
            work.outputs,
            work.next,
            work.events,
            work.size,
            CHUNKS,
            memory.ctypes.data,
            counts.ctypes.data,
        )
        return not found & NONE_LEFT, not found & BAD_INPUT


class Work:
    """Events that threads compute together in chunks of `size`. Arrays are C-contiguous; the work keeps them alive."""

    def __init__(
        self, inputs: Sequence[NDArray[np.generic]], outputs: Sequence[CodeArray], events: int, size: int
    ) -> None:
        self._kept = inputs, outputs
        self.inputs, self.outputs = (
            (ctypes.c_void_p * max(len(arrays), 1))(*(array.ctypes.data for array in arrays))
            for arrays in (inputs, outputs)
        )
        self.next = ctypes.pointer(ctypes.c_int64(0))
        self.events, self.size = events, size

    def stop(self) -> None:
        """Leave no events to threads that still compute."""
        self.next.contents.value = self.events


def aligned(size: int) -> NDArray[np.uint8]:
    """Zeroed memory that is aligned for vectors."""
    whole = np.zeros(size + ALIGNMENT, np.uint8)
    start = -whole.ctypes.data % ALIGNMENT
    return whole[start : start + size]
