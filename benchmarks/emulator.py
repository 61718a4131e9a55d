"""How fast the emulator is, against C simulation and Keras: the same events, the same answers, one processor, in turn.

Usage: python benchmarks/emulator.py [--rounds N] [--networks mlp,cnn,svhn] [--json OUT] [--no-keras] [--processor ARCH]

Every round runs each engine once, one after the other; what is compared is the processor time (user and system, of
this process and of the C simulation it started), and ratios are the medians of the rounds' own ratios. C simulation is
hls4ml's C++ with a loop over events in C, already built, which is 1.0 to 1.4 times faster than its Python interface.
The accumulators named `truncating` and `saturating` are no plan of fpgacnn's: they round, or limit, every product.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

for name in (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
):
    os.environ[name] = "1"  # one processor for everybody; before NumPy and TensorFlow are loaded

import networks  # noqa: E402  # behind the environment that it reads
import numpy as np  # noqa: E402

from fpgacnn.design import Design, IoType, Target  # noqa: E402
from fpgacnn.hardware.hls import backend  # noqa: E402
from fpgacnn.ir import hardware as hw  # noqa: E402
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, parse_format, quantize_values  # noqa: E402
from fpgacnn.ir.source import FloatArray, SourceModel  # noqa: E402
from fpgacnn.passes.precision import Decision, legalize  # noqa: E402
from fpgacnn.passes.quantization import quantize  # noqa: E402
from fpgacnn.pipeline.test_vectors import make_vectors  # noqa: E402
from fpgacnn.sim.compare import compare  # noqa: E402
from fpgacnn.sim.csim import CSim  # noqa: E402
from fpgacnn.sim.emulator import ReferenceEmulator, engine  # noqa: E402
from fpgacnn.sim.emulator.blas_engine import FloatEmulator  # noqa: E402
from fpgacnn.sim.emulator.native.build import NATIVE, find_c_compiler  # noqa: E402
from fpgacnn.sim.emulator.native.engine import NativeEmulator  # noqa: E402
from fpgacnn.sim.result import Engine  # noqa: E402

ACCUMULATORS = {
    "planned": None,
    "truncating": Format(width=9, integer=4),
    "saturating": Format(width=10, integer=4, rounding=Rounding.RND, overflow=Overflow.SAT),
}
EVENTS = {"mlp": (10_000, 50_000, 50_000), "cnn": (2_000, 10_000, 5_000), "svhn": (100, 2_000, 300)}
"""Events of a run: for C simulation, for the kernels, for NumPy and Keras."""

RUNS = 8
"""Runs of the kernels in a round, which are over so soon."""

CHECKED = 100
FIRST_ANSWERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine on one network."""

    network: str
    io: str
    accumulators: str
    engine: str
    events_per_cpu_s: float
    events_per_s: float
    ratio_to_csim: float
    ratio_low: float
    ratio_high: float
    mismatches: int


