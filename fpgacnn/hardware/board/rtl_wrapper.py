"""Write the wrapper of an RTL project: Verilog with an AXI4-Stream on each side, which Vivado can package as an IP."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files as resources

from fpgacnn.design.rtl_project import RtlPort, RtlProject
from fpgacnn.hardware.board.layout import PARTIAL, SHORT, Layout, PortWords

RTL_SOURCE, RTL_LIBRARY = "rtl/fpgacnn_axis.v", "rtl/fpgacnn_axis_library.v"
STATES_MORE = 2
"""Places for the states of events beside those that are on their way through the network."""

_STREAM = "xilinx.com:interface:axis:1.0"
_PORTS = (("TDATA", "{data}"), ("TKEEP", "{bytes}"), ("TSTRB", "{bytes}"), ("TLAST", ""), ("TVALID", ""))

_TEXT = """// The network between two AXI4-Streams of {bits} bits. Written by fpgacnn. Verilog 2005.
// Words, frames and status of an answer are those of the wrapper of HLS projects: docs/board.md. After TLAST in
// an event, the rest of the event is zero.
`default_nettype none

module fpgacnn_axis (
  (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 ap_clk CLK" *)
  (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF in_stream:out_stream, ASSOCIATED_RESET ap_rst_n" *)
  input wire ap_clk,
  (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 ap_rst_n RST" *)
  (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
  input wire ap_rst_n,
{ports}
);
  reg rst = 1'b1;
  always @(posedge ap_clk) rst <= !ap_rst_n;

  // The stream of events, and the place of a word in its event.
  wire arrived, arrived_last, arrived_taken;
  wire [{last_bit}:0] arrived_data;
  wire [{last_byte}:0] arrived_keep;
  fpgacnn_axis_queue #(.DW({in_bits}), .DEPTH(2)) u_in (
    .clk(ap_clk), .rst(rst), .in_valid(in_stream_TVALID), .in_ready(in_stream_TREADY),
    .in_data({{in_stream_TLAST, in_stream_TKEEP, in_stream_TDATA}}), .out_valid(arrived), .out_ready(arrived_taken),
    .out_data({{arrived_last, arrived_keep, arrived_data}}));
  reg [{in_place_bits}:0] place;
  reg ended; // by TLAST
  reg [7:0] errors;
  reg [15:0] number;
  wire state_place;
  wire end_of_event = place == {words_in} - 1;
  wire word_valid = (ended || arrived) && (!end_of_event || state_place);
  wire [{last_bit}:0] word = ended ? {bits}'d0 : arrived_data;
  wire ended_now = ended || arrived_last;
  wire [7:0] errors_now = errors | (ended ? 8'd{short} : &arrived_keep ? 8'd0 : 8'd{partial});
{selects_in}
  wire {ready_wires};
  wire took = word_valid && ({ready_in});
  assign arrived_taken = took && !ended;
  always @(posedge ap_clk)
    if (rst) begin
      place <= 0; ended <= 1'b0; errors <= 8'd0; number <= 16'd0;
    end else if (took) begin
      place <= end_of_event ? 0 : place + 1'b1;
      ended <= end_of_event ? 1'b0 : ended_now;
      errors <= end_of_event ? 8'd0 : errors_now;
      if (end_of_event) number <= ended_now ? 16'd0 : number + 16'd1;
    end

  // The place of a word in its answer.
  reg [{out_place_bits}:0] answer_place;
  wire answer_ready, gave;
  wire end_of_answer = answer_place == {words_out} - 1;
{selects_out}
  always @(posedge ap_clk)
    if (rst) answer_place <= 0;
    else if (gave) answer_place <= end_of_answer ? 0 : answer_place + 1'b1;

  // The inputs and outputs of the network.
{units}
  {top} network (
    .aclk(ap_clk), .aresetn(ap_rst_n),
    {pins});

  // The states of the events that the network has begun and not finished.
  wire state_valid, state_last;
  wire [15:0] state_number;
  wire [7:0] state_errors;
  fpgacnn_axis_queue #(.DW(25), .DEPTH({states})) u_states (
    .clk(ap_clk), .rst(rst), .in_valid(took && end_of_event), .in_ready(state_place),
    .in_data({{ended_now, number, errors_now}}), .out_valid(state_valid), .out_ready(gave && end_of_answer),
    .out_data({{state_last, state_number, state_errors}}));

  // The stream of answers: the outputs, then the status.
  wire [63:0] status = {{32'h{identity:08x}, state_number, 8'd0, state_errors}};
  wire answer_valid = {valid_out};
  wire [{last_bit}:0] answer = {word_out};
  assign gave = answer_valid && answer_ready;
  fpgacnn_axis_queue #(.DW({out_bits}), .DEPTH(2)) u_out (
    .clk(ap_clk), .rst(rst), .in_valid(answer_valid), .in_ready(answer_ready),
    .in_data({{end_of_answer && state_last, answer}}), .out_valid(out_stream_TVALID), .out_ready(out_stream_TREADY),
    .out_data({{out_stream_TLAST, out_stream_TDATA}}));
  assign out_stream_TKEEP = {{{bytes}{{1'b1}}}};
  assign out_stream_TSTRB = {{{bytes}{{1'b1}}}};
endmodule

`default_nettype wire
"""

_INPUT = """  wire group_valid_{n}, group_ready_{n}, x_valid_{n}, x_ready_{n};
  wire [{last}:0] group_{n};
  wire [{code_last}:0] codes_{n} = {{{codes}}};
  wire [{code_last}:0] x_{n};
  fpgacnn_axis_resize #(.IN({bits}), .OUT({group}), .PIECES({pieces})) u_take_{n} (
    .clk(ap_clk), .rst(rst), .in_valid(word_valid && to_{n}), .in_ready(ready_{n}), .in_data(word),
    .out_valid(group_valid_{n}), .out_ready(group_ready_{n}), .out_data(group_{n}));
