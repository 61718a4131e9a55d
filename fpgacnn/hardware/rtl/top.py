"""The top module: AXI-Stream ports, credits at the entrance, the layers, and FIFOs of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import assert_never

from fpgacnn.design import Design, IoType
from fpgacnn.design.project import TOP
from fpgacnn.design.rtl_project import whole_bytes
from fpgacnn.errors import RtlUnsupportedError
from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.layers import StreamBuilder
from fpgacnn.hardware.rtl.moves import becomes_padding, most_tokens
from fpgacnn.hardware.rtl.parallel.builder import ParallelBuilder
from fpgacnn.hardware.rtl.stream import Netlist, Stream
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTop:
    """The text of the top module, what it is made of, and the streams of all layers."""

    text: str
    netlist: Netlist
    inputs: Mapping[str, Stream]
    streams: Mapping[str, Stream]
    folds: Mapping[str, int]
    frame_clocks: int
    frames: int


def build(design: Design) -> BuiltTop:
    """The top module of a design.

    Raises RtlUnsupportedError.
    """
    model = design.model
    shapes = {name: _token_shape(design, name) for name in model.inputs}
    tokens = [height * width for height, width, _ in shapes.values()]
    frame = max(*tokens, *(_tokens(design, layer) for layer in model.layers))
    netlist = Netlist(frame_clocks=frame)
    inputs = {
        name: Stream(
            height=height,
            width=width,
            channels=channels,
            form=design.plan.layers[name].result.format,
            valid=f"enter_{name}",
            data=f"data_{name}",
            times=times,
        )
        for (name, (height, width, channels)), times in zip(
            shapes.items(), schedule.arrivals(tokens, frame), strict=True
        )
    }
    builder = _builder(design, netlist)
    streams: dict[str, Stream] = {}
    for layer in model.layers:
        netlist.begin(layer.name)
        if isinstance(layer.operation, hw.Input):
            streams[layer.name] = inputs[layer.name]
        else:
            streams[layer.name] = builder.layer(layer, [streams[name] for name in layer.inputs])
            for name in layer.inputs:  # what comes after the last reader looks at the first arrival only
                if model.consumers(name)[-1].name == layer.name:
                    streams[name] = replace(streams[name], times=streams[name].times[: schedule.FRAMES])
    netlist.begin("")
    for name, stream in streams.items():
        if schedule.interval(stream.times) != frame:
            raise RtlUnsupportedError(layer=name, why=f"it cannot keep up with {frame} clocks a frame")
    outputs = {name: streams[name] for name in model.outputs}
    frames = max(schedule.frames_on_the_way(one.times, frame) for one in outputs.values())
    text = _text(netlist, inputs, outputs, frames)
    return BuiltTop(
        text=text,
        netlist=netlist,
        inputs=inputs,
        streams=streams,
        folds={name: fold.clocks for name, fold in builder.folds.items()},
        frame_clocks=frame,
        frames=frames,
    )


def _builder(design: Design, netlist: Netlist) -> StreamBuilder | ParallelBuilder:
    match design.target.io:
        case IoType.STREAM:
            return StreamBuilder(design, netlist, TOP)
        case IoType.PARALLEL:
            return ParallelBuilder(design, netlist, TOP)
        case _:
            assert_never(design.target.io)


def _tokens(design: Design, layer: hw.Layer) -> int:
    """Tokens of a layer, one in a clock."""
    return 1 if design.target.io is IoType.PARALLEL else most_tokens(design.model, layer)


def traced_layers(design: Design) -> list[str]:
    """The layers whose streams a trace shows: all but inputs, and zeros that become padding."""
    return [
        layer.name
        for layer in design.model.layers
        if not isinstance(layer.operation, hw.Input) and not becomes_padding(design.model, layer)
    ]


def _token_shape(design: Design, name: str) -> Shape:
    """Height, width and channels of an input's tokens; a flat input that becomes an image comes in its pixels.

    In parallel, all values are one token.
    """
    shape = design.model.layer(name).shape
    if design.target.io is IoType.PARALLEL:
        return (1, 1, prod(shape))
    readers = design.model.consumers(name)
    if (
        len(shape) == 1
        and readers
        and all(isinstance(one.operation, src.Reshape) and one.shape == readers[0].shape for one in readers)
    ):
        shape = readers[0].shape
    return (1,) * (3 - len(shape)) + shape if len(shape) <= 3 else _refuse(name, shape)


def _refuse(name: str, shape: Shape) -> Shape:
    raise RtlUnsupportedError(layer=name, why=f"an input of shape {shape} is no image, sequence or vector")


def axi_index(count: int, number: int) -> str:
    """The suffix of a port: none where there is only one."""
    return "" if count == 1 else f"_{number}"


def _text(
    netlist: Netlist,
    inputs: Mapping[str, Stream],
    outputs: Mapping[str, Stream],
    frames: int,
) -> str:
    ports = ["input aclk", "input aresetn"]
    body = ["  wire open;", "  wire clk = aclk;", "  reg rst = 1'b1;", "  always @(posedge aclk) rst <= !aresetn;"]
    starts = list[str]()
    for number, (name, stream) in enumerate(inputs.items()):
        port = f"s_axis{axi_index(len(inputs), number)}"
        ports += [
            f"input [{whole_bytes(stream.bits) - 1}:0] {port}_tdata",
            f"input {port}_tvalid",
            f"output {port}_tready",
        ]
        body += [
            f"  wire enter_{name}, start_{number};",
            f"  wire [{stream.bits - 1}:0] data_{name} = {port}_tdata[{stream.bits - 1}:0];",
            _ENTRANCE.format(tokens=stream.tokens, number=number, name=name),
            f"  assign {port}_tready = start_{number} ? begun : 1'b1;",
            f"  assign enter_{name} = {port}_tvalid && {port}_tready;",
        ]
        starts += [f"start_{number}", f"{port}_tvalid"]
    start = f"open && {' && '.join(starts)}"
    if netlist.frame_clocks > max(stream.tokens for stream in inputs.values()):
        body.append(_BETWEEN_FRAMES.format(clocks=netlist.frame_clocks, start=start))
    else:
        body.append(f"  assign begun = {start};")
    body = ["  wire begun;", *body]
    ends, opens = list[str](), list[str]()
    for number, stream in enumerate(outputs.values()):
        port = f"m_axis{axi_index(len(outputs), number)}"
        ports += [
            f"output [{whole_bytes(stream.bits) - 1}:0] {port}_tdata",
            f"output {port}_tvalid",
            f"input {port}_tready",
            f"output {port}_tlast",
        ]
        ends.append(_answers(port, number, stream, frames))
        opens.append(f"open_{number}")
    ends.append(f"  assign open = !rst && {' && '.join(opens)};")
    separator = ",\n  "
    return "\n".join([f"module {TOP} (\n  {separator.join(ports)}\n);", *body, *netlist.lines, *ends, "endmodule", ""])


_BETWEEN_FRAMES = (
    "  fpgacnn_pace #(.PACE({clocks})) u_between_frames (.clk(clk), .rst(rst), .in_valid({start}), .take(begun));"
)

_ENTRANCE = """  fpgacnn_frame #(.P({tokens})) u_entrance_{number} (.clk(clk), .rst(rst), .in_valid(enter_{name}),
    .first(start_{number}), .last());"""

_ANSWERS = """  wire [{last_bit}:0] answer_data_{number};
  wire open_{number}, answered_{number}, answer_last_{number};
  fpgacnn_fifo #(.DW({bits}), .DEPTH({words})) u_answers_{number} (.clk(clk), .rst(rst), .in_valid({valid}),
    .in_data({data}), .out_valid({port}_tvalid), .out_data(answer_data_{number}), .take({port}_tready));
  assign answered_{number} = {port}_tvalid && {port}_tready;
  fpgacnn_frame #(.P({tokens})) u_frame_{number} (.clk(clk), .rst(rst), .in_valid(answered_{number}), .first(),
    .last(answer_last_{number}));
  assign {port}_tdata = {value};
  assign {port}_tlast = answer_last_{number};
  fpgacnn_credits #(.F({frames})) u_credits_{number} (.clk(clk), .rst(rst), .begun(begun),
    .ended(answered_{number} && answer_last_{number}), .open(open_{number}));"""


def _answers(port: str, number: int, stream: Stream, frames: int) -> str:
    """A FIFO that holds all answers of the frames that may be on their way, and the credits of these frames."""
    padding = whole_bytes(stream.bits) - stream.bits
    data = f"answer_data_{number}"
    return _ANSWERS.format(
        port=port,
        number=number,
        bits=stream.bits,
        last_bit=stream.bits - 1,
        words=frames * stream.tokens,
        valid=stream.valid,
        data=stream.data,
        tokens=stream.tokens,
        value=f"{{{padding}'b0, {data}}}" if padding else data,
        frames=frames,
    )
