"""Route a network on an ECP5 with open tools: from its file to a bitstream, and the clock that it reaches.

Usage: python benchmarks/route.py [MODEL] [--input-type FORM] [--part PART] [--clock NS] [--events N] [--json]

Without a model: km3net for lfe5u-25f, speed grade 8, at 10 ns. The RTL is simulated in Verilator on N events first, and
every answer and its clock must be right. Exit status 1: an answer is wrong, or the clock is missed. `make nightly` runs
it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import fpgacnn
from fpgacnn.jobs.demo import shipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The routed design: use, clocks, and the longest path."""

    network: str
    part: str
    right: bool
    lut: int | None
    ff: int | None
    dsp: int | None
    bram_18k: int | None
    wanted_mhz: float
    reached_mhz: float
    slack_ns: float | None
    longest_path: str
    bitstream_bytes: int


def routed(model: Path, form: str | None, part: str, clock_ns: float, events: int) -> Routed:
    """Convert, simulate, map, place and route a network."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "p"
        record = fpgacnn.convert(
            model,
            backend="rtl",
            part=part,
            clock_ns=clock_ns,
            input_type=form,
            output=project,
            csim_events=events,
            reference="none",
            timeout_s=7200.0,
        )
        report = fpgacnn.synth(project, tool="nextpnr", timeout_s=7200.0)
        timing, used = report.timings[0], report.impl
        assert used is not None
        assert timing.reached_ns is not None
        bits = (project / timing.bitstream).stat().st_size if timing.bitstream else 0
    path = timing.paths[0] if timing.paths else None
    return Routed(
        network=model.stem,
        part=used.part,
        right=record.holds,
        lut=used.resources.lut,
        ff=used.resources.ff,
        dsp=used.resources.dsp,
        bram_18k=used.resources.bram_18k_blocks,
        wanted_mhz=1000 / clock_ns,
        reached_mhz=round(1000 / timing.reached_ns, 2),
        slack_ns=timing.worst_setup_slack_ns,
        longest_path=f"{path.begin} to {path.end}" if path else "",
        bitstream_bytes=bits,
    )


def main() -> int:
    """Print the routed design; 1 if an answer is wrong or the clock is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--input-type", default=None)
    parser.add_argument("--part", default="lfe5u-25f")
    parser.add_argument("--clock", type=float, default=10.0)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    model, form = (given.model, given.input_type) if given.model else (shipped("km3net.h5"), "ufixed<3,0>")
    found = routed(model, form, given.part, given.clock, given.events)
    lines = [f"{name}: {value}" for name, value in asdict(found).items()]
    sys.stdout.write((json.dumps(asdict(found), indent=1) if given.json else "\n".join(lines)) + "\n")
    return 0 if found.right and (found.slack_ns is None or found.slack_ns >= 0) else 1


if __name__ == "__main__":
    raise SystemExit(main())