"""
_DIRECT = "  assign x_{n} = codes_{n}, x_valid_{n} = group_valid_{n}, group_ready_{n} = x_ready_{n};"
_QUEUED = """  fpgacnn_axis_queue #(.DW({code_bits}), .DEPTH({depth})) u_event_{n} (
    .clk(ap_clk), .rst(rst), .in_valid(group_valid_{n}), .in_ready(group_ready_{n}), .in_data(codes_{n}),
    .out_valid(x_valid_{n}), .out_ready(x_ready_{n}), .out_data(x_{n}));"""
"""The network begins an event with the first group of every input, and the words of the inputs follow each other: each
but the last waits in a FIFO for one event."""
_OUTPUT = """  wire y_valid_{n}, y_ready_{n}, answer_valid_{n};
  wire [{axi_last}:0] y_{n};
  wire [{last}:0] lanes_{n} = {{{lanes}}};
  wire [{bits_last}:0] answer_{n};
  fpgacnn_axis_resize #(.IN({group}), .OUT({bits}), .PIECES({pieces})) u_give_{n} (
    .clk(ap_clk), .rst(rst), .in_valid(y_valid_{n}), .in_ready(y_ready_{n}), .in_data(lanes_{n}),
    .out_valid(answer_valid_{n}), .out_ready(answer_ready && from_{n}), .out_data(answer_{n}));"""


def rtl_wrapper_files(layout: Layout, project: RtlProject) -> dict[str, bytes]:
    """The files of the wrapper, by their paths below the board's folder."""
    here = resources("fpgacnn.hardware.board").joinpath(RTL_LIBRARY)
    return {RTL_SOURCE: _source(layout, project).encode(), RTL_LIBRARY: here.read_bytes()}


def _source(layout: Layout, project: RtlProject) -> str:
    bits, inputs, outputs = layout.word_bits, range(len(layout.inputs)), range(len(layout.outputs))
    given = list(zip(layout.inputs, project.inputs, strict=True))
    taken = list(zip(layout.outputs, project.outputs, strict=True))
    pins = [pin for n, (_, port) in enumerate(given) for pin in _pins(port, "x", n, bits=port.axi_width)]
    pins += [pin for n, (_, port) in enumerate(taken) for pin in _pins(port, "y", n, bits=port.axi_width)]
    status = "status" if bits >= 64 else "end_of_answer ? status[63:32] : status[31:0]"
    return _TEXT.format(
        ports=",\n".join(_ports("in_stream", bits, "input", "output") + _ports("out_stream", bits, "output", "input")),
        bits=bits,
        bytes=bits // 8,
        last_bit=bits - 1,
        last_byte=bits // 8 - 1,
        in_bits=1 + bits // 8 + bits,
        out_bits=1 + bits,
        in_place_bits=_last_bit(layout.words_in),
        out_place_bits=_last_bit(layout.words_out),
        words_in=layout.words_in,
        words_out=layout.words_out,
        short=SHORT,
        partial=PARTIAL,
        identity=layout.identity,
        states=project.frames + STATES_MORE,
        selects_in=_selects("to", "place", layout.inputs),
        ready_wires=", ".join(f"ready_{n}" for n in inputs),
        ready_in=" || ".join(f"to_{n} && ready_{n}" for n in inputs),
        units="\n".join(
            [_input(n, words, port, last=n == len(given) - 1) for n, (words, port) in enumerate(given)]
            + [_output(n, words, port) for n, (words, port) in enumerate(taken)]
        ),
        top=project.top,
        pins=",\n    ".join(pins),
        selects_out=_selects("from", "answer_place", layout.outputs),
        valid_out="".join(f"from_{n} ? answer_valid_{n} : " for n in outputs) + "state_valid",
        word_out="".join(f"from_{n} ? answer_{n} : " for n in outputs) + status,
    )


