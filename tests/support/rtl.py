"""RTL designs for tests, and an evaluation of arithmetic graphs that shares nothing with their SystemVerilog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import BackendName, Design, IoType
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import FpgacnnError, VerilatorMissingError
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.rtl.kernels.arithmetic import ROUNDINGS, ArithmeticGraph, Op, round_code
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.ir.source import MergeKind, PoolKind
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.rtl.run import RtlSimulation, Traffic
from fpgacnn.sim.rtl.verilator import find_verilator
from tests.support.networks import Builder


def has_verilator() -> bool:
    """Whether Verilator is installed; tools/install_tests.sh sees to that."""
    try:
        find_verilator()
    except VerilatorMissingError:
        return False
    return True


needs_verilator = pytest.mark.skipif(not has_verilator(), reason="Verilator is not installed (tools/install_tests.sh)")


def outputs_of(build: Builder, outputs: Sequence[str]) -> Builder:
    """The part of a network that some of its outputs need."""
    by_name = {node.name: node for node in build.nodes}
    needed, waiting = set[str](), list(outputs)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += by_name[name].inputs
    part = Builder(seed=build.seed)
    part.nodes = [node for node in build.nodes if node.name in needed]
    part.inputs = [name for name in build.inputs if name in needed]
    part.outputs = list(outputs)
    part.accumulators = {name: form for name, form in build.accumulators.items() if name in needed}
    part.results = {name: form for name, form in build.results.items() if name in needed}
    return part


def rtl_design(build: Builder, io: IoType = IoType.STREAM) -> Design:
    """The network for the RTL backend."""
    return build.design(io, backend=BackendName.RTL)


def built_and_refused(build: Builder, io: IoType = IoType.STREAM) -> tuple[Builder, Mapping[str, str]]:
    """The branches that the RTL backend builds, and the message for each other one."""
    refused: dict[str, str] = {}
    for output in build.outputs:
        try:
            backend.convert(rtl_design(outputs_of(build, [output]), io))
        except FpgacnnError as error:
            refused[output] = str(error)
    return outputs_of(build, [name for name in build.outputs if name not in refused]), refused


def evaluated(graph: ArithmeticGraph, values: Sequence[int]) -> list[int]:
    """The value of every node for values of the inputs, by the meaning of the operations."""
    found: list[int] = []
    for node in graph.nodes:
        args = [found[one] for one in node.args]
        found.append(_value(node.op, args, node.data, values))
        assert node.low <= found[-1] <= node.high, node
    return found


def _value(op: Op, args: Sequence[int], data: tuple[int, ...], values: Sequence[int]) -> int:
    match op:
        case Op.INPUT:
            return values[data[0]]
        case Op.CONSTANT:
            return data[0]
        case Op.ADD:
            return args[0] * 2 ** data[0] + data[2] * args[1] * 2 ** data[1]
        case Op.SHIFT:
            return args[0] * 2 ** data[0] if data[0] > 0 else args[0] // 2 ** -data[0]
        case Op.ROUND:
            return round_code(args[0], data[0], ROUNDINGS[data[1]])
        case Op.WRAP:
            low = -(2 ** (data[0] - 1)) if data[1] else 0
            return (args[0] - low) % 2 ** data[0] + low
        case Op.CLIP:
            return min(max(args[0], data[0]), data[1])
        case Op.ZERO_OUTSIDE:
            return args[0] if data[0] <= args[0] <= data[1] else 0
        case Op.RELU:
            return max(args[0], 0)
        case Op.MAXIMUM:
            return max(args)
        case Op.MINIMUM:
            return min(args)
        case Op.AT_LEAST:
            return int(args[0] >= args[1])
        case Op.SELECT:
            return args[1] if args[0] else args[2]
        case Op.MULTIPLY:
            return args[0] * args[1]
        case Op.TABLE:
            return data[args[0] % len(data)]


def differing(build: Builder, events: int, *, random_seed: int = 1, io: IoType = IoType.STREAM) -> list[str]:
    """What is wrong with a network in RTL simulation: outputs that differ from the emulator, and clocks.

    Runs the events without pauses, with pauses, with pauses and stalls, with late frames, and with long pauses.
    """
    design, codes = rtl_design(build, io), build.events(events)
    simulation = RtlSimulation(backend.convert(design), design)
    expected = ReferenceEmulator(design).run(codes).outputs
    found = list[str]()
    for count in (1, 2, 3, events):
        simulation.run([Codes(array=one.array[:count], format=one.format) for one in codes])
        if not simulation.clocks_equal_schedule:
            found.append(f"clocks of {count} frames differ from the schedule")
    for traffic in (
        Traffic(),
        Traffic(pauses=40, seed=random_seed),
        Traffic(pauses=30, stalls=60, seed=random_seed + 1),
        Traffic(stalls=85, seed=random_seed + 2),
        Traffic(late_frames=True, seed=random_seed + 3),
        Traffic(longest=300, seed=random_seed + 4),
    ):
        answers = simulation.clocked(codes, traffic).answers.outputs
        wrong = [name for name in expected if not np.array_equal(answers[name].array, expected[name].array)]
        found += [f"{name} with {traffic}" for name in wrong]
    return found


SLOW_PIXELS, LATE_BRANCH = "fifo_n16", "fifo_0_n15"
"""FIFOs of `words_that_come_together`: before the upsampling; before the merge, at the end of the layers."""


def words_that_come_together(build: Builder) -> None:
    """A merge whose first input passes three layers and comes later, and three layers before an upsampling.

    The layers keep the last words of a frame until the second word of the next frame comes.
    """
    shape = (4, 4, 1)
    ends = []
    for _ in range(2):
        end = build.input(shape)
        for _ in range(3):
            sums = build.convolution(end, (3, 3, 1, 1), shape, pads=(1, 1, 1, 1))
            end = build.cast(sums, shape, "fixed<6,2,RND,SAT>")
        ends.append(end)
    build.end(build.add(hw.Merge(kind=MergeKind.ADD), shape, ends[0], build.input(shape)))
    build.end(build.add(src.Upsample(factors=(2, 2)), (8, 8, 1), ends[1]))


def with_depth(project: RtlProject, fifo: str, more: int) -> RtlProject:
    """The project, with one FIFO that holds so many words more (or fewer)."""
    top = "rtl/myproject.sv"

    def other(found: re.Match[str]) -> str:
        return f"DEPTH({int(found['depth']) + more}){found['name']}"

    text, count = re.subn(rf"DEPTH\((?P<depth>\d+)\)(?P<name>\) u_{fifo} )", other, project.files[top].decode())
    assert count == 1
    return replace(project, files={**project.files, top: text.encode()})


def small_cnn(seed: int) -> Design:
    """A small CNN of random sizes: one or two convolutions with ReLU, rounding and perhaps pooling, and a dense end."""
    random = np.random.default_rng(seed)
    build = Builder(seed=seed)
    height, width, channels = (int(one) for one in random.integers((5, 5, 1), (11, 11, 3)))
    node, given = build.input((height, width, channels), f"ufixed<{random.integers(3, 7)},2>"), channels
    for _ in range(int(random.integers(1, 3))):
        filters, size = int(random.integers(2, 5)), int(random.integers(2, 4))
        pads = (1, 1, 1, 1) if size == 3 else (0, 0, 0, 0)
        height, width = height + 2 * pads[0] - size + 1, width + 2 * pads[0] - size + 1
        node = build.convolution(node, (size, size, given, filters), (height, width, filters), pads=pads)
        node = build.add(hw.Relu(), (height, width, filters), node)
        build.results[node] = parse_format(f"ufixed<{random.integers(3, 7)},2,RND_CONV,SAT>")
        given = filters
        if random.integers(2) and min(height, width) > 3:
            height, width = height // 2, width // 2
            pool = hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0))
            node = build.add(pool, (height, width, given), node)
    flat = build.add(src.Reshape(), (height * width * given,), node)
    build.end(build.dense(flat, height * width * given, int(random.integers(2, 5))))
    return rtl_design(build)
