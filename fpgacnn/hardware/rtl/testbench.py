"""A test bench for any Verilog simulator: events and answers from files, every answer compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fpgacnn.design.rtl_project import RtlPort, RtlProject
from fpgacnn.design.rtl_words import packed
from fpgacnn.ir.fixed_point import Codes

_BENCH = """// Sends the events in {folder} to {top} and compares every answer. Run it in this folder, for example:
//   iverilog -g2012 -o bench bench_of_{top}.sv ../rtl/*.sv ../rtl/*/*.sv && vvp bench
`timescale 1ns/1ps
module bench_of_{top};
  reg aclk = 0, aresetn = 0;
  always #1 aclk = ~aclk;
  integer wrong = 0, clocks = 0;
{declarations}
  {top} dut (.aclk(aclk), .aresetn(aresetn), {connections});
  initial begin
{reads}
    repeat (8) @(posedge aclk);
    @(negedge aclk) aresetn = 1;
  end
  always @(posedge aclk) begin
    clocks <= clocks + 1;
{steps}
    if ({finished}) begin
      if (wrong == 0) $display("PASS: {events} events, every answer equal");
      else $display("FAIL: %0d words differ", wrong);
      $finish;
    end
    if (clocks > {most}) begin
      $display("FAIL: answers are missing");
      $finish;
    end
  end
endmodule
"""


def bench_files(project: RtlProject, codes: Sequence[Codes], answers: Sequence[Codes]) -> Mapping[str, bytes]:
    """The test bench and its words; `codes` of the inputs and `answers` of the outputs have the same events."""
    events = len(codes[0].array)
    found: dict[str, bytes] = {}
    for word, ports, tensors in (("in", project.inputs, codes), ("out", project.outputs, answers)):
        for number, (port, one) in enumerate(zip(ports, tensors, strict=True)):
            found[f"tb/{word}_{number}.hex"] = _hex(one, port)
    found[f"tb/bench_of_{project.top}.sv"] = _text(project, events).encode()
    return found


def _hex(codes: Codes, port: RtlPort) -> bytes:
    """The words of a port, one a line."""
    words = packed(codes.array, port, port.axi_width)
    lines = [f"{int.from_bytes(row.tobytes(), 'little'):0{port.axi_width // 4}x}\n" for row in words]
    return "".join(lines).encode()


def _text(project: RtlProject, events: int) -> str:
    declarations, connections, reads, steps = (list[str]() for _ in range(4))
    for word, ports in (("in", project.inputs), ("out", project.outputs)):
        for number, port in enumerate(ports):
            name, last, words = f"{word}_{number}", port.axi_width - 1, events * port.tokens
            declarations += [f"  reg [{last}:0] {name} [0:{words - 1}];", f"  integer {name}_count = 0;"]
            reads.append(f'    $readmemh("{name}.hex", {name});')
            pins = ("tdata", "tvalid", "tready")
            connections += [f".{port.name}_{pin}({name}_{pin})" for pin in pins]
            if word == "in":
                declarations += [
                    f"  wire {name}_tready;",
                    f"  wire {name}_tvalid = aresetn && ({name}_count < {words});",
                    f"  wire [{last}:0] {name}_tdata = {name}[{name}_count];",
                ]
                steps.append(f"    if ({name}_tvalid && {name}_tready) {name}_count <= {name}_count + 1;")
            else:
                connections.append(f".{port.name}_tlast({name}_tlast)")
                declarations += [
                    f"  wire {name}_tvalid, {name}_tlast;",
                    f"  wire [{last}:0] {name}_tdata;",
                    f"  wire {name}_tready = 1'b1;",
                ]
                steps += [
                    f"    if ({name}_tvalid) begin",
                    f"      if ({name}_tdata !== {name}[{name}_count]",
                    f"          || {name}_tlast !== (({name}_count + 1) % {port.tokens} == 0)) wrong = wrong + 1;",
                    f"      {name}_count <= {name}_count + 1;",
                    "    end",
                ]
    finished = [f"out_{number}_count == {events * port.tokens}" for number, port in enumerate(project.outputs)]
    return _BENCH.format(
        folder="in_*.hex",
        top=project.top,
        declarations="\n".join(declarations),
        connections=", ".join(connections),
        reads="\n".join(reads),
        steps="\n".join(steps),
        finished=" && ".join(finished),
        events=events,
        most=2 * (events * project.interval + project.latency) + 1000,
    )
