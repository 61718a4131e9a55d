"""What the RTL backend gives: equality and clocks on all test events, and clocks beside the estimate of HLS streams.

Usage: python benchmarks/rtl.py [MODEL ...] [--zoo] [--adders N] [--events N] [--layers] [--csim] [--yosys] [--json]

Without a model: the shipped networks digits and km3net with their whole test sets. A MODEL is a file, or the name of
one of them, or of a network of the zoo; --zoo is the whole zoo: the networks that tools/zoo.py trained, else the same
networks with seeded weights, quantized to 6 bits (needs the extra `train`), or float ones where `quantize` refuses
them. Files run on the events of MODEL.npz, or on events of fpgacnn's own where there is no such file; a float network
gets 8 bits. Every answer must equal the emulator's and come in the clock of the schedule, without pauses; with pauses
and stalls it must be equal. With --layers, which --zoo implies, the words of every layer and their clocks are compared
as well. With --csim, the same network is an HLS stream too, whose C simulation must equal the emulator. With --adders
N, networks of more adders are generated and not simulated; for --zoo, N is 20,000 where it is not given. A network that
the backend refuses, or that fails, is a row with the reason; every row is printed as soon as it is known. The HLS
columns are `fpgacnn estimate --io stream` of the same network, with its band: they are estimates, while the RTL clocks
are exact. With --yosys, the RTL is mapped to UltraScale+ without DSP blocks: its look-up tables, and tables times
latency, stand beside the estimate of the HLS stream after logic synthesis at the same bits, as a ratio with its band.
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
    UnsupportedLayerError,
    UnsupportedOptionError,
    WidthsNeededError,
)
from fpgacnn.jobs.demo import DEMOS, shipped
from fpgacnn.records.record import RunRecord
from fpgacnn.training.zoo import ZOO

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
BITS = "8"
ZOO_ADDERS = 20_000
ZOO_EVENTS = 10
REFUSALS = (
    RtlUnsupportedError,
    RtlTargetError,
    UnsupportedLayerError,
    UnsupportedOptionError,
    WidthsNeededError,
)
ULTRASCALE_PLUS = "xcku5p-ffvb676-2-e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network. `refused` says why it is not built, `failed` what went wrong; then the other fields are None.

    `too_large` says why it is generated and not simulated. `layers` is the number of layers that were compared.
    """

    network: str
    refused: str = ""
    too_large: str = ""
    failed: str = ""
    events: int | None = None
    rtl_equals_emulator: bool | None = None
    csim_equals_emulator: bool | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is measured of each network. `most`: events at most; `budget`: adders of the largest simulated design."""

    most: int | None
    budget: int | None
    every_layer: bool
    with_csim: bool
    with_yosys: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One network, its file and its events, or None for events of fpgacnn's own."""

    name: str
    model: Path
    events: Mapping[str, np.ndarray] | None


def measured(job: Job, wanted: Wanted) -> Row:
    """One network: converted, simulated on all events, and estimated as an HLS stream."""
    given = None if job.events is None else {key: value[: wanted.most] for key, value in job.events.items()}
    begin, bits = cpu_seconds(), bits_of(job.model, given)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "p"
        try:
            record = converted(job.model, project, given, bits, wanted)
            schedule = json.loads((project / "schedule.json").read_text())
            sizes = {
                key: sum(layer[key] for layer in schedule["layers"])
                for key in ("adders", "adder_bits", "register_bits")
            }
            sizes |= {key: schedule[key] for key in ("interval_clocks", "latency_clocks")}
            if wanted.budget is not None and sizes["adders"] > wanted.budget:
                why = f"{sizes['adders']:,} adders, and {wanted.budget:,} are simulated at most"
                return Row(network=job.name, too_large=why, **sizes, cpu_seconds=round(cpu_seconds() - begin, 1))
            if wanted.every_layer:
                record = fpgacnn.verify(
                    project, input=given, csim_events=wanted.most, reference="none", timeout_s=7200.0
                )
            csim = csim_equals(job.model, Path(folder) / "hls", given, bits, wanted) if wanted.with_csim else None
            netlist = netlist_of(project) if wanted.with_yosys else None
        except REFUSALS as error:
            return Row(network=job.name, refused=f"{error.code} {error}")
        except FpgacnnError as error:
            return Row(network=job.name, failed=f"{error.code} {error}", cpu_seconds=round(cpu_seconds() - begin, 1))
    reports = [report for report in record.verification if report.left.startswith("rtl")]
    clocks = [report.clocks_equal_schedule for report in reports if report.clocks_equal_schedule is not None]
    return Row(
        network=job.name,
        events=max(report.events for report in reports),
        rtl_equals_emulator=all(report.mismatches == 0 for report in reports),
        csim_equals_emulator=csim,
        layers=max(report.layers for report in reports),
        clocks_equal_schedule=bool(clocks) and all(clocks),
        **sizes,
        **(hls := hls_figures(job.model, given, bits)),
        **(netlist or {}),
        **ratios(netlist, schedule["latency_clocks"], hls),
        cpu_seconds=round(cpu_seconds() - begin, 1),
    )