def processor_seconds() -> float:
    """Processor time of this process, its threads and its children that have ended."""
    return sum(
        one.ru_utime + one.ru_stime for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def designed(network: SourceModel, form: Format, io: IoType, accumulator: Format | None) -> Design:
    """The network's design; with an accumulator, every sum in it."""
    model, made = legalize(quantize(network, inputs=[form]))
    if accumulator is None:
        return Design(model=model, plan=made, target=Target(io=io))
    decision = Decision(format=accumulator, reason="benchmark")
    linear = [layer.name for layer in model.layers if isinstance(layer.operation, hw.Convolution | hw.Dense)]
    layers = {**made.layers, **{name: replace(made.layers[name], accumulator=decision) for name in linear}}
    return Design(model=model, plan=replace(made, layers=layers), target=Target(io=io))


def codes_of(values: FloatArray, form: Format) -> list[Codes]:
    """Events as codes of the one input."""
    return [Codes(array=quantize_values(values, form), format=form)]


def timed(work: Callable[[], object], events: int) -> tuple[float, float]:
    """Events for a second of processor time, and for a second of the clock."""
    cpu, wall = processor_seconds(), time.perf_counter()
    work()
    return events / (processor_seconds() - cpu), events / (time.perf_counter() - wall)


def runs(one: Engine, codes: Sequence[Codes], times: int) -> Callable[[], object]:
    """An engine on events, so many times."""
    return lambda: [one.run(codes) for _ in range(times)]


def native_engine(design: Design, processor: str) -> NativeEmulator | None:
    """The kernels for a processor on one thread; None where no compiler is found."""
    compiler = find_c_compiler(processor)
    return None if compiler is None else NativeEmulator(design, compiler, threads=1)


def measure(name: str, io: IoType, accumulators: str, rounds: int, processor: str, *, keras: bool) -> list[Row]:
    """All engines in turn, and whether they agree."""
    make, text = networks.NETWORKS[name]
    network, form = make(), parse_format(text)
    design = designed(network, form, io, ACCUMULATORS[accumulators])
    slow, fast, medium = EVENTS[name]
    values = make_vectors(form, network.layers[0].shape, fast)
    codes = codes_of(values, form)

    def some(count: int) -> list[Codes]:
        return [Codes(array=codes[0].array[:count], format=form)]

    native = native_engine(design, processor)
    engines: dict[str, tuple[Engine, int]] = {
        "csim": (CSim(backend.convert(design), design), slow),
        "numpy": (FloatEmulator(design), medium),
    }
    if native is not None:
        engines["native"] = native, fast
    expected = ReferenceEmulator(design).run(some(CHECKED))
    mismatches = {key: compare(one.run(some(CHECKED)), expected).mismatches for key, (one, _) in engines.items()}
    work: dict[str, tuple[Callable[[], object], int]] = {}
    for key, (one, count) in engines.items():
        work[key] = runs(one, some(count), RUNS if key == "native" else 1), count * (RUNS if key == "native" else 1)
    if keras and accumulators == "planned":
        model = networks.keras_model(network)
        rounded = codes[0].values[:medium].astype(np.float32)
        differing = (
            model.predict(rounded[:CHECKED], batch_size=1024, verbose=0) != next(iter(expected.outputs.values())).values
        )
        mismatches["keras"] = int(differing.sum())
        work["keras"] = (lambda: model.predict(rounded, batch_size=1024, verbose=0)), medium
    found: dict[str, list[tuple[float, float]]] = {key: [] for key in work}
    for _ in range(rounds):
        for key, (one, count) in work.items():
            found[key].append(timed(one, count))
    rows = []
    for key, rates in found.items():
        ratios = [cpu / csim for (cpu, _), (csim, _) in zip(rates, found["csim"], strict=True)]
        rows.append(
            Row(
                network=name,
                io=io.value,
                accumulators=accumulators,
                engine=key,
                events_per_cpu_s=statistics.median(cpu for cpu, _ in rates),
                events_per_s=statistics.median(wall for _, wall in rates),
                ratio_to_csim=statistics.median(ratios),
                ratio_low=min(ratios),
                ratio_high=max(ratios),
                mismatches=mismatches[key],
            )
        )
    return rows


def first_answers(name: str) -> tuple[float, float]:
    """Seconds from a planned design to 10,000 answers, with kernels to be built and with kernels kept."""
    make, text = networks.NETWORKS[name]
    network, form = make(), parse_format(text)
    design = designed(network, form, IoType.PARALLEL, None)
    codes = codes_of(make_vectors(form, network.layers[0].shape, FIRST_ANSWERS), form)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        engine(design).run(codes)
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


def two_threads(name: str) -> float:
    """How much faster two threads are than one, by the clock; what the machine lets them have decides."""
    make, text = networks.NETWORKS[name]
    network, form = make(), parse_format(text)
    design = designed(network, form, IoType.PARALLEL, None)
    codes = codes_of(make_vectors(form, network.layers[0].shape, EVENTS[name][1]), form)
    engines = [engine(design, threads=count) for count in (1, 2)]
    ratios = []
    for _ in range(5):
        rates = [timed(runs(one, codes, RUNS), RUNS * len(codes[0].array))[1] for one in engines]
        ratios.append(rates[1] / rates[0])
    return statistics.median(ratios)


def has_keras() -> bool:
    """Whether the extra `train` is installed."""
    try:
        networks.keras_model(networks.mlp())
    except ImportError:
        return False
    return True


def processor() -> str:
    """What the system calls it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def shown(rows: Sequence[Row]) -> None:
    """Print the table."""
    print(
        f"{'network':8}{'io':10}{'accumulators':14}{'engine':8}{'events/CPU-s':>14}{'events/s':>14}{'x csim':>9} "
        f" {'from':>7} {'to':>7}  differing"
    )
    for row in rows:
        print(
            f"{row.network:8}{row.io:10}{row.accumulators:14}{row.engine:8}{row.events_per_cpu_s:14,.0f}{row.events_per_s:14,.0f}"
            f"{row.ratio_to_csim:9,.1f}  {row.ratio_low:7,.1f} {row.ratio_high:7,.1f}  {row.mismatches}"
        )


def main() -> None:
    """Measure and print; with --json, write it too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", default=",".join(networks.NETWORKS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-keras", action="store_true")
    parser.add_argument("--processor", default=NATIVE, help="-march of the kernels; x86-64-v3: AVX2")
    parser.add_argument(
        "--stream-only",
        action="store_true",
        help="leave out io_parallel, whose C simulation of svhn takes a minute to build",
    )
    options = parser.parse_args()
    names = options.networks.split(",")
    keras = not options.no_keras and has_keras()
    rows: list[Row] = []
    for name in names:
        for io in (IoType.STREAM,) if options.stream_only else (IoType.PARALLEL, IoType.STREAM):
            rows += measure(name, io, "planned", options.rounds, options.processor, keras=keras)
        rows += [
            row
            for kind in ("truncating", "saturating")
            for row in measure(name, IoType.STREAM, kind, options.rounds, options.processor, keras=False)
        ]
    here = names if options.processor == NATIVE else []
    starts = {name: first_answers(name) for name in here}
    threads = {name: two_threads(name) for name in here}
    shown(rows)
    for name in here:
        fresh, kept = starts[name]
        print(
            f"{name}: {FIRST_ANSWERS:,} answers {fresh:.2f} s after the plan, {kept:.2f} s with kernels kept; two"
            f" threads {threads[name]:.2f} times one"
        )
    smallest = designed(networks.mlp(), parse_format("fixed<8,3>"), IoType.PARALLEL, None)
    machine = {
        "processor": processor(),
        "system": platform.platform(),
        "emulator": getattr(native_engine(smallest, options.processor), "words", ""),
    }
    print(machine)
    if options.json:
        document = {
            "machine": machine,
            "rounds": options.rounds,
            "rows": [asdict(row) for row in rows],
            "first_answers_s": starts,
            "two_threads": threads,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
