"""ArithmeticGraph graphs compute what the emulator computes, in exact ranges, and products share their adders."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph, Op
from fpgacnn.hardware.rtl.kernels.module import STAGE_DELAY, Kernel, VectorPort, verilog
from fpgacnn.hardware.rtl.kernels.operations import kernel_of, vector
from fpgacnn.hardware.rtl.kernels.products import constant_products, signed_digits, summed
from fpgacnn.hardware.rtl.kernels.quotients import divided, reciprocal
from fpgacnn.ir.fixed_point import CodeArray, Format, Overflow, Rounding, parse_format, requantize
from tests.support.rtl import evaluated

SIX = parse_format("fixed<6,6>")


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("signed", [True, False])
def test_a_cast_is_that_of_the_emulator_for_every_code(rounding: Rounding, overflow: Overflow, signed: bool) -> None:  # noqa: FBT001  # pytest
    given = parse_format("fixed<7,4>")
    for width, integer in ((5, 3), (3, 2), (12, 6), (4, 9), (4, -3)):
        to = Format(width=width, integer=integer, signed=signed, rounding=rounding, overflow=overflow)
        graph = ArithmeticGraph()
        result = graph.cast(graph.input(0, given), given.fraction, to)
        for code in range(given.low, given.high + 1):
            wanted = int(requantize(np.array([code]), given.fraction, to)[0])
            assert evaluated(graph, [code])[result] == wanted, (to, code)


def test_signed_digits_are_canonical() -> None:
    for value in range(-600, 600):
        digits = dict(signed_digits(value))
        assert sum(sign << place for place, sign in digits.items()) == value
        assert not any(place + 1 in digits for place in digits)


@pytest.mark.parametrize("seed", range(6))
def test_products_are_those_of_the_matrix_and_share_adders(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = (int(one) for one in random.integers(2, 14, 2))
    matrix = random.integers(-31, 32, (rows, columns)) * (random.random((rows, columns)) < 0.8)
    offsets = random.integers(-50, 50, columns)
    graph = ArithmeticGraph()
    results = constant_products(graph, [graph.input(number, SIX) for number in range(rows)], matrix, offsets.tolist())
    for _ in range(20):
        values = random.integers(SIX.low, SIX.high, rows, endpoint=True)
        found = evaluated(graph, values.tolist())
        assert [found[one] for one in results] == (values @ matrix + offsets).tolist()
    assert adders(graph) <= adders(plain_sums(matrix, offsets.tolist()))


def adders(graph: ArithmeticGraph) -> int:
    return sum(node.op is Op.ADD for node in graph.nodes)


def plain_sums(matrix: CodeArray, offsets: Sequence[int]) -> ArithmeticGraph:
    """The products as adder trees, one after the other, without a search for pairs that they share."""
    graph = ArithmeticGraph()
    inputs = [graph.input(number, SIX) for number in range(len(matrix))]
    for column, offset in zip(matrix.T.tolist(), offsets, strict=True):
        pairs = zip(inputs, column, strict=True)
        terms = [(node, place, sign) for node, weight in pairs for place, sign in signed_digits(weight)]
        summed(graph, [*terms, *([(graph.constant(offset), 0, 1)] if offset else [])])
    return graph


def test_shared_pairs_save_adders() -> None:
    matrix = np.random.default_rng(1).integers(-31, 32, (12, 12))
    graph = ArithmeticGraph()
    constant_products(graph, [graph.input(number, SIX) for number in range(12)], matrix, [0] * 12)
    assert adders(graph) < adders(plain_sums(matrix, [0] * 12))


def test_equal_columns_cost_one_negation_at_most() -> None:
    column = np.array([[3], [-5], [7], [11]])
    counts = list[int]()
    for columns in (1, 4):
        graph = ArithmeticGraph()
        inputs = [graph.input(number, SIX) for number in range(4)]
        results = constant_products(graph, inputs, np.repeat(column, columns, axis=1), [0] * columns)
        assert [evaluated(graph, [1, 2, 3, 4])[one] for one in results] == [58] * columns
        counts.append(adders(graph))
    assert counts[0] <= counts[1] <= counts[0] + 1


@pytest.mark.parametrize("signed", [True, False])
def test_a_constant_wraps_to_a_constant(signed: bool) -> None:  # noqa: FBT001  # pytest
    to = Format(width=4, integer=2, signed=signed, overflow=Overflow.WRAP)
    for code in range(-40, 41):
        graph = ArithmeticGraph()
        node = graph.nodes[graph.cast(graph.constant(code), to.fraction, to)]
        assert (node.op, node.low) == (Op.CONSTANT, int(requantize(np.array([code]), to.fraction, to)[0]))


def test_different_tables_have_different_names() -> None:
    factor = 1_000_003  # of a digest that is linear: the first table with one less and `factor` more
    tables = [(5, 7), (4, 7 + factor)]
    graph = ArithmeticGraph()
    results = [graph.table(graph.input(number, SIX), 1, values) for number, values in enumerate(tables)]
    to = parse_format("fixed<22,22>")
    text = verilog(kernel_of("k", graph, [SIX], [2], results, to))
    assert len(set(re.findall(r"function automatic .*?(table_\w+)\(", text))) == 2


@pytest.mark.parametrize("divisor", [2, 3, 5, 6, 7, 9, 12, 25, 49])
def test_a_quotient_truncates_toward_zero(divisor: int) -> None:
    graph = ArithmeticGraph()
    form = parse_format("fixed<10,10>")
    result = divided(graph, graph.input(0, form), divisor)
    for code in range(form.low, form.high + 1):
        assert evaluated(graph, [code])[result] == int(code / divisor)
    factor, shift = reciprocal(divisor, 5000)
    assert all(number * factor >> shift == number // divisor for number in range(5001))


def test_no_stage_is_longer_than_the_limit_and_results_are_registers() -> None:
    graph = ArithmeticGraph()
    inputs = vector(graph, SIX, 9)
    sums = constant_products(graph, inputs, np.arange(-13, 14).reshape(9, 3), [1, 2, 3])
    to = parse_format("ufixed<4,3,RND_CONV,SAT>")
    made = kernel_of("k", graph, [SIX], [9], [graph.cast(one, 2, to) for one in sums], to)
    stage, latency = made.stages()
    assert latency == 1 + max(stage[one] for one in made.results)
    for number, at in stage.items():
        for one in graph.nodes[number].args:
            if graph.nodes[one].op is not Op.CONSTANT:
                assert stage[one] <= at
    chain = ArithmeticGraph()
    node = chain.input(0, SIX)
    for number in range(7):
        node = chain.add(node, chain.input(number + 1, SIX))
    deep = Kernel(
        name="k", graph=chain, inputs=(VectorPort(elements=8, bits=6),), signed=(True,), results=(node,), result_bits=9
    )
    assert deep.latency == -(-7 // int(STAGE_DELAY))


def test_a_rounding_that_looks_at_every_dropped_bit_has_a_stage_of_its_own() -> None:
    for mode, stages in (("RND", 1), ("RND_CONV", 2)):
        graph = ArithmeticGraph()
        total = graph.add(graph.input(0, SIX), graph.input(1, SIX))
        to = parse_format(f"fixed<12,12,{mode}>")
        made = kernel_of("k", graph, [SIX], [2], [graph.cast(total, 3, to)], to)
        assert made.latency == stages, mode


def test_a_large_table_has_a_stage_of_its_own() -> None:
    for bits, stages in ((6, 1), (7, 2), (9, 2)):
        graph = ArithmeticGraph()
        given = Format(width=bits - 1, integer=bits - 1)
        total = graph.add(graph.input(0, given), graph.input(1, given))
        found = graph.table(total, bits, tuple(range(1 << bits)))
        to = Format(width=bits + 1, integer=bits + 1)
        assert kernel_of("k", graph, [given], [2], [found], to).latency == stages, bits