def converted(
    model: Path, project: Path, events: Mapping[str, np.ndarray] | None, bits: str | None, wanted: Wanted
) -> RunRecord:
    """An RTL project; where `verify` follows, or the size decides, it is not simulated yet."""
    later = wanted.every_layer or wanted.budget is not None
    return fpgacnn.convert(
        model,
        backend="rtl",
        output=project,
        input=events,
        csim_events=0 if later else wanted.most,
        bits=bits,
        reference="none",
        timeout_s=7200.0,
    )


def csim_equals(
    model: Path, project: Path, events: Mapping[str, np.ndarray] | None, bits: str | None, wanted: Wanted
) -> bool | None:
    """Whether C simulation of the same network as an HLS stream equals the emulator; None where HLS refuses it."""
    try:
        record = fpgacnn.convert(
            model,
            io="stream",
            output=project,
            input=events,
            csim_events=wanted.most,
            bits=bits,
            reference="none",
            timeout_s=7200.0,
        )
    except REFUSALS:
        return None
    found = [report.mismatches for report in record.verification if report.left.startswith("csim")]
    return bool(found) and not any(found)


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


def jobs(models: Sequence[str]) -> Iterator[Job]:
    """Files, shipped networks with their test sets, and networks of the zoo, which are made when it is their turn."""
    for model in models:
        if model in DEMOS:
            yield Job(name=model, model=shipped(f"{model}.h5"), events={"input_0": DEMOS[model].test_set().x})
        elif model in ZOO:
            from tools.zoo import kept_or_seeded

            file, events = kept_or_seeded(model)
            yield Job(name=model, model=file, events=events_of(events))
        else:
            file = Path(model)
            yield Job(name=file.stem, model=file, events=events_of(file.with_name(f"{file.name}.npz")))


def events_of(file: Path) -> Mapping[str, np.ndarray] | None:
    """The arrays `input_0`, `input_1`, ... of a file, or None where there is none."""
    if not file.exists():
        return None
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files if name.startswith("input_")}


def line(row: Row) -> str:
    """A row of the table."""
    if row.refused or row.failed:
        return f"{row.network:12} {'refused' if row.refused else 'FAILED'}: {row.refused or row.failed}"
    if row.too_large:
        return f"{row.network:12} not simulated: {row.too_large}"
    ends = [
        one and f"{one[0]:.0f} ({one[1]:.0f} to {one[2]:.0f})"
        for one in (row.hls_interval_clocks, row.hls_latency_clocks)
    ]
    parts = (
        f"{row.network:12} {row.events:7,} events",
        f"{row.layers} layers equal {row.rtl_equals_emulator!s:5} clocks {row.clocks_equal_schedule!s:5}",
        *([] if row.csim_equals_emulator is None else [f"csim equal {row.csim_equals_emulator!s:5}"]),
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
    parser.add_argument("models", nargs="*")
    parser.add_argument("--zoo", action="store_true")
    parser.add_argument("--adders", type=int, default=None)
    parser.add_argument("--events", type=int, default=None)
    for flag in ("--layers", "--csim", "--yosys", "--json"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    names = [*arguments.models, *(ZOO if arguments.zoo else ())] or [*DEMOS]
    wanted = Wanted(
        most=(ZOO_EVENTS if arguments.zoo else None) if arguments.events is None else arguments.events,
        budget=(ZOO_ADDERS if arguments.zoo else None) if arguments.adders is None else arguments.adders,
        every_layer=arguments.layers or arguments.zoo or arguments.adders is not None,
        with_csim=arguments.csim,
        with_yosys=arguments.yosys,
    )
    found = list[Row]()
    for job in jobs(names):
        found.append(row := measured(job, wanted))
        if not arguments.json:
            sys.stdout.write(f"{line(row)}\n")
            sys.stdout.flush()
    if arguments.json:
        sys.stdout.write(f"{json.dumps([asdict(row) for row in found], indent=1)}\n")
    return 0 if all(map(is_right, found)) else 1


def is_right(row: Row) -> bool:
    """Whether nothing differs. A refusal, or a size above the budget, is right, but not of a shipped network."""
    if row.refused or row.too_large:
        return row.network not in DEMOS
    return bool(row.rtl_equals_emulator and row.clocks_equal_schedule) and row.csim_equals_emulator is not False


if __name__ == "__main__":
    raise SystemExit(main())
