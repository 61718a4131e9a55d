"""Streams between modules, and the lines of the top module that make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.kernels.module import Kernel
from fpgacnn.hardware.rtl.schedule import Times
from fpgacnn.ir.fixed_point import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Tokens of an image pixel by pixel, or one word of a vector: `channels` codes side by side.

    `valid` and `data` are wires of the top module. `times` are the clocks of the tokens. `border` are zeros around the
    image (top, bottom, left, right) that a convolution behind it adds to its padding.
    """

    height: int
    width: int
    channels: int
    form: Format
    valid: str
    data: str
    times: Times
    border: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def tokens(self) -> int:
        """Tokens of a frame."""
        return self.height * self.width

    @property
    def bits(self) -> int:
        """Bits of a token."""
        return self.channels * self.form.width


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleUse:
    """An instance of a library module, and the layer that it belongs to; `data`: not only its `valid` is used."""

    layer: str
    kind: str
    parameters: Mapping[str, object]
    data: bool


@dataclass(slots=True, kw_only=True)
class Netlist:
    """The top module while it is built: lines, kernels, copies of those built more than once, memories, what is used.

    `layer` is the one that is being built; `layer_of` gives it for kernels and memories.

    Every name is a fixed beginning and then the whole name of a layer, and no beginning continues another one, so that
    no layer's name can make two names equal. Instances begin with `u_`.
    """

    frame_clocks: int
    lines: list[str] = field(default_factory=list)
    kernels: dict[str, Kernel] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    memories: dict[str, str] = field(default_factory=dict)
    fifo_words: int = 0
    layer: str = ""
    uses: list[ModuleUse] = field(default_factory=list)
    layer_of: dict[str, str] = field(default_factory=dict)

    def begin(self, layer: str) -> None:
        """Begin a layer: what is made from now on belongs to it."""
        self.layer_of |= {name: self.layer for name in (*self.kernels, *self.memories) if name not in self.layer_of}
        self.layer = layer

    def module(self, kind: str, name: str, parameters: dict[str, object], ports: dict[str, str]) -> None:
        """An instance; every module has `clk` and `rst`."""
        values = ", ".join(f".{key}({value})" for key, value in parameters.items())
        wires = ", ".join(f".{key}({value})" for key, value in {"clk": "clk", "rst": "rst", **ports}.items())
        self.lines.append(f"  {kind} #({values}) u_{name} ({wires});")
        used = ports.get("out_data") != ""
        self.uses.append(ModuleUse(layer=self.layer, kind=kind, parameters=parameters, data=used))

    def wire(self, name: str, bits: int) -> None:
        """A wire."""
        self.lines.append(f"  wire [{bits - 1}:0] {name};" if bits > 1 else f"  wire {name};")

    def fifo(self, name: str, given: Stream, take: str, depth: int) -> Stream:
        """A stream behind a FIFO; its times stay those of its tokens' arrival."""
        valid, data = f"fifo_valid_{name}", f"fifo_data_{name}"
        self.wire(valid, 1)
        self.wire(data, given.bits)
        self.fifo_words += depth
        self.module(
            "fpgacnn_fifo",
            f"fifo_{name}",
            {"DW": given.bits, "DEPTH": depth},
            {
                "in_valid": given.valid,
                "in_data": given.data,
                "out_valid": valid,
                "out_data": data,
                "take": take,
            },
        )
        return replace(given, valid=valid, data=data)

    def kernel(
        self,
        kernel: Kernel,
        name: str,
        given: Stream,
        vectors: list[str],
        result: Format,
        *,
        role: str = "",
        copies: int = 1,
    ) -> Stream:
        """A kernel behind a stream; `vectors` are its inputs, `given` has the valid of all of them.

        `role` begins the names of a kernel that is not the last one of its layer. Each of `copies` reads its part of
        the vectors, the first one the lowest bits.
        """
        self.kernels[kernel.name] = kernel
        if copies > 1:
            self.copies[kernel.name] = copies
        valid, data = f"{role}valid_{name}", f"{role}data_{name}"
        channels = len(kernel.results) * copies
        self.wire(valid, 1)
        self.wire(data, channels * result.width)
        self._instances(kernel, f"{role}kernel_{name}", vectors, data, copies)
        self.delay(f"{role}delay_{name}", given.valid, valid, kernel.latency)
        return replace(
            given,
            channels=channels,
            form=result,
            valid=valid,
            data=data,
            times=schedule.later(given.times, kernel.latency),
        )

    def _instances(self, kernel: Kernel, name: str, vectors: list[str], data: str, copies: int) -> None:
        if copies == 1:
            wires = ", ".join(f".in{number}({vector})" for number, vector in enumerate(vectors))
            self.lines.append(f"  {kernel.name} u_{name} (.clk(clk), {wires}, .out({data}));")
            return
        place, widths = f"copy_of_{name}", [port.width for port in kernel.inputs]
        parts = [f"{one}[{place}*{bits} +: {bits}]" for one, bits in zip(vectors, widths, strict=True)]
        wires = ", ".join(f".in{number}({part})" for number, part in enumerate(parts))
        bits = len(kernel.results) * kernel.result_bits
        self.lines += [
            f"  genvar {place};",
            "  generate",
            f"    for ({place} = 0; {place} < {copies}; {place} = {place} + 1) begin : copies_of_{name}",
            f"      {kernel.name} u_{name} (.clk(clk), {wires}, .out({data}[{place}*{bits} +: {bits}]));",
            "    end",
            "  endgenerate",
        ]

    def delay(self, name: str, valid: str, delayed: str, clocks: int) -> None:
        """A valid some clocks later."""
        self.module(
            "fpgacnn_delay",
            name,
            {"DW": 1, "N": clocks},
            {"in_valid": valid, "in_data": "1'b0", "out_valid": delayed, "out_data": ""},
        )
