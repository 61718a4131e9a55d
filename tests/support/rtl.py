"""RTL designs for tests, and an evaluation of arithmetic graphs that shares nothing with their SystemVerilog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fpgacnn.design import BackendName, Design, IoType
from fpgacnn.errors import FpgacnnError, VerilatorMissingError
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.rtl.kernels.arithmetic import ROUNDINGS, ArithmeticGraph, Op
from fpgacnn.ir.fixed_point import Format, Overflow, requantize
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


def rtl_design(build: Builder) -> Design:
    """The network for the RTL backend."""
    return build.design(IoType.STREAM, backend=BackendName.RTL)


def built_and_refused(build: Builder) -> tuple[Builder, Mapping[str, str]]:
    """The branches that the RTL backend builds, and the message for each other one."""
    refused: dict[str, str] = {}
    for output in build.outputs:
        try:
            backend.convert(rtl_design(outputs_of(build, [output])))
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
            wide = Format(width=60, integer=60, rounding=ROUNDINGS[data[1]], overflow=Overflow.SAT)
            return int(requantize(_array(args[0]), data[0], wide)[0])
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


def _array(value: int):  # type: ignore[no-untyped-def]  # numpy's type is long here
    import numpy as np

    return np.array([value], np.int64)
