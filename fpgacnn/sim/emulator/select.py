"""Choose the emulator: compiled kernels if there is a C compiler, else NumPy."""

from __future__ import annotations

from typing import TypeAlias

from fpgacnn.design import Design
from fpgacnn.sim.emulator.blas_engine import FloatEmulator
from fpgacnn.sim.emulator.native.build import find_c_compiler
from fpgacnn.sim.emulator.native.engine import NativeEmulator
from fpgacnn.sim.emulator.reference import ReferenceEmulator

Emulator: TypeAlias = NativeEmulator | FloatEmulator | ReferenceEmulator


def engine(design: Design, *, threads: int | None = None, packed: bool = False) -> Emulator:
    """The fastest emulator on this machine. All give the same codes; `words` of each describes it.

    With `packed`, compiled kernels write codes in narrower integers than int64 where these hold them.
    """
    compiler = find_c_compiler()
    return NativeEmulator(design, compiler, threads=threads, packed=packed) if compiler else FloatEmulator(design)
