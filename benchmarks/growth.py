"""How the commands grow: processor time and peak memory over layers, parameters, pixels and events.

Usage: python benchmarks/growth.py [--quick] [--only fit-layers,convert-layers,...] [--json OUT]

| series | command | what grows |
|---|---|---|
| `fit-layers` | `fit` | dense layers of 16 units |
| `convert-layers` | `convert --no-csim` | dense layers of 8 units |
| `convert-parameters` | `convert --no-csim` | parameters of four dense layers |
| `convert-folded` | `convert --no-csim` | parameters of four dense layers, each with a normalization before it |
| `convert-pixels` | `convert --no-csim`, streamed, one event | pixels of three convolutions |
| `trace-events` | `simulate --trace` | events of four dense layers |

Every case is one process; user and system time of it and of its children are added, and the largest resident memory of
any of them is taken. The exponent is the slope of log(cost - cost of the smallest case) over log(size - smallest size),
by least squares: 1 is linear, whatever the start of the command costs. The run fails where an exponent is above 1.1 or
where a target is missed. Files are written by hand: no framework is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.files import Entry, entry, quantized_bits, sequential_file  # noqa: E402  # of this repository

LARGEST_EXPONENT = 1.1
NOISE_SECONDS, NOISE_MIB = 0.5, 50.0
"""Less growth than this is not measured."""

QUANTIZED = {"kernel_quantizer": quantized_bits(), "bias_quantizer": quantized_bits()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A command of which one size grows; `case` writes what it needs and gives its arguments.

    `targets`: by size, seconds and MiB that the command may take.
    """

    name: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    case: Callable[[Path, int], list[str]]
    targets: dict[int, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took: seconds of user and system time, MiB of resident memory at the most."""

    series: str
    size: int
    seconds: float
    mib: float


def dense(layers: int, units: int) -> list[Entry]:
    """Quantized dense layers, each with a quantized ReLU, and seeded weights of 6 bits."""
    random, found = np.random.default_rng(3), []
    for number in range(layers):
        kernel = random.integers(-32, 32, (units, units)) / 32
        weights = {"kernel": kernel.astype(np.float32), "bias": np.zeros(units, np.float32)}
        found += [
            entry("QDense", f"dense{number}", units=units, weights=weights, **QUANTIZED),
            entry("QActivation", f"relu{number}", activation="quantized_relu(6,2)"),
        ]
    return found


def normalized(layers: int, units: int) -> list[Entry]:
    """As `dense`, each with a batch normalization before it, whose scale may go into the weights."""
    random, found = np.random.default_rng(4), []
    for number, (layer, relu) in enumerate(zip(*[iter(dense(layers, units))] * 2, strict=True)):
        numbers = {"gamma": random.uniform(0.5, 2, units), "moving_variance": random.uniform(0.5, 2, units)}
        numbers |= {"beta": random.normal(size=units), "moving_mean": random.normal(size=units)}
        weights = {name: one.astype(np.float32) for name, one in numbers.items()}
        found += [entry("BatchNormalization", f"norm{number}", weights=weights, epsilon=1e-3, axis=-1), layer, relu]
    return found


def convolutions(layers: int, channels: int) -> list[Entry]:
    """Padded 3x3 convolutions, each with a quantized ReLU."""
    random, found = np.random.default_rng(3), []
    for number in range(layers):
        kernel = random.integers(-32, 32, (3, 3, channels if number else 1, channels)) / 32
        weights = {"kernel": kernel.astype(np.float32), "bias": np.zeros(channels, np.float32)}
        options = {"filters": channels, "kernel_size": [3, 3], "padding": "same"}
        found += [
            entry("QConv2D", f"conv{number}", weights=weights, **options, **QUANTIZED),
            entry("QActivation", f"relu{number}", activation="quantized_relu(6,2)"),
        ]
    return found


INPUT = ("--input-type", "fixed<8,2>")
CONVERT = (*INPUT, "--no-csim", "--reference", "none", "-q")


def fit_layers(folder: Path, size: int) -> list[str]:
    """Search a target for a network of so many layers."""
    model = sequential_file(folder / "m.h5", *dense(size, 16), shape=(16,))
    return ["fit", str(model), *INPUT, "--max-util", "100%"]


def convert_layers(folder: Path, size: int) -> list[str]:
    """Convert a network of so many layers."""
    model = sequential_file(folder / "m.h5", *dense(size, 8), shape=(8,))
    return ["convert", str(model), *CONVERT, "-o", str(folder / "out")]


def convert_parameters(folder: Path, size: int) -> list[str]:
    """Convert a network of about so many parameters."""
    units = round((size / 4) ** 0.5)
    model = sequential_file(folder / "m.h5", *dense(4, units), shape=(units,))
    return ["convert", str(model), *CONVERT, "-o", str(folder / "out")]


def convert_folded(folder: Path, size: int) -> list[str]:
    """Convert a network of about so many parameters with normalizations that go into the layers behind."""
    units = round((size / 4) ** 0.5)
    model = sequential_file(folder / "m.h5", *normalized(4, units), shape=(units,))
    return ["convert", str(model), *CONVERT, "-o", str(folder / "out")]


def convert_pixels(folder: Path, size: int) -> list[str]:
    """Convert a network for images of so many pixels, with one event."""
    side = round(size**0.5)
    model = sequential_file(folder / "m.h5", *convolutions(3, 4), shape=(side, side, 1))
    np.savez(folder / "x.npz", input_0=np.random.default_rng(1).integers(-128, 128, (1, side, side, 1)) / 64)
    return [
        "convert",
        str(model),
        *CONVERT,
        "--io",
        "stream",
        "--input",
        str(folder / "x.npz"),
        "-o",
        str(folder / "o"),
    ]


def trace_events(folder: Path, size: int) -> list[str]:
    """Write the results of every node for so many events."""
    model = sequential_file(folder / "m.h5", *dense(4, 16), shape=(16,))
    np.savez(folder / "x.npz", input_0=(np.random.default_rng(1).integers(-128, 128, (size, 16)) / 64))
    paths = ["--input", str(folder / "x.npz"), "--trace", str(folder / "t.npz")]
    return ["simulate", str(model), *INPUT, *paths]


SERIES = (
    Series(name="fit-layers", sizes=(5, 10, 20, 40, 60), quick=(3, 6), case=fit_layers, targets={60: (5.0, 512)}),
    Series(name="convert-layers", sizes=(30, 60, 125, 250, 500), quick=(5, 10), case=convert_layers, targets={}),
    Series(
        name="convert-parameters",
        sizes=(1_000_000, 2_500_000, 5_000_000, 10_000_000),
        quick=(10_000, 40_000),
        case=convert_parameters,
        targets={10_000_000: (60.0, 2048)},
    ),
    Series(
        name="convert-folded",
        sizes=(1_000_000, 2_500_000, 5_000_000, 10_000_000),
        quick=(10_000, 40_000),
        case=convert_folded,
        targets={10_000_000: (60.0, 2048)},
    ),
    Series(name="convert-pixels", sizes=(1024, 4096, 16384, 65536), quick=(64, 256), case=convert_pixels, targets={}),
    Series(
        name="trace-events",
        sizes=(1000, 10_000, 100_000, 1_000_000),
        quick=(100, 1000),
        case=trace_events,
        targets={1_000_000: (120.0, 1024)},
    ),
)


def measured(one: Series, size: int) -> Cost:
    """Run one case in a process of its own, whose own children are counted too."""
    with tempfile.TemporaryDirectory() as name:
        arguments = one.case(Path(name), size)
        code = f"import sys; sys.argv[1:] = {arguments!r}; from fpgacnn.cli.main import main; sys.exit(main())"
        with (Path(name) / "log").open("w+b") as log:
            process = subprocess.Popen(  # noqa: S603  # our own
                [sys.executable, __file__, "--child", code], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=name
            )
            status = process.wait()
        text = (Path(name) / "log").read_text(encoding="utf-8", errors="replace")
        if status not in {0, int(arguments[0] == "fit")}:  # 1: no target fits, which is an answer of `fit`
            sys.exit(f"{' '.join(arguments)} failed with {status}:\n{text}")
        seconds, mib = map(float, (Path(name) / "usage").read_text(encoding="utf-8").split())
    return Cost(series=one.name, size=size, seconds=round(seconds, 2), mib=round(mib, 1))


def run_child(code: str) -> int:
    """Run the command as a child, and write down what it and its children used."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    status = subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode  # noqa: S603  # own
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    numbers = f"{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss / 1024}"
    Path("usage").write_text(numbers, encoding="utf-8")
    return status


def exponent(sizes: list[int], costs: list[float], least: float) -> float | None:
    """The slope of log(cost) over log(size), both counted from the smallest case; None if nothing grew."""
    grown = [
        (size - sizes[0], cost - costs[0]) for size, cost in zip(sizes, costs, strict=True) if cost - costs[0] > least
    ]
    if len(grown) == 1 and (before := next(i for i, cost in enumerate(costs) if cost - costs[0] > least) - 1) > 0:
        grown.insert(0, (sizes[before] - sizes[0], least))  # it grew by less there: a lower bound of the slope
    if len(grown) < 2:
        return None
    logs = np.log(np.array(grown, float))
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def summary(one: Series, costs: list[Cost]) -> tuple[dict[str, object], list[str]]:
    """The exponents of a series, and which goals it misses."""
    sizes = [cost.size for cost in costs]
    found = {
        "seconds": exponent(sizes, [cost.seconds for cost in costs], NOISE_SECONDS),
        "mib": exponent(sizes, [cost.mib for cost in costs], NOISE_MIB),
    }
    missed = [
        f"{one.name}: {name} grow with an exponent of {value:.2f}, goal {LARGEST_EXPONENT}"
        for name, value in found.items()
        if value is not None and value > LARGEST_EXPONENT
    ]
    for cost in costs:
        seconds, mib = one.targets.get(cost.size, (float("inf"), float("inf")))
        missed += [f"{one.name} {cost.size:,}: {cost.seconds} s, target {seconds}"] * (cost.seconds > seconds)
        missed += [f"{one.name} {cost.size:,}: {cost.mib} MiB, target {mib}"] * (cost.mib > mib)
    return {"series": one.name, **found}, missed


def main() -> int:
    """Measure the series and print costs and exponents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: a smoke run")
    parser.add_argument("--only", default=",".join(one.name for one in SERIES), help="names of series")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--child", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        return run_child(options.child)
    wanted = options.only.split(",")
    unknown = set(wanted) - {one.name for one in SERIES}
    if unknown:
        parser.error(f"no such series: {', '.join(sorted(unknown))}")
    costs, exponents, missed = list[Cost](), list[dict[str, object]](), list[str]()
    print(f"{'series':20s} {'size':>12s} {'processor s':>12s} {'peak MiB':>9s}")
    for one in (series for series in SERIES if series.name in wanted):
        mine = []
        measured(one, one.quick[0])  # the first run may have to compile Python's files, and find everything on disk
        for size in one.quick if options.quick else one.sizes:
            mine.append(measured(one, size))
            print(f"{one.name:20s} {size:12,d} {mine[-1].seconds:12.2f} {mine[-1].mib:9.0f}", flush=True)
        row, wrong = summary(one, mine)
        words = [f"{name} {'do not grow' if row[name] is None else f'^{row[name]:.2f}'}" for name in ("seconds", "mib")]
        print(f"{one.name:20s} {'exponents':>12s} {', '.join(words)}", flush=True)
        costs, exponents, missed = costs + mine, [*exponents, row], missed + wrong
        if options.json:  # after every series: a run takes long, and may be ended
            document = {"costs": [asdict(cost) for cost in costs], "exponents": exponents, "missed": missed}
            options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")
    print("\n".join(f"missed: {one}" for one in missed) or "no goal missed")
    return int(bool(missed) and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
