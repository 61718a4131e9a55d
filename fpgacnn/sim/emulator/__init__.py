"""The emulator: the same arithmetic as the hardware, read from the Design and not from hls4ml's graph."""

from fpgacnn.sim.emulator.reference import ReferenceEmulator
from fpgacnn.sim.emulator.select import Emulator, engine

__all__ = ["Emulator", "ReferenceEmulator", "engine"]
