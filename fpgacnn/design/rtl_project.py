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

    @property
    def axi_width(self) -> int:
        """Bits of an AXI-Stream word."""
        return whole_bytes(self.width)


def whole_bytes(bits: int) -> int:
    """Bits of the fewest bytes that hold so many bits: AXI-Stream words are whole bytes."""
    return (bits + 7) // 8 * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RtlStream:
    """The words of a layer's result inside of the top module: the wires of valid and data, and what they hold."""

    port: RtlPort
    valid: str
    data: str


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
    the port. For a number of frames without a pause, `answer_clocks` gives the clocks of all answers of an output at
    its port (frames, tokens), and `layer_clocks` those of a layer's words inside. `streams` are the layers whose words
    can be seen inside of the top module, `traced` those that are ports of it.
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
    layer_clocks: Callable[[str, int], CodeArray]
    streams: tuple[RtlStream, ...]
    traced: tuple[RtlPort, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 over names and contents of all files."""
        return files_digest(self.files)
