"""A whole serial board in Icarus Verilog: bytes in and out, through bridge, wrapper and network."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import BackendName
from fpgacnn.design.project import write_files
from fpgacnn.hardware.board.beats import Beats, broken_frames
from fpgacnn.hardware.board.boards import find_board
from fpgacnn.hardware.board.drivers.python.fpgacnn_transport import UartTransport
from fpgacnn.hardware.board.rtl_wrapper import RTL_SOURCE, rtl_wrapper_files
from fpgacnn.hardware.board.tree import board_layout, script_files
from fpgacnn.hardware.rtl import backend
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.rtl.test_icarus import needs_icarus
from tests.support.networks import Builder
from tests.support.rtl import rtl_design

CYCLES = 4
"""Clocks of a bit."""

BENCH = """`timescale 1ns/1ps
module bench;
  reg clock = 0, reset_n = 0, line = 1;
  wire to_host, led;
  always #1 clock = ~clock;
  fpgacnn_uart_top #(.CLOCK_HZ({cycles}), .BAUD(1)) dut (
    .clock(clock), .reset_n(reset_n), .from_host(line), .to_host(to_host), .led(led));
  reg [7:0] sent [0:{count}-1];
  reg [31:0] needed [0:{count}-1]; // bytes that the host has read before it sends this one
  reg [7:0] seen;
  integer place, bit_number, got = 0, other, file;
  task wait_clocks(input integer clocks); repeat (clocks) @(negedge clock); endtask
  initial begin
    $readmemh("sent.hex", sent);
    $readmemh("needed.hex", needed);
    wait_clocks(20);
    reset_n = 1;
    wait_clocks(20);
    line = 0; wait_clocks(1); line = 1; wait_clocks(20); // a glitch, no start bit
    for (place = 0; place < {count}; place = place + 1) begin
      if ({waits}) wait (got >= needed[place]);
      line = 0; wait_clocks({cycles});
      for (bit_number = 0; bit_number < 8; bit_number = bit_number + 1) begin
        line = sent[place][bit_number]; wait_clocks({cycles});
      end
      line = 1; wait_clocks({cycles});
    end
    wait_clocks(3 * {most});
    $display("MISSING: %0d of {wanted} bytes came, LED %b", got, led);
    $finish;
  end
  initial begin
    file = $fopen("received.txt", "w");
    forever begin
      @(negedge to_host);
      wait_clocks({cycles} + {cycles} / 2);
      for (other = 0; other < 8; other = other + 1) begin
        seen[other] = to_host; wait_clocks({cycles});
      end
      $fdisplay(file, "%0d", seen);
      got = got + 1;
      if (got == {wanted}) begin
        wait_clocks({most});
        if (got == {wanted}) $display("DONE: LED %b", led);
        $finish;
      end
    end
  end
endmodule
"""


@dataclass
class Recorded:
    """A line that keeps what the driver writes, and how many bytes it has read before."""

    timeout: float | None = None
    sent: list[tuple[int, int]] = field(default_factory=list)
    read_bytes: int = 0

    def write(self, data: bytes) -> int:
        self.sent += [(byte, self.read_bytes) for byte in data]
        return len(data)

    def read(self, size: int) -> bytes:
        self.read_bytes += size
        return bytes(size)

    def reset_input_buffer(self) -> None:
        raise AssertionError("nothing was wrong")


@needs_icarus
@pytest.mark.parametrize("waits", [True, False], ids=["the driver", "a host that does not wait"])
def test_a_serial_board_answers_like_the_emulator(tmp_path: Path, *, waits: bool) -> None:
    build = Builder(seed=4)
    build.end(build.convolution(build.input((3, 5, 1), "fixed<5,2>"), (2, 2, 1, 2), (3, 5, 2), pads=(1, 0, 0, 1)))
    design, codes = rtl_design(build), build.events(14)
    project, board = backend.convert(design), find_board("arty-a7-100")
    layout = board_layout(board, project, design)
    assert layout.words_out > layout.words_in
    wrapper = rtl_wrapper_files(layout, project)
    bridge = script_files(board, layout, BackendName.RTL)["hls/fpgacnn_uart.v"]
    network = wrapper[RTL_SOURCE].replace(b"module fpgacnn_axis ", b"module network ")  # as Vivado names the IP
    write_files(tmp_path, {**project.files, **wrapper, RTL_SOURCE: network, "rtl/fpgacnn_uart.v": bridge})
    words, sizes = layout.pack(tuple(one.array for one in codes)), [2, 12]
    line = Recorded()
    line.write(bytes(8))  # zeros begin no frame
    driver = UartTransport(line, words=1000, words_in=layout.words_in)
    for part in np.split(words, np.cumsum(sizes)[:-1]):
        driver.exchange(part.reshape(-1), len(part) * layout.words_out, 1.0)
    wanted = len(words) * layout.words_out * 4
    most = 60 * CYCLES * layout.words_out
    text = BENCH.format(cycles=CYCLES, count=len(line.sent), wanted=wanted, most=most, waits=int(waits))
    (tmp_path / "bench.v").write_text(text)
    (tmp_path / "sent.hex").write_text("".join(f"{byte:02x}\n" for byte, _ in line.sent))
    (tmp_path / "needed.hex").write_text("".join(f"{needed:x}\n" for _, needed in line.sent))
    sources = [str(one) for folder in ("rtl", "rtl/kernels", "rtl/library") for one in (tmp_path / folder).iterdir()]
    verilog = [one for one in sources if one.endswith((".v", ".sv"))]
    for command in (["iverilog", "-g2012", "-s", "bench", "-o", "bench", "bench.v", *verilog], ["vvp", "bench"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
    if not waits:  # words get lost, and the LED stays on
        assert re.search(r"MISSING: .* LED 1$", done.stdout.strip()), done.stdout
        return
    assert re.search(r"DONE: LED 0$", done.stdout.strip()), done.stdout
    received = np.array([int(one) for one in (tmp_path / "received.txt").read_text().split()], np.uint8)
    answers = received.view("<u4").astype(np.uint64)
    last = np.zeros((len(words), layout.words_out), np.bool_)
    last[np.cumsum(sizes) - 1, -1] = True  # the line carries no TLAST
    beats = Beats(data=answers, last=last.reshape(-1), keep=np.full(answers.size, 15, np.uint64))
    assert list(broken_frames(beats, sizes, layout)) == []
    outputs, _ = layout.unpack(answers.reshape(len(words), -1))
    expected = ReferenceEmulator(design).run(codes).outputs
    assert all((one == expected[name].array).all() for one, name in zip(outputs, expected, strict=True))
