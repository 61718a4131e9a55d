"""What the RTL backend gives: equality and clocks on all test events, and clocks beside the estimate of HLS streams.

Usage: python benchmarks/rtl.py [MODEL ...] [--events N] [--layers] [--yosys] [--json]

Without a model: the shipped networks digits and km3net with their whole test sets. Other models run on the events of
MODEL.npz, or on events of fpgacnn's own where there is no such file; a float network gets 8 bits. Every answer must
equal the emulator's and come in the clock of the schedule, without pauses; with pauses and stalls it must be equal.
With --layers, the words of every layer and their clocks are compared as well. A network that the backend refuses, or
that fails, is a row with the reason; every row is printed as soon as it is known. The HLS columns are
`fpgacnn estimate --io stream` of the same network, with its band: they are estimates, while the RTL clocks are exact.
With --yosys, the RTL is mapped to UltraScale+ without DSP blocks: its look-up tables, and tables times latency, stand
beside the estimate of the HLS stream after logic synthesis at the same bits, as a ratio with its band.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import fpgacnn
from fpgacnn.errors import (
    FpgacnnError,
    RtlTargetError,
    RtlUnsupportedError,
    UnsupportedOptionError,
    WidthsNeededError,
)
from fpgacnn.jobs.demo import DEMOS, shipped

BITS = "8"
ULTRASCALE_PLUS = "xcku5p-ffvb676-2-e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network. `refused` says why it is not built, `failed` what went wrong; then the other fields are None.

    `layers` is the number of layers that were compared.
    """

    network: str
    refused: str = ""
    failed: str = ""
    events: int | None = None
    rtl_equals_emulator: bool | None = None
    layers: int | None = None
    clocks_equal_schedule: bool | None = None
    interval_clocks: int | None = None
    latency_clocks: int | None = None
    adders: int | None = None
    adder_bits: int | None = None
    register_bits: int | None = None
    hls_interval_clocks: tuple[float, float, float] | None = None
    hls_latency_clocks: tuple[float, float, float] | None = None
    lut: int | None = None
    ff: int | None = None
    hls_lut: tuple[float, float, float] | None = None
    lut_ratio: tuple[float, float, float] | None = None
    lut_latency_ratio: tuple[float, float, float] | None = None
    cpu_seconds: float | None = None


def cpu_seconds() -> float:
    """Processor time of this process and its children."""
    used = [resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(
    name: str,
    model: Path,
    events: Mapping[str, np.ndarray] | None,
    most: int | None,
    *,
    every_layer: bool,
    with_yosys: bool,
) -> Row:
    """One network: converted, simulated on all events, and estimated as an HLS stream."""
    given = None if events is None else {key: value[:most] for key, value in events.items()}
    begin, bits = cpu_seconds(), bits_of(model, given)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "p"
        try:
            record = fpgacnn.convert(
                model,
                backend="rtl",
                output=project,
                input=given,
                csim_events=most,
                bits=bits,
                reference="none",
                timeout_s=7200.0,
            )
            if every_layer:
                record = fpgacnn.verify(project, input=given, csim_events=most, reference="none", timeout_s=7200.0)
            schedule = json.loads((project / "schedule.json").read_text())
            netlist = netlist_of(project) if with_yosys else None
        except (RtlUnsupportedError, RtlTargetError, UnsupportedOptionError, WidthsNeededError) as error:
            return Row(network=name, refused=f"{error.code} {error}")
        except FpgacnnError as error:
            return Row(network=name, failed=f"{error.code} {error}", cpu_seconds=round(cpu_seconds() - begin, 1))
    reports = [report for report in record.verification if report.left.startswith("rtl")]
    clocks = [report.clocks_equal_schedule for report in reports if report.clocks_equal_schedule is not None]
    layers = schedule["layers"]
    return Row(
        network=name,
        events=max(report.events for report in reports),
        rtl_equals_emulator=all(report.mismatches == 0 for report in reports),
        layers=max(report.layers for report in reports),
        clocks_equal_schedule=bool(clocks) and all(clocks),
        interval_clocks=schedule["interval_clocks"],
        latency_clocks=schedule["latency_clocks"],
        **{key: sum(layer[key] for layer in layers) for key in ("adders", "adder_bits", "register_bits")},
        **(hls := hls_figures(model, given, bits)),
        **(netlist or {}),
        **ratios(netlist, schedule["latency_clocks"], hls),
        cpu_seconds=round(cpu_seconds() - begin, 1),
    )


def bits_of(model: Path, events: Mapping[str, np.ndarray] | None) -> str | None:
    """The widths that a float network is given; None for a network that has its own, or that cannot be planned."""
    try:
        fpgacnn.estimate(model, input=events)
    except WidthsNeededError:
        return BITS
    except FpgacnnError:
        return None
    return None


Figures = dict[str, tuple[float, float, float] | None]


def hls_figures(model: Path, events: Mapping[str, np.ndarray] | None, bits: str | None) -> Figures:
    """Interval, latency and tables of the HLS stream with their bands, or None where it cannot be estimated."""
    try:
        found = fpgacnn.estimate(model, input=events, io="stream", bits=bits).estimate
    except FpgacnnError:
        return dict.fromkeys(("hls_interval_clocks", "hls_latency_clocks", "hls_lut"))
    source = found.simulated or found.totals
    figures = {
        "hls_interval_clocks": source.ii_cycles,
        "hls_latency_clocks": source.latency_cycles,
        "hls_lut": found.after_synthesis.lut,
    }
    return {key: (one.value, one.low, one.high) for key, one in figures.items()}


def netlist_of(project: Path) -> dict[str, int]:
    """Tables and registers that Yosys makes of a project for UltraScale+, without DSP blocks."""
    used = fpgacnn.synth(project, tool="yosys", part=ULTRASCALE_PLUS, dsp=False).synth
    assert used is not None
    assert used.resources.lut is not None
    assert used.resources.ff is not None
    return {"lut": used.resources.lut, "ff": used.resources.ff}


def ratios(netlist: Mapping[str, int] | None, latency: int, hls: Figures) -> Figures:
    """The HLS stream by RTL: tables, and tables times latency, each with the band of the estimate of HLS."""
    tables, clocks = hls["hls_lut"], hls["hls_latency_clocks"]
    if netlist is None or tables is None or clocks is None:
        return {}
    value, low, high = (one / netlist["lut"] for one in tables)
    times = [one * other / (netlist["lut"] * latency) for one, other in zip(tables, clocks, strict=True)]
    return {"lut_ratio": (value, low, high), "lut_latency_ratio": (times[0], times[1], times[2])}


def rows(models: Sequence[Path], most: int | None, *, every_layer: bool, with_yosys: bool) -> Iterator[Row]:
    """The shipped networks with their test sets, or the given ones."""
    for model in models:
        yield measured(model.stem, model, events_beside(model), most, every_layer=every_layer, with_yosys=with_yosys)
    for name, demo in () if models else DEMOS.items():
        events = {"input_0": demo.test_set().x}
        yield measured(name, shipped(f"{name}.h5"), events, most, every_layer=every_layer, with_yosys=with_yosys)


def events_beside(model: Path) -> Mapping[str, np.ndarray] | None:
    """The arrays `input_0`, `input_1`, ... of MODEL.npz, or None."""
    file = model.with_name(f"{model.name}.npz")
    if not file.exists():
        return None
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files if name.startswith("input_")}


