"""A generated RTL project as a value: its files, its ports, and the clock of every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fpgacnn.design.project import files_digest
from fpgacnn.ir.fixed_point import CodeArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RtlPort:
    """A stream that simulation writes or reads: `tokens` words of a frame, each `channels` codes of `bits` bits.

    `node` is the node of the design. `name` is the beginning of the names of its wires.
    """

    node: str
    name: str
    tokens: int
    channels: int
    bits: int

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.channels * self.bits


@dataclass(frozen=True, slots=True, kw_only=True)
class RtlLayer:
    """What became of a layer: clocks of its first and last token of a frame, its parts, and the clocks of its fold."""

    name: str
    kind: str
    result: str
    first_clock: int
    last_clock: int
    fold: int
    adders: int
    adder_bits: int
    register_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RtlProject:
    """Files by relative path, and what a simulation needs.

    `interval` and `latency` are clocks: between two frames, and from the first word of a frame to its last answer at
    the port. `answer_clocks` gives the clocks of all answers of an output, for a number of frames without a pause
    (frames, tokens). `traced` are the streams of layers that are ports as well.
    """

    files: Mapping[str, bytes]
    top: str
    inputs: tuple[RtlPort, ...]
    outputs: tuple[RtlPort, ...]
    layers: tuple[RtlLayer, ...]
    interval: int
    latency: int
    frames: int
    answer_clocks: Callable[[str, int], CodeArray]
    traced: tuple[RtlPort, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 over names and contents of all files."""
        return files_digest(self.files)
