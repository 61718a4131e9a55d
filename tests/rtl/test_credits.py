"""A formal proof by Yosys: the FIFO of answers never overflows, whatever the layers, the source and the sink do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fpgacnn.hardware.rtl.backend import library
from tests.support.open_tools import YOSYS_SCRIPT, needs_yosys

MODEL = """
// Entrance, FIFO of answers and credits of a top module, around layers of any behavior: for each frame that began, they
// give P words in any later clocks. `held`, `write`, `read`, `seen` and `frames` are the registers of the modules.
module answers_of_any_layers #(parameter P = 3, parameter F = 2) (
  input clk, input reset, input offered, input emits, input ready);
  localparam AB = (F * P <= 2) ? 1 : $clog2(F * P);
  reg running = 1'b0;
  always @(posedge clk) running <= 1'b1;
  wire rst = reset || !running;
  wire open, valid, last;
  wire begun = open && offered;
  reg [15:0] owed;
  wire emitted = emits && owed != 0;
  wire answered = valid && ready;
  always @(posedge clk)
    if (rst) owed <= 0;
    else owed <= owed + (begun ? P : 0) - emitted;
  fpgacnn_fifo #(.DW(1), .DEPTH(F * P)) answers (.clk(clk), .rst(rst), .in_valid(emitted), .in_data(1'b0),
    .out_valid(valid), .out_data(), .take(ready));
  fpgacnn_frame #(.P(P)) frame (.clk(clk), .rst(rst), .in_valid(answered), .first(), .last(last));
  fpgacnn_credits #(.F(F)) credits (.clk(clk), .rst(rst), .begun(begun), .ended(answered && last), .open(open));
  (* keep *) wire [AB:0] held;
  (* keep *) wire [AB-1:0] write, read;
  (* keep *) wire [$clog2(P+1)-1:0] seen;
  (* keep *) wire [$clog2(F+1)-1:0] frames;
  wire [AB-1:0] between = write - read;
  always @*
    if (!rst) begin
      assert (!(emitted && !answered && held >= F * P));                // no overflow
      assert (between == held[AB-1:0] && held <= F * P);                // no word is overwritten or read twice
      assert (frames * P == owed + held + seen);                        // the credits count the words that are missing
      assert (frames <= F && seen < P);
      assert (open == (frames < F) && (owed != 0 || valid || open));    // F frames may be on their way, and no deadlock
    end
endmodule
"""

REGISTERS = {
    "held": "answers.count",
    "write": "answers.write",
    "read": "answers.read",
    "seen": "frame.count",
    "frames": "credits.frames",
}

MUTANTS = {
    "a frame too many": ("fpgacnn_credits", "frames < F", "frames <= F"),
    "a frame too few": ("fpgacnn_credits", "frames < F", "frames < F - 1"),
    "a credit that stays": ("fpgacnn_credits", "!begun && ended", "!begun && ended && frames != 1"),
    "a frame that ends early": ("fpgacnn_frame", "count == P-1", "count + 2 >= P"),
    "a word that is counted twice": ("fpgacnn_fifo", "in_valid && !taken", "in_valid"),
    "a word that is read twice": ("fpgacnn_fifo", "if (taken) read", "if (taken && !in_valid) read"),
}


def proof(folder: Path, words: int, frames: int) -> subprocess.CompletedProcess[str]:
    """Induction over one clock, from the state after a reset, with the library of this folder."""
    (folder / "model.sv").write_text(MODEL)
    passes = (
        "read_verilog -sv -formal model.sv fpgacnn_fifo.sv fpgacnn_frame.sv fpgacnn_credits.sv",
        f"chparam -set P {words} -set F {frames} answers_of_any_layers",
        "hierarchy -check -top answers_of_any_layers",
        "proc",
        "flatten",
        *(f"connect -set {wire} {register}" for wire, register in REGISTERS.items()),
        "memory_map",
        "async2sync",
        "opt -full",
        "chformal -lower",
        "sat -tempinduct -prove-asserts -maxsteps 2 -verify answers_of_any_layers",
    )
    command = [sys.executable, "-c", YOSYS_SCRIPT, *passes]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=300)


def written_library(folder: Path) -> None:
    for name, text in library().items():
        (folder / name).write_text(text)


@needs_yosys
@pytest.mark.parametrize(("words", "frames"), [(1, 2), (1, 5), (3, 2), (10, 3), (64, 3)])
def test_the_fifo_of_answers_never_overflows(tmp_path: Path, words: int, frames: int) -> None:
    written_library(tmp_path)
    done = proof(tmp_path, words, frames)
    assert "Induction step proven: SUCCESS!" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 0


@needs_yosys
@pytest.mark.parametrize("name", MUTANTS)
def test_the_proof_fails_for_a_fault(tmp_path: Path, name: str) -> None:
    written_library(tmp_path)
    module, old, new = MUTANTS[name]
    file = tmp_path / f"{module}.sv"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    done = proof(tmp_path, 3, 2)
    assert "SUCCESS" not in done.stdout
    assert "proof did fail" in done.stdout + done.stderr
