"""How good the dataflow simulation is, and what the depths that it chooses save.

    python benchmarks/dataflow.py --fifos FOLDER       published highest fills of a CIFAR-10 network (RN07, MLPerf Tiny)
    python benchmarks/dataflow.py --cosim DATASET      RTL simulations of a data set of synthesized designs
    python benchmarks/dataflow.py --networks FOLDER    FIFO block RAM of .keras networks, by default and chosen
    python benchmarks/dataflow.py --cpp MODEL          the same limits in hls4ml's own C++ (g++, half a minute a line)
    python benchmarks/dataflow.py --folding            what folded casts save in networks of the benchmark's own
    python benchmarks/dataflow.py --folding-of FOLDER  the same for quantized model files

FOLDER of `--fifos` has the files max_depth_*.json of hls4ml's FIFO optimizer. All parts can be asked for in one call.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from dataset import read, read_design
from folding import Pair, files, line, own_networks

from fpgacnn.design import BackendName, Design, IoType, Strategy, Target
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.dataflow import schedules
from fpgacnn.hardware.estimation.dataflow.build import Unknown, Vary, built
from fpgacnn.hardware.estimation.dataflow.compiled import Simulator
from fpgacnn.hardware.estimation.dataflow.depths import drawn_cycles
from fpgacnn.hardware.estimation.dataflow.process import Channel, Network
from fpgacnn.hardware.estimation.dataflow.schedules import FrameSchedule
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph
from fpgacnn.hardware.estimation.quantities import quantities
from fpgacnn.hardware.estimation.streams import blocks_of, held_words, smallest_depths
from fpgacnn.hardware.estimation.timing import TimingBudget
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.passes.widths.widths import parse_widths
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_source
from fpgacnn.records.estimates import TargetOverrides
from fpgacnn.sim.bounded.run import BoundedCSim, Stopped

BOARD_MS, BOARD_CLOCK_NS = 27.33, 10.0
"""Measured on a PYNQ-Z2 with the driver of the board; the clock of the published design."""

AROUND, SHIFT = 6, 2
"""Cycles around a reuse loop, and of a shift, that fit the published fills (Vivado HLS 2019, 10 ns)."""

REUSE = {
    "rf16384": (96, 2048, 2048, 16384, 16384, 20480),
    "rf8192": (96, 2048, 2048, 8192, 8192, 10240),
    "rf512-16384": (96, 512, 512, 512, 4096, 20480),
}
SEEDS = range(1000, 1036)
TOLERANCE_WORDS, TOLERANCE_CYCLES, TOLERANCE_TIME = 2, 2, 0.05


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fifos", type=Path, metavar="FOLDER")
    parser.add_argument("--cosim", type=Path, metavar="DATASET")
    parser.add_argument("--networks", type=Path, metavar="FOLDER")
    parser.add_argument("--cpp", type=Path, metavar="MODEL")
    parser.add_argument("--folding", action="store_true")
    parser.add_argument("--folding-of", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    if asked.fifos:
        published_fills(asked.fifos)
    if asked.cosim:
        rtl_simulations(asked.cosim)
        errors(asked.cosim)
    if asked.networks:
        networks(asked.networks)
    if asked.cpp:
        limits_in_cpp(asked.cpp)
    if asked.folding:
        folded(own_networks())
    if asked.folding_of:
        folded(files(asked.folding_of))
    return 0


def folded(pairs: Iterable[Pair | str]) -> None:
    """Each network, then all together."""
    total = [0, 0]
    for pair in pairs:
        if isinstance(pair, str):
            say(pair)
            continue
        words, bits = line(pair)
        total = [one + other for one, other in zip(total, bits, strict=True)]
        say(words)
    if total[0]:
        say(f"all: FIFO bits {total[0]:,} -> {total[1]:,} ({total[1] / total[0] - 1:+.0%})")


# --- published fills -----------------------------------------------------------------------------------------------


def chain(stages: Sequence[tuple[str, FrameSchedule]], fifos: Sequence[str]) -> Network:
    """Processes behind one another, with FIFOs that never fill up."""
    processes = tuple(schedule.process(name) for name, schedule in stages)
    channels = tuple(Channel(name=n, writer=k, reader=k + 1, depth=None) for k, n in enumerate(fifos))
    return Network(processes=processes, channels=channels)


def cifar(reuse: Sequence[int], *, padded: bool) -> Network:
    """The published network: five convolutions of 32x32 images, padded on four sides, and a dense layer.

    `padded`: hls4ml put a padding of nothing before the convolution of stride four.
    """
    names = ["in", "layer4", "layer20", "layer7", "layer21", "layer10", *(["layer22"] if padded else [])]
    names += ["layer13", "layer23" if padded else "layer22", "layer16", "out"]
    same = (1, 2, 1, 2)
    stages: list[tuple[str, FrameSchedule]] = [("in", schedules.source(0, 1024))]

    def convolution(size: int, window: int, stride: int, factor: int) -> None:
        place = len(stages)
        found = schedules.window_ends((size, size), (window, window), (stride, stride))
        stages.append((f"conv{place}", schedules.serial_windows(place - 1, place, found, factor + AROUND, SHIFT)))

    def padding(size: int, borders: tuple[int, int, int, int]) -> None:
        place = len(stages)
        stages.append((f"pad{place}", schedules.padding(place - 1, place, (size, size), borders, 1)))

    convolution(32, 1, 1, reuse[0])
    padding(32, same)
    convolution(35, 4, 1, reuse[1])
    padding(32, same)
    convolution(35, 4, 1, reuse[2])
    if padded:
        padding(32, (0, 0, 0, 0))
    convolution(32, 4, 4, reuse[3])
    padding(8, same)
    convolution(11, 4, 1, reuse[4])
    place = len(stages)
    stages.append(("dense", schedules.gather(place - 1, place, (64, 1), reuse[5] + AROUND)))
    stages.append(("out", schedules.sink(place, 1)))
    return chain(stages, names)


def published_fills(folder: Path) -> None:
    """The highest fill of every inner FIFO beside the published one, and the latency beside the board's."""
    worst, count = 0, 0
    for kind, reuse in REUSE.items():
        published = {
            one["name"].split("_out")[0]: one["max"]
            for one in json.loads((folder / f"max_depth_{kind}.json").read_text(encoding="utf-8"))
        }
        network = cifar(reuse, padded=kind != "rf512-16384")
        trace = Simulator(network).run(frames=1)
        shown = []
        for number, channel in enumerate(network.channels):
            if channel.name not in published:
                continue
            fill, truth = trace.fill(number), published[channel.name]
            worst, count = max(worst, abs(fill - truth)), count + 1
            shown.append(f"{channel.name} {fill}/{truth}")
        say(f"{kind}: latency {trace.latency:,} cycles; simulated/published {', '.join(shown)}")
        if kind == "rf16384":
            ms = trace.latency * BOARD_CLOCK_NS * 1e-6
            error = ms / BOARD_MS - 1
            say(f"  board {BOARD_MS} ms, simulated {ms:.2f} ms ({error:+.1%}): {said(abs(error) <= TOLERANCE_TIME)}")
    say(f"{count} fills, worst {worst} words off: {said(count > 0 and worst <= TOLERANCE_WORDS)}")


