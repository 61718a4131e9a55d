"""The emulator: the same arithmetic as the hardware, read from the Design and not from hls4ml's graph."""

from fpgacnn.sim.emulator.engines import Emulator, engine
from fpgacnn.sim.emulator.reference import ReferenceEmulator

__all__ = ["Emulator", "ReferenceEmulator", "engine"]
