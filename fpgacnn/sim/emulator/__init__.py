"""The emulator: the arithmetic of the hardware, from the Design and not from hls4ml's graph."""

from fpgacnn.sim.emulator.reference import ReferenceEmulator
from fpgacnn.sim.emulator.select import Emulator, engine

__all__ = ["Emulator", "ReferenceEmulator", "engine"]
