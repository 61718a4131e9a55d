"""The library of the RTL wrapper in Icarus Verilog: words of any size become groups and the same words again."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import IoType
from fpgacnn.design.project import write_files
from fpgacnn.hardware.board.layout import LANES, WORDS, PortWords, layout_of
from fpgacnn.hardware.board.rtl_wrapper import RTL_LIBRARY
from fpgacnn.hardware.rtl.backend import library
from fpgacnn.ir.fixed_point import Format
from tests.rtl.test_icarus import needs_icarus
from tests.support.networks import Builder

EVENTS = 6
USED = {"fifo", "credits", "frame"}
"""Modules of the projects' library that the wrapper's uses."""

BENCH = """module pair #(parameter WORD = 64, GROUP = 8, GROUPS = 4, PIECES = 4, COUNT = 8, FILE = "") (
  input clk, input rst, output done);
  reg [WORD-1:0] words [0:COUNT-1];
  integer sent = 0, got = 0;
  reg offers = 0, ready = 0;
  wire taken, group_valid, group_ready, waited, give_ready, given;
  wire [GROUP-1:0] group, whole;
  wire [WORD-1:0] word;
  assign done = got == COUNT;
  initial $readmemh(FILE, words);
  fpgacnn_axis_resize #(.IN(WORD), .OUT(GROUP), .PIECES(PIECES)) take (.clk(clk), .rst(rst), .in_valid(offers),
    .in_ready(taken), .in_data(words[sent]), .out_valid(group_valid), .out_ready(group_ready), .out_data(group));
  fpgacnn_axis_queue #(.DW(GROUP), .DEPTH(GROUPS < 2 ? 2 : GROUPS)) queue (.clk(clk),
    .rst(rst), .in_valid(group_valid), .in_ready(group_ready), .in_data(group), .out_valid(waited),
    .out_ready(give_ready), .out_data(whole));
  fpgacnn_axis_resize #(.IN(GROUP), .OUT(WORD), .PIECES(PIECES)) give (.clk(clk), .rst(rst), .in_valid(waited),
    .in_ready(give_ready), .in_data(whole), .out_valid(given), .out_ready(ready), .out_data(word));
  always @(posedge clk) if (!rst) begin
    if (offers && taken) sent <= sent + 1;
    if (!offers || taken) offers <= (sent + (offers && taken) < COUNT) && $urandom % 4 != 0;
    ready <= $urandom % 3 != 0;
    if (given && ready) begin
      if (got >= COUNT || word !== words[got]) begin
        $display("FAIL: %s, word %0d is %h, not %h", FILE, got, word, words[got]);
        $finish;
      end
      got <= got + 1;
    end
  end
endmodule

module bench;
  reg clk = 0, rst = 1;
  always #1 clk = ~clk;
  wire [{last}:0] done;
{pairs}
  integer clocks = 0;
  always @(posedge clk) begin
    clocks <= clocks + 1;
    rst <= clocks < 4;
    if (&done) begin
      $display("PASS");
      $finish;
    end
    if (clocks > {most}) begin
      $display("FAIL: words are missing: %b", done);
      $finish;
    end
  end
endmodule
"""


def ports(count: int) -> list[PortWords]:
    """Ports of random sizes, and the smallest ones of each lane and word."""
    random = np.random.default_rng(11)
    sizes = [(word, lane, 1, 1) for word in WORDS for lane in LANES]
    while len(sizes) < count:
        sizes.append((int(random.choice(WORDS)), int(random.choice(LANES)), *map(int, random.integers(1, 14, 2))))
    found = []
    for word, lane, channels, groups in sizes:
        build = Builder(seed=1)
        build.end(build.input((groups, channels), f"fixed<{lane - 2},1>"))
        (port,) = layout_of(build.design(IoType.STREAM), [channels, channels], "00" * 32, word).inputs
        assert port.lane_bits == lane
        found.append(port)
    return found


def words_of(port: PortWords, seed: int) -> list[str]:
    """The words of random codes, one a line."""
    form: Format = port.format
    codes = np.random.default_rng(seed).integers(form.low, form.high, (EVENTS, *port.shape), endpoint=True)
    rows = port.pack(codes).view(f"<u{port.word_bits // 8}").reshape(-1)
    return [f"{int(one):x}\n" for one in rows]


FAULTS = {
    "none": ("", ""),
    "last word": ("left <= last ? REST : MOST;", "left <= MOST;"),
    "tail": ("else if (place == 0)", "else if (0)"),
    "queue": (".take(out_ready)", ".take(1'b1)"),
}
"""Edits of the library; every one must be found."""


@needs_icarus
@pytest.mark.parametrize("fault", FAULTS)
def test_words_become_groups_and_the_same_words_whatever_the_pauses(tmp_path: Path, fault: str) -> None:
    lines, most = list[str](), 0
    found = ports(40)
    for number, port in enumerate(found):
        words = words_of(port, number)
        (tmp_path / f"words_{number}.hex").write_text("".join(words))
        group = port.padded * port.lane_bits
        pieces = port.groups * max(1, group // port.word_bits)
        sizes = (
            f".WORD({port.word_bits}), .GROUP({group}), .GROUPS({port.groups}), .PIECES({pieces}), .COUNT({len(words)})"
        )
        lines.append(f'  pair #({sizes}, .FILE("words_{number}.hex")) p{number} (clk, rst, done[{number}]);')
        most = max(most, 12 * EVENTS * (port.words + port.groups))
    text = BENCH.replace("{last}", str(len(found) - 1)).replace("{most}", str(most + 100))
    right = files("fpgacnn.hardware.board").joinpath(RTL_LIBRARY).read_text(encoding="utf-8")
    edited = right.replace(*FAULTS[fault])
    assert (edited == right) == (fault == "none")
    parts = {name: module for name, module in library().items() if name.split("_")[1].split(".")[0] in USED}
    texts = {**parts, "bench.sv": text.replace("{pairs}", "\n".join(lines)), "library.v": edited}
    write_files(tmp_path, {name: one.encode() for name, one in texts.items()})
    build = [shutil.which("iverilog") or "iverilog", "-g2012", "-s", "bench", "-o", "bench", *texts]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    run = [shutil.which("vvp") or "vvp", "-n", "bench"]
    done = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert done.stdout.decode().strip().splitlines()[-1].split(":")[0] == ("PASS" if fault == "none" else "FAIL")