def line(row: Row) -> str:
    """A row of the table."""
    if row.refused or row.failed:
        return f"{row.network:12} {'refused' if row.refused else 'FAILED'}: {row.refused or row.failed}"
    ends = [
        one and f"{one[0]:.0f} ({one[1]:.0f} to {one[2]:.0f})"
        for one in (row.hls_interval_clocks, row.hls_latency_clocks)
    ]
    parts = (
        f"{row.network:12} {row.events:7,} events",
        f"{row.layers} layers equal {row.rtl_equals_emulator!s:5} clocks {row.clocks_equal_schedule!s:5}",
        f"interval {row.interval_clocks} latency {row.latency_clocks}",
        f"adders {row.adders:,} of {row.adder_bits:,} bits",
        f"HLS stream, estimated: interval {ends[0]}, latency {ends[1]}",
        *yosys_words(row),
        f"{row.cpu_seconds} CPU s",
    )
    return "  ".join(parts)


def yosys_words(row: Row) -> list[str]:
    """The netlist, and how many times more the HLS stream takes; the estimate's band in brackets."""
    if row.lut is None:
        return []
    times = [one and f"{one[0]:.1f} ({one[1]:.1f} to {one[2]:.1f})" for one in (row.lut_ratio, row.lut_latency_ratio)]
    words = f"HLS stream by RTL, estimated: LUT {times[0]}, LUT x latency {times[1]}"
    return [f"Yosys, no DSP: {row.lut:,} LUT {row.ff:,} FF", words]


def main() -> int:
    """Print the table; 1 if an answer or a clock is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--events", type=int, default=None)
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--yosys", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = list[Row]()
    options = {"every_layer": arguments.layers, "with_yosys": arguments.yosys}
    for row in rows(arguments.models, arguments.events, **options):
        found.append(row)
        if not arguments.json:
            sys.stdout.write(f"{line(row)}\n")
            sys.stdout.flush()
    if arguments.json:
        sys.stdout.write(f"{json.dumps([asdict(row) for row in found], indent=1)}\n")
    allowed = bool(arguments.models)  # the shipped networks must be built
    right = [
        bool(row.refused and allowed) or bool(row.rtl_equals_emulator and row.clocks_equal_schedule) for row in found
    ]
    return 0 if all(right) else 1


if __name__ == "__main__":
    raise SystemExit(main())