def _last_bit(words: int) -> int:
    """The number of the highest bit of a register that counts words."""
    return max(1, (words - 1).bit_length()) - 1


def _ports(name: str, bits: int, forward: str, back: str) -> list[str]:
    """The ports of an AXI4-Stream, which Vivado finds as one interface."""
    ranges = {"{data}": f"[{bits - 1}:0] ", "{bytes}": f"[{bits // 8 - 1}:0] ", "": ""}
    found = [(forward, ranges[width], signal) for signal, width in _PORTS] + [(back, "", "TREADY")]
    return [
        f'  (* X_INTERFACE_INFO = "{_STREAM} {name} {signal}" *)\n  {direction} wire {width}{name}_{signal}'
        for direction, width, signal in found
    ]


def _selects(word: str, place: str, ports: Sequence[PortWords]) -> str:
    """A wire for each port: whether the place of a word is one of this port's."""
    lines, first = list[str](), 0
    for number, port in enumerate(ports):
        end = first + port.words
        above = f"{place} >= {first} && " if first else ""
        lines.append(f"  wire {word}_{number} = {above}{place} < {end};")
        first = end
    return "\n".join(lines)


def _pins(port: RtlPort, letter: str, number: int, *, bits: int) -> list[str]:
    data = f"{letter}_{number}" if letter == "y" or bits == port.width else f"{{{bits - port.width}'d0, x_{number}}}"
    return [
        f".{port.name}_tdata({data})",
        f".{port.name}_tvalid({letter}_valid_{number})",
        f".{port.name}_tready({letter}_ready_{number})",
        *([f".{port.name}_tlast()"] if letter == "y" else []),
    ]


def _input(number: int, words: PortWords, port: RtlPort, *, last: bool) -> str:
    lane = words.lane_bits
    codes = [f"group_{number}[{channel * lane} +: {port.bits}]" for channel in reversed(range(port.channels))]
    text = _INPUT + (_DIRECT if last else _QUEUED)
    return text.format(
        n=number,
        bits=words.word_bits,
        group=words.padded * lane,
        last=words.padded * lane - 1,
        pieces=_pieces(words),
        codes=_listed(codes),
        code_bits=port.width,
        code_last=port.width - 1,
        depth=max(2, words.groups),
    )


def _output(number: int, words: PortWords, port: RtlPort) -> str:
    lane, padding = words.lane_bits, (words.padded - words.channels) * words.lane_bits
    lanes = [_lane(f"y_{number}", channel * port.bits, port.bits, words) for channel in reversed(range(port.channels))]
    return _OUTPUT.format(
        n=number,
        bits=words.word_bits,
        bits_last=words.word_bits - 1,
        group=words.padded * lane,
        last=words.padded * lane - 1,
        pieces=_pieces(words),
        axi_last=port.axi_width - 1,
        lanes=_listed([*([f"{padding}'d0"] if padding else []), *lanes]),
    )


def _pieces(words: PortWords) -> int:
    """Groups of an event, or words where a group fills several."""
    return words.groups * max(1, words.padded * words.lane_bits // words.word_bits)


def _lane(name: str, first: int, bits: int, words: PortWords) -> str:
    """A code with its sign extended to a lane."""
    code, more = f"{name}[{first} +: {bits}]", words.lane_bits - bits
    if not more:
        return code
    return f"{{{more}{{{name}[{first + bits - 1}]}}}}, {code}" if words.format.signed else f"{more}'d0, {code}"


def _listed(parts: Sequence[str]) -> str:
    """Parts of a concatenation, one a line where there are several."""
    return parts[0] if len(parts) == 1 else "\n    " + ",\n    ".join(parts)
