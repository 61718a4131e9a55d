"""The dataflow simulation.

The compiled loops equal the interpreted ones, and small networks give what can be counted by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgacnn.design import BackendName
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.dataflow import schedules
from fpgacnn.hardware.estimation.dataflow.build import built
from fpgacnn.hardware.estimation.dataflow.compiled import Simulator, has_kernel
from fpgacnn.hardware.estimation.dataflow.depths import drawn_cycles, levels
from fpgacnn.hardware.estimation.dataflow.process import Channel, Network, Process
from fpgacnn.hardware.estimation.dataflow.schedules import FrameSchedule
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role
from fpgacnn.hardware.estimation.quantities import quantities
from fpgacnn.hardware.estimation.streams import smallest_depths
from fpgacnn.hardware.estimation.timing import TimingBudget
from fpgacnn.sim.emulator.native.build import find_c_compiler
from tests.support.structures import RESOURCE, convolution, elementwise, model


def chain(*made: FrameSchedule, depths: tuple[int | None, ...]) -> Network:
    """Processes behind one another; FIFO n lies between n and n + 1."""
    processes = tuple(one.process(f"p{number}") for number, one in enumerate(made))
    channels = tuple(
        Channel(name=f"f{number}", writer=number, reader=number + 1, depth=depth) for number, depth in enumerate(depths)
    )
    return Network(processes=processes, channels=channels)


def random_network(seed: int) -> Network:
    """A chain with branches: processes of random rates, and FIFOs of random depths, that may stop."""
    random = np.random.default_rng(seed)
    words = int(random.integers(3, 40))
    made, links = [schedules.source(0, words)], [(0, 1)]
    channel, end = 1, 0
    for _ in range(int(random.integers(1, 5))):
        first, way, past, joined = (end, channel, channel + 1, channel + 2)
        clone = len(made)
        made.append(schedules.elementwise([first], [way, past], words, 1, 1))
        whole = schedules.gather(way, joined, (words, words), int(random.integers(1, 9)))
        made.append(whole if random.integers(4) == 0 else schedules.elementwise([way], [joined], words, 1, 3))
        made.append(
            schedules.elementwise(
                [joined, past], [channel + 3], words, int(random.integers(1, 4)), int(random.integers(1, 7))
            )
        )
        links += [(clone, clone + 1), (clone, clone + 2), (clone + 1, clone + 2), (clone + 2, clone + 3)]
        end, channel = channel + 3, channel + 4
    made.append(schedules.sink(end, words))
    processes: tuple[Process, ...] = tuple(one.process(f"p{number}") for number, one in enumerate(made))
    depths = [
        None if reader == len(made) - 1 or not number else int(random.integers(1, words + 2))
        for number, (_, reader) in enumerate(links)
    ]
    channels = tuple(
        Channel(name=f"f{number}", writer=writer, reader=reader, depth=depth)
        for number, ((writer, reader), depth) in enumerate(zip(links, depths, strict=True))
    )
    return Network(processes=processes, channels=channels)


@pytest.mark.skipif(find_c_compiler() is None, reason="needs a C compiler")
def test_compiled_and_interpreted_loops_are_equal() -> None:
    assert has_kernel()
    stopped = 0
    for seed in range(60):
        network = random_network(seed)
        fast, slow = Simulator(network).run(), Simulator(network, compiled=False).run()
        assert fast.deadlock == slow.deadlock
        stopped += bool(fast.deadlock)
        for one, other in zip((*fast.written, *fast.taken), (*slow.written, *slow.taken), strict=True):
            np.testing.assert_array_equal(one, other)
        if not fast.deadlock:
            np.testing.assert_array_equal(fast.done, slow.done)
            np.testing.assert_array_equal(fast.started, slow.started)
    assert 5 < stopped < 55  # both ends are seen


def test_a_chain_of_one_word_a_cycle_runs_at_full_speed_with_two_places_and_at_half_with_one() -> None:
    made = (
        schedules.source(0, 50),
        schedules.elementwise([0], [1], 50, 1, 1),
        schedules.elementwise([1], [2], 50, 1, 1),
        schedules.sink(2, 50),
    )
    fast = Simulator(chain(*made, depths=(None, 2, None))).run()
    slow = Simulator(chain(*made, depths=(None, 1, None))).run()
    assert fast.interval == 50 + 2  # the pipeline's own cycle, and the one between two frames
    assert slow.interval == 2 * 50 + 1


def test_a_word_stays_in_a_deep_fifo_for_two_cycles_and_in_a_shift_register_for_one() -> None:
    made = (schedules.source(0, 1), schedules.elementwise([0], [1], 1, 1, 1), schedules.sink(1, 1))
    network = chain(*made, depths=(3, None))
    assert Simulator(network).run().taken[0][0] == 2
    assert Simulator(network).run({"f0": 2}).taken[0][0] == 1


@pytest.mark.parametrize(
    ("image", "window", "strides", "count"),
    [
        ((5, 5), (3, 3), (1, 1), 9),
        ((32, 32), (4, 4), (4, 4), 64),
        ((1, 11), (1, 9), (1, 1), 3),
        ((6, 5), (2, 2), (2, 3), 6),
    ],
)
def test_windows_end_as_often_as_there_are_results(
    image: tuple[int, int], window: tuple[int, int], strides: tuple[int, int], count: int
) -> None:
    assert schedules.window_ends(image, window, strides).sum() == count


def test_a_resource_convolution_takes_its_reuse_loop_only_where_a_window_ends() -> None:
    """Nine windows of 74 cycles and 16 shifts of 9 (810 in all), and five cycles before and behind them."""
    found = schedules.window_ends((5, 5), (3, 3), (1, 1))
    made = (
        schedules.source(0, 9),
        schedules.padding(0, 1, (3, 3), (1, 1, 1, 1), 1),
        schedules.serial_windows(1, 2, found, 74, 9),
        schedules.sink(2, 9),
    )
    assert Simulator(chain(*made, depths=(None, 25, None))).run(frames=2).latency == 815


def residual(**changes: Any) -> HardwareGraph:
    """Two convolutions and a way past them; 16x16 pixels of 8 channels."""
    shape, padded = (16, 16, 8), (18, 18, 8)
    weights = np.random.default_rng(1).integers(-7, 8, (3, 3, 8, 8))
    conv = {"strategy": RESOURCE, "reuse": changes.pop("reuse", 1)}
    border = {"out_shape": padded, "borders": (1, 1, 1, 1)}
    return model(
        elementwise(Role.COMPARE, shape, name="stem"),
        elementwise(Role.PAD, shape, name="pad1", inputs=("stem",), **border),
        convolution(weights, padded[:2], name="a", inputs=("pad1",), **conv),
        elementwise(Role.PAD, shape, name="pad2", inputs=("a",), **border),
        convolution(weights, padded[:2], name="b", inputs=("pad2",), **conv),
        elementwise(Role.MERGE, shape, name="add", inputs=("b", "stem")),
        elementwise(Role.COMPARE, shape, name="act", inputs=("add",)),
        **changes,
    )


@pytest.mark.parametrize("tool", [BackendName.VITIS, BackendName.VIVADO])
@pytest.mark.parametrize("reuse", [1, 9])
def test_the_smallest_depths_keep_the_interval_also_with_other_cycles(tool: BackendName, reuse: int) -> None:
    graph = residual(tool=tool, reuse=reuse)
    device = find_device(graph.part)
    network = built(graph, quantities(graph, device), TimingBudget.of(graph, device))
    found = smallest_depths(graph)
    whole, small = estimate(graph), estimate(residual(tool=tool, reuse=reuse, fifo_depths=found.depths))
    assert small.simulated.ii_cycles == whole.simulated.ii_cycles
    blocks, frame = (sum(one.bram_18k for one in answer.simulated.streams) for answer in (small, whole))
    assert blocks <= frame // 8
    assert all(depth >= 2 for depth in found.depths.values())
    for seed in range(500, 520):
        drawn = Simulator(network.varied(drawn_cycles(seed, 0.3)))
        slow, fast = drawn.run(dict(found.depths)), drawn.run()
        assert not slow.deadlock
        assert slow.interval <= 1.01 * fast.interval


def test_the_functional_limit_of_a_way_past_two_convolutions() -> None:
    """Two windows of three rows: the copy waits for two rows and a few pixels; the pipelines hold the rest."""
    depths = dict.fromkeys(("stem", "stem:pad1", "pad1", "a", "pad2", "b", "add"), 2)
    assert estimate(residual(fifo_depths={**depths, "stem:add": 38})).stops
    assert not estimate(residual(fifo_depths={**depths, "stem:add": 39})).stops


def test_levels_are_the_largest_depths_for_each_number_of_blocks() -> None:
    assert levels(5000, lambda depth: 0 if depth <= 32 else -(-depth // 1024)) == (32, 1024, 2048, 3072, 4096, 5000)
    assert levels(1, lambda _: 0) == (2,)


def test_spans_add_up() -> None:
    for one in estimate(residual()).simulated.layers:
        assert one.start < one.end
        assert 0 <= one.empty + one.full <= one.end - one.start
        assert all(one.start <= begin < end <= one.end for begin, end in one.stalls)