# --- RTL simulations ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A padded convolution: its image, window, and the cycles of csynth's report; what RTL simulation counted."""

    name: str
    image: tuple[int, int]
    borders: tuple[int, int, int, int]
    window: tuple[int, int]
    shift: int
    full: int
    pad: int
    cosim: int
    csynth: int


def rtl_simulations(dataset: Path) -> None:
    """Designs of a padding and a convolution, with the latencies of csynth: cycles of RTL simulation."""
    count = 0
    for path in sorted((dataset / "designs").glob("*/meta.json")):
        one = padded_convolution(json.loads(path.read_text(encoding="utf-8")), path.parent.name)
        if one is None:
            continue
        rows, columns = one.image[0] + sum(one.borders[:2]), one.image[1] + sum(one.borders[2:])
        found = schedules.window_ends((rows, columns), one.window, (1, 1))
        stages = [
            ("in", schedules.source(0, one.image[0] * one.image[1])),
            ("pad", schedules.padding(0, 1, one.image, one.borders, one.pad)),
            ("conv", schedules.serial_windows(1, 2, found, one.full, one.shift)),
            ("out", schedules.sink(2, int(found.sum()))),
        ]
        trace = Simulator(chain(stages, ("in", "padded", "out"))).run(frames=2)
        latency = int(trace.done[2, 0])
        count += 1
        fits = said(abs(latency - one.cosim) <= TOLERANCE_CYCLES)
        say(f"{one.name}: RTL {one.cosim:,}, simulated {latency:,}, csynth {one.csynth:,} cycles: {fits}")
    say(f"{count} designs with RTL simulation")


