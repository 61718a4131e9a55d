"""What a proof costs as images grow and as events grow: processor time and peak memory of `fpgacnn convert`.

Usage: python benchmarks/sizes.py [--quick] [--io stream,parallel] [--sides 64,128,256] [--events 1,8,32,96] [--json
OUT] (in an environment with the extra `train`, which makes the network files). `--quick` is a smoke run on small
images.

The network is a U-Net of 100,000 parameters in float, planned with 16 bits. Every case is one process, from the model
file to the proven project, without C simulation and without the framework; user and system time are added, as
`/usr/bin/time -v` shows them. The growth exponent is the slope of log(cost) over log(pixels) or log(events): 1 is
linear. The run fails where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

ROOT = Path(__file__).parents[1]
SIDES, EVENTS = (64, 128, 256), (1, 8, 32, 96)
QUICK_SIDES, QUICK_EVENTS = (16, 32), (1, 4)
TARGET = (256, 96)
"""Pixels a side and events that the targets are for."""

TARGET_SECONDS, TARGET_MIB = 180.0, 2048.0
BASE_FILTERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took: seconds of user and system time, MiB of resident memory at the most."""

    io: str
    side: int
    events: int
    seconds: float
    mib: float


def write_unet(path: Path, side: int) -> int:
    """Write a U-Net of two halvings for RGB images of `side` x `side` pixels; how many parameters it has."""
    import tf_keras as keras  # takes seconds, and --help should not

    layers = keras.layers
    keras.utils.set_random_seed(3)

    def block(tensor: object, filters: int) -> object:
        for _ in range(2):
            tensor = layers.Conv2D(filters, 3, padding="same", activation="relu")(tensor)
        return tensor

    def up(tensor: object, filters: int) -> object:
        return layers.Conv2D(filters, 2, padding="same", activation="relu")(layers.UpSampling2D()(tensor))

    image = layers.Input((side, side, 3))
    first = block(image, BASE_FILTERS)
    second = block(layers.MaxPooling2D()(first), 2 * BASE_FILTERS)
    deepest = block(layers.MaxPooling2D()(second), 4 * BASE_FILTERS)
    third = block(layers.Concatenate()([up(deepest, 2 * BASE_FILTERS), second]), 2 * BASE_FILTERS)
    last = block(layers.Concatenate()([up(third, BASE_FILTERS), first]), BASE_FILTERS)
    model = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(last))
    model.save(path)
    return int(model.count_params())


def measured(folder: Path, model: Path, io: str, side: int, events: int) -> Cost:
    """Convert in a process of its own."""
    data = folder / f"{side}_{events}.npy"
    np.save(data, (np.random.default_rng(1).integers(0, 256, (events, side, side, 3)) / 256).astype(np.float32))
    arguments = ["convert", str(model), "--bits", "16", "--input", str(data), "--io", io, "--csim-events", "0"]
    command = [sys.executable, "-m", "fpgacnn.cli.main", *arguments, "--reference", "none"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with tempfile.TemporaryDirectory() as output, (folder / "log").open("w+b") as log:
        process = subprocess.Popen(  # noqa: S603  # our own
            [*command, "-o", f"{output}/project"], stdout=log, stderr=log, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{(folder / 'log').read_text(encoding='utf-8', errors='replace')}")
    data.unlink()
    seconds = usage.ru_utime + usage.ru_stime
    return Cost(io=io, side=side, events=events, seconds=round(seconds, 1), mib=round(usage.ru_maxrss / 1024, 1))


def exponent(sizes: list[int], costs: list[float]) -> float:
    """The slope of log(cost) over log(size), by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def print_growth(costs: list[Cost]) -> None:
    """Growth exponents with the pixels for every number of events, and with the events for every size."""
    for io in dict.fromkeys(cost.io for cost in costs):
        mine = [cost for cost in costs if cost.io == io]
        for events in dict.fromkeys(cost.events for cost in mine):
            row = [cost for cost in mine if cost.events == events]
            print_exponents(f"{io}, {events} events, over pixels", [cost.side**2 for cost in row], row)
        for side in dict.fromkeys(cost.side for cost in mine):
            row = [cost for cost in mine if cost.side == side]
            print_exponents(f"{io}, {side}x{side}, over events", [cost.events for cost in row], row)


def print_exponents(title: str, sizes: list[int], row: list[Cost]) -> None:
    """One line of exponents; nothing for a single case."""
    if len(row) > 1:
        seconds, memory = (exponent(sizes, [getattr(cost, name) for cost in row]) for name in ("seconds", "mib"))
        print(f"{title:38s} {'processor time':>16s} ^{seconds:5.2f}  memory ^{memory:5.2f}")


def missed(costs: list[Cost]) -> list[str]:
    """The targets that were measured and not reached."""
    found = []
    for cost in costs:
        if (cost.side, cost.events) == TARGET:
            found += [f"{cost.io}: {cost.seconds} s, target {TARGET_SECONDS}"] * (cost.seconds > TARGET_SECONDS)
            found += [f"{cost.io}: {cost.mib} MiB, target {TARGET_MIB}"] * (cost.mib > TARGET_MIB)
    return found


def numbers(text: str) -> tuple[int, ...]:
    """`64,128` as numbers."""
    return tuple(int(part) for part in text.split(","))


def main() -> None:
    """Measure every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small images, one interface")
    parser.add_argument("--io", default=None)
    parser.add_argument("--sides", type=numbers, default=None)
    parser.add_argument("--events", type=numbers, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    sides = options.sides or (QUICK_SIDES if options.quick else SIDES)
    counts = options.events or (QUICK_EVENTS if options.quick else EVENTS)
    interfaces = (options.io or ("stream" if options.quick else "stream,parallel")).split(",")
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'io':10s} {'image':>9s} {'events':>7s} {'processor s':>12s} {'peak MiB':>9s}")
        for side in sides:
            model = folder / f"unet{side}.h5"
            write_unet(model, side)
            for io in interfaces:
                for events in counts:
                    cost = measured(folder, model, io, side, events)
                    costs.append(cost)
                    if options.json:  # after every case: a run takes long, and may be ended
                        options.json.write_text(json.dumps([asdict(one) for one in costs], indent=1), encoding="utf-8")
                    print(
                        f"{io:10s} {f'{side}x{side}':>9s} {events:7d} {cost.seconds:12.1f} {cost.mib:9.0f}", flush=True
                    )
    print_growth(costs)
    found = missed(costs)
    print("\n".join(f"missed: {one}" for one in found) or "no target missed")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