def padded_convolution(meta: Mapping[str, object], name: str) -> Measured | None:
    """A design of one padding and one resource convolution with a passed RTL simulation; None for others."""
    layers, cosim = meta.get("layers"), meta.get("cosim")
    if not isinstance(layers, list) or not isinstance(cosim, dict) or cosim.get("status") != "Pass" or len(layers) != 2:
        return None
    pad, conv = layers
    if not (str(pad["fn"]).startswith("zeropad2d") and str(conv["fn"]).startswith("conv_2d")):
        return None
    by_config = {one.get("config"): one for one in meta["instances"].values()}  # type: ignore[union-attr]
    cycles = by_config.get(conv["config"])
    if cycles is None or not isinstance(cosim.get("lat_max"), int):
        return None
    pixels = conv["in_height"] * conv["in_width"]
    padded = next(one for key, one in meta["instances"].items() if "zeropad" in key)  # type: ignore[union-attr]
    return Measured(
        name=name,
        image=(pad["in_height"], pad["in_width"]),
        borders=(pad["pad_top"], pad["pad_bottom"], pad["pad_left"], pad["pad_right"]),
        window=(conv["filt_height"], conv["filt_width"]),
        shift=(cycles["lat_min"] - 1) // pixels,
        full=(cycles["lat_max"] - 1) // pixels,
        pad=max(1, (padded["lat_max"] - 3) // pixels),
        cosim=cosim["lat_max"],
        csynth=meta["result"]["latency_max"],  # type: ignore[index]
    )


def errors(dataset: Path) -> None:
    """Compare the estimate of streamed designs with csynth, and the simulation with RTL."""
    against_csynth: dict[str, list[float]] = {"latency": [], "II": []}
    ratios, known, all_of_them = [], 0, 0
    for sample in read(dataset):
        if sample.model.io is not IoType.STREAM:
            continue
        answer = estimate(sample.model)
        all_of_them += 1
        known += answer.simulated is not None
        for quantity, figure in (("latency", answer.totals.latency_cycles), ("II", answer.totals.ii_cycles)):
            if sample.truth.get(quantity):
                against_csynth[quantity].append(abs(figure.value / sample.truth[quantity] - 1))
    for path in sorted((dataset / "designs").glob("*/meta.json")):
        meta = json.loads(path.read_text(encoding="utf-8"))
        cosim = meta.get("cosim") or {}
        if (
            meta.get("io_type") != "io_stream"
            or cosim.get("status") != "Pass"
            or not isinstance(cosim.get("lat_max"), int)
        ):
            continue
        one = read_design({**meta, "tier": "A"}, path.parent)
        answer = estimate(one.model) if one else None
        if answer and answer.simulated and not answer.stops:
            latency = answer.simulated.latency_cycles.value
            ratios.append(cosim["lat_max"] / latency)
            csynth = answer.totals.latency_cycles.value
            say(
                f"  {path.parent.name}: RTL {cosim['lat_max']:,}, simulated {latency:,.0f}, csynth expected"
                f" {csynth:,.0f}"
            )
    say(f"{known} of {all_of_them} streamed designs are simulated")
    for quantity, found in against_csynth.items():
        say(f"csynth's {quantity}: median error {median(found):.1%} on {len(found)} designs")
    if ratios:
        say(f"RTL / simulated with estimated cycles: {', '.join(f'{one:.2f}' for one in sorted(ratios))}")


# --- networks -------------------------------------------------------------------------------------------------------


def planned(file: Path, backend: BackendName) -> Design:
    """A network with 8 bits everywhere, streamed; a large one with shared multipliers."""
    sharing = {"strategy": Strategy.RESOURCE, "reuse": 144} if "resnet" in file.stem else {}
    wishes = TargetOverrides(io=IoType.STREAM, backend=backend, **sharing)
    request = Request(model=file, target=Target(io=IoType.STREAM), widths=parse_widths("8"))
    return plan_source(file, request, wishes)[0]


def made(graph: HardwareGraph, vary: Vary | None = None) -> Network:
    """The processes of a design, also with other cycles."""
    device = find_device(graph.part)
    found = built(graph, quantities(graph, device), TimingBudget.of(graph, device))
    if isinstance(found, Unknown):
        raise SystemExit(found.why)
    return found.network if vary is None else found.varied(vary)


def networks(folder: Path) -> None:
    """FIFO block RAM by default and chosen, at which interval, found in which time, and how it bears wrong cycles."""
    for file in sorted(folder.glob("*.keras")):
        for backend in (BackendName.VITIS, BackendName.VIVADO):
            if "resnet" in file.stem and backend is BackendName.VITIS:
                continue
            judge(file, backend)


def judge(file: Path, backend: BackendName) -> None:
    """One network for one tool."""
    graph = hardware_graph(planned(file, backend))
    begun = time.process_time()
    found = smallest_depths(graph)
    spent = time.process_time() - begun
    if isinstance(found, Unknown):
        say(f"{file.stem} {backend}: {found.why}")
        return
    blocks = blocks_of(graph, quantities(graph, find_device(graph.part)))
    network = made(graph)
    frame = dict(zip((one.name for one in network.channels), network.words().tolist(), strict=True))
    whole, small = Simulator(network).run(frames=16), Simulator(network).run(dict(found.depths), frames=16)
    stopped, slower = 0, 1.0
    for seed in SEEDS:
        drawn = Simulator(made(graph, drawn_cycles(seed, 0.3)))
        trace = drawn.run(dict(found.depths))
        stopped += bool(trace.deadlock)
        slower = max(slower, trace.interval / drawn.run().interval if not trace.deadlock else 1.0)
    before, after = (sum(blocks[name](depths[name]) for name in network.inner) for depths in (frame, found.depths))
    say(
        f"{file.stem} {backend}: FIFO BRAM18 {before:,} -> {after:,}; interval {whole.interval:,} ->"
        f" {small.interval:,}, latency {whole.latency:,} -> {small.latency:,}; {found.simulations} simulations,"
        f" {spent:.2f} CPU-s; cycles varied by 30 %, {len(SEEDS)} times: {stopped} deadlocks, interval at most"
        f" x{slower:.4f}"
    )
    if file.stem == "residual":
        limit(graph, skip(network))


def skip(network: Network) -> str:
    """The FIFO of the residual network's short way: what the stem gives to a layer that pads nothing."""
    return next(name for name in network.inner if name.startswith("stem:") and not name.endswith("_pad"))


def limit(graph: HardwareGraph, fifo: str) -> None:
    """The smallest depth of one FIFO that does not stop the design, all others having two places."""
    simulator = Simulator(made(graph))
    names = simulator.run().network.inner
    depths = dict.fromkeys(names, 2)
    smallest = next(depth for depth in range(1, 1000) if not simulator.run({**depths, fifo: depth}).deadlock)
    stuck = simulator.run({**depths, fifo: 32}).deadlock
    say(f"  {fifo}: {smallest} places are enough, 32 stop: {' -> '.join(map(str, stuck))}")


def limits_in_cpp(file: Path) -> None:
    """The residual network in hls4ml's C++: deadlocks, with results written at once and held in pipelines."""
    design = planned(file, BackendName.VIVADO)
    graph = hardware_graph(design)
    names, short = made(graph).inner, skip(made(graph))
    chosen = smallest_depths(graph)
    if isinstance(chosen, Unknown):
        raise SystemExit(chosen.why)
    events = [random_events(layer.shape, operation.format) for layer, operation in design.model.input_layers]
    tried = [
        ("chosen", dict(chosen.depths)),
        *((f"2, skip {n}", dict.fromkeys(names, 2) | {short: n}) for n in (32, 33, 42, 43)),
    ]
    for title, depths in tried:
        sized = replace(design, fifo_depths=depths)
        simulation = BoundedCSim(convert(sized), sized, held_words(graph))
        words = []
        for stalling in (False, True):
            answer = simulation.run_bounded(events, stalling=stalling)
            way = "held in pipelines" if stalling else "given at once"
            words.append(f"{way}: {'DEADLOCK ' + answer.circle[0] if isinstance(answer, Stopped) else 'ends'}")
        say(f"C++, depths {title}: {'; '.join(words)}")


def random_events(shape: tuple[int, ...], form: object) -> Codes:
    """Four events."""
    low, high = form.low, form.high  # type: ignore[attr-defined]
    return Codes(array=np.random.default_rng(1).integers(low, high, (4, *shape), endpoint=True), format=form)  # type: ignore[arg-type]


def said(good: bool) -> str:  # noqa: FBT001  # a verdict in words
    """A verdict."""
    return "holds" if good else "MISSED"


if __name__ == "__main__":
    raise SystemExit(main())
