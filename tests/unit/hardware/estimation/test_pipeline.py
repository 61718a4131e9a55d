"""What the clock cuts out of a chain of operations, shown by two clocks, two sizes or two versions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.constants import shipped
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role, TemplateCall, summarize
from fpgacnn.hardware.estimation.pipeline.chain import Operation, schedule
from fpgacnn.hardware.estimation.pipeline.delays import SEVEN, ULTRASCALE, clipping, rounding
from fpgacnn.hardware.estimation.primitives import Primitive
from fpgacnn.hardware.estimation.quantities import Quantities, quantities
from tests.support.structures import RESOURCE, SIXTEEN, dense, elementwise, model, pipeline

ZYNQ = "xc7z020clg400-1"
KERNEL = np.full((16, 16), 683)


def counted(whole: HardwareGraph) -> Quantities:
    return quantities(whole, find_device(whole.part))


def amount(quantity: str, whole: HardwareGraph) -> float:
    return sum(shipped().amount(quantity, one.primitives) for one in counted(whole).layers)


def mlp(*kernels: np.ndarray, **changes: object) -> HardwareGraph:
    """Dense layers and rectifiers in one pipeline."""
    layers: list[TemplateCall] = []
    for place, kernel in enumerate(kernels):
        before = (layers[-1].name,) if layers else ()
        layers.append(dense(kernel, name=f"d{place}", inputs=before))
        shape = layers[-1].out_shape
        layers.append(elementwise(Role.COMPARE, shape, name=f"r{place}", inputs=(f"d{place}",), what="relu"))
    return pipeline(*layers, **changes)


# -- the chain ---------------------------------------------------------------------------------------------------------


def test_a_chain_is_cut_where_the_next_operation_does_not_fit() -> None:
    operations = [Operation(delay_ns=2.0, alive_bits=bits) for bits in (1, 10, 100, 1000)]
    whole, cut = schedule(operations, 8.0), schedule(operations, 4.5)
    assert (whole.cycles, whole.register_bits, whole.tail_ns) == (0, 0, 8.0)
    assert (cut.cycles, cut.register_bits, cut.tail_ns) == (1, 100, 4.0)


def test_a_chain_goes_on_in_a_cycle_that_is_partly_used() -> None:
    operation = [Operation(delay_ns=2.0, alive_bits=7)]
    assert schedule(operation, 5.0, start_ns=3.0).cycles == 0
    assert schedule(operation, 5.0, start_ns=3.5).cycles == 1
    assert schedule(operation, 5.0, start_ns=3.5).register_bits == 7


def test_registers_of_long_lived_values_are_shared_by_the_cycles_between_two_events() -> None:
    operations = [Operation(delay_ns=3.0, alive_bits=30, long_lived_bits=20) for _ in range(5)]
    assert schedule(operations, 4.0, ii=1).register_bits == 4 * 30
    assert schedule(operations, 4.0, ii=2).register_bits == 4 * 10 + 4 * 20 / 2


def test_an_operation_of_several_cycles_has_registers_inside_unless_it_stays_whole() -> None:
    long = Operation(delay_ns=8.5, alive_bits=0, inner_bits=9)
    assert (schedule([long], 4.0).cycles, schedule([long], 4.0).register_bits) == (2, 18)
    assert schedule([replace(long, whole=True)], 4.0).cycles == 0


def test_three_operands_share_a_carry_chain_on_ultrascale_only() -> None:
    assert [operands for _, operands in ULTRASCALE.tree(27)] == [3, 3, 3]
    assert [operands for _, operands in SEVEN.tree(16)] == [2, 2, 2, 2]
    assert ULTRASCALE.tree(1) == []


# -- one pipeline ------------------------------------------------------------------------------------------------------


def test_a_slower_clock_chains_layers_into_fewer_cycles_and_fewer_registers() -> None:
    """The sum of the layers' cycles stays where nothing is cut; at 40 MHz small layers share a cycle."""
    fast, slow = (mlp(*[KERNEL] * 3, part=ZYNQ, clock_ns=clock) for clock in (5.0, 60.0))
    assert counted(fast).timing.latency > 3 * counted(slow).timing.latency
    assert amount("FF", fast) > 5 * amount("FF", slow)
    assert counted(slow).timing.latency < len(slow.layers)


def test_cycles_of_one_pipeline_never_grow_with_the_clock_period() -> None:
    found = [counted(mlp(KERNEL, KERNEL, clock_ns=float(clock))).timing.latency for clock in range(2, 60, 3)]
    assert all(after <= before for before, after in pairwise(found))
    assert found[-1] == 0, "all operations fit into one cycle"


def test_a_branch_runs_beside_another_one() -> None:
    first = dense(KERNEL, name="a")
    second, third = dense(KERNEL, name="b", inputs=("a",)), dense(KERNEL, name="c", inputs=("a",))
    both = elementwise(Role.MERGE, (1, 1, 16), name="d", what="add", inputs=("b", "c"))
    beside = counted(pipeline(first, second, third, both, part=ZYNQ)).timing.latency
    behind = counted(pipeline(first, second, replace(third, inputs=("b",)), both, part=ZYNQ)).timing.latency
    assert beside < behind


def test_a_skipped_value_waits_in_registers_as_long_as_the_branch_takes() -> None:
    def waiting(depth: int) -> float:
        layers = [dense(KERNEL, name="d0")]
        layers += [dense(KERNEL, name=f"d{place}", inputs=(f"d{place - 1}",)) for place in range(1, depth)]
        add = elementwise(Role.MERGE, (1, 1, 16), name="add", what="add", inputs=("d0", f"d{depth - 1}"))
        return counted(pipeline(*layers, add, part=ZYNQ)).layers[0].primitives[Primitive.WAITING]

    assert waiting(4) > 2 * waiting(2) > 0


def test_values_that_the_next_layer_never_reads_wait_nowhere() -> None:
    half = KERNEL.copy()
    half[8:] = 0

    def waiting(kernel: np.ndarray) -> float:
        first = counted(mlp(KERNEL, kernel, part=ZYNQ)).layers[:2]
        return sum(one.primitives[Primitive.WAITING] for one in first)

    assert waiting(half) == pytest.approx(waiting(KERNEL) / 2)


def test_outputs_without_weights_are_constants_and_have_no_registers() -> None:
    """The registers of a layer follow its live outputs, not the size of its array, at two clocks."""
    dead = KERNEL.copy()
    dead[:, 4:] = 0

    def registers(kernel: np.ndarray, clock_ns: float) -> tuple[float, float]:
        found = counted(pipeline(dense(kernel), clock_ns=clock_ns)).layers[0].primitives
        return found[Primitive.STAGES], found[Primitive.RETURNS]

    for clock_ns in (2.0, 4.0):
        assert registers(dead, clock_ns) == registers(KERNEL[:, :4], clock_ns)
        assert registers(dead, clock_ns)[1] == 4


def test_combinational_layers_of_one_pipeline_hold_nothing_but_as_processes_they_do() -> None:
    relu = elementwise(Role.COMPARE, (1, 1, 64), what="relu")
    alone = counted(pipeline(relu)).layers[0].primitives
    process = counted(pipeline(relu, dataflow=True)).layers[0].primitives
    assert alone[Primitive.HELD_BITS] == 0
    assert process[Primitive.HELD_BITS] == 64 * 16


# -- the adders of a layer ---------------------------------------------------------------------------------------------


def test_more_than_4096_products_are_added_in_a_chain() -> None:
    """A tree of twice as many terms takes a level more; a chain takes twice as long."""

    def latency(inputs: int, outputs: int) -> int:
        whole = pipeline(dense(np.full((inputs, outputs), 683)), part=ZYNQ)
        return counted(whole).layers[0].timing.latency

    assert latency(128, 16) - latency(64, 16) <= 1
    assert latency(512, 16) > 1.8 * latency(257, 16) > 4 * latency(128, 16)


def test_inputs_of_a_chain_wait_for_their_addition_in_fewer_registers_where_events_are_rare() -> None:
    kernel = np.full((512, 16), 683)
    bits = [counted(pipeline(dense(kernel, reuse=reuse), part=ZYNQ)).layers[0].timing.register_bits for reuse in (1, 4)]
    assert bits[1] < 0.6 * bits[0]


def test_a_saturating_accumulator_has_a_clipper_at_every_addition_and_adds_in_order() -> None:
    wide = FixedType(width=24, integer=14)
    found = {}
    for terms in (32, 64):
        for saturates in (False, True):
            layer = dense(np.full((terms, 8), 683), accumulator=replace(wide, saturates=saturates))
            found[terms, saturates] = counted(pipeline(layer)).layers[0]
    more = [found[terms, True].primitives[Primitive.CLIP] for terms in (32, 64)]
    assert more[1] == 2 * more[0] >= 2 * 32 * 8
    assert found[64, False].primitives[Primitive.CLIP] == 0
    assert found[64, True].timing.latency > 1.8 * found[32, True].timing.latency
    assert found[64, False].timing.latency <= found[32, False].timing.latency + 1


def test_a_rounding_accumulator_rounds_every_product_that_has_more_bits() -> None:
    narrow, exact = FixedType(width=16, integer=6, rounds=True), FixedType(width=40, integer=20, rounds=True)
    found = [counted(pipeline(dense(KERNEL, accumulator=one))).layers[0].primitives for one in (narrow, exact)]
    assert [one[Primitive.ROUND] for one in found] == [16 * 16, 0]


def test_wide_multipliers_are_cut_by_a_fast_clock_and_registered_on_both_sides() -> None:
    layer = dense(KERNEL)
    found = {clock: counted(pipeline(layer, part=ZYNQ, clock_ns=clock)).layers[0] for clock in (5.0, 25.0)}
    assert found[5.0].primitives[Primitive.STAGED] > 0
    assert found[25.0].primitives[Primitive.STAGED] == 0


def test_zeros_at_the_end_of_weights_are_wires() -> None:
    plain, shifted = (pipeline(dense(np.full((16, 16), 11 << shift), accumulator=FixedType(width=40, integer=20)))
                      for shift in (0, 6))  # fmt: skip
    assert counted(plain).layers[0].primitives[Primitive.ADD_BITS] == pytest.approx(
        counted(shifted).layers[0].primitives[Primitive.ADD_BITS]
    )


# -- units of a template -----------------------------------------------------------------------------------------------


def test_global_pooling_of_arrays_costs_for_each_position_but_of_streams_for_each_channel() -> None:
    def pooled(side: int, io: IoType) -> float:
        layer = elementwise(Role.GLOBAL_POOL, (side, side, 4), out_shape=(1, 1, 4), average=True)
        return amount("LUT", (pipeline if io is IoType.PARALLEL else model)(layer))

    assert pooled(64, IoType.PARALLEL) > 200 * pooled(4, IoType.PARALLEL)
    assert pooled(64, IoType.STREAM) == pooled(4, IoType.STREAM)


def test_a_normalization_of_arrays_multiplies_at_every_position() -> None:
    def multipliers(side: int) -> float:
        layer = elementwise(
            Role.SCALE, (side, side, 2), weight=SIXTEEN, weights=summarize(np.array([21_845, 13_107])), what="normalize"
        )
        return counted(pipeline(layer)).layers[0].dsp

    assert multipliers(4) == 16 * multipliers(1) > 0


def test_a_normalization_of_words_has_a_multiplier_for_each_value_of_a_word() -> None:
    scales = summarize(21_845 + 2 * np.arange(64))

    def built(channels: int) -> float:
        layer = elementwise(Role.SCALE, (1, 64 // channels, channels), weight=SIXTEEN, weights=scales, what="normalize")
        return counted(model(layer)).layers[0].product.built

    assert [built(channels) for channels in (4, 16, 64)] == [4, 16, 64]


def test_a_cast_that_only_drops_bits_is_wires() -> None:
    def cast(after: FixedType, what: str = "linear") -> float:
        layer = elementwise(Role.COMPARE, (1, 1, 64), output=after, what=what)
        one = counted(pipeline(layer)).layers[0].primitives
        return shipped().amount("LUT", one) - shipped().per_unit["LUT"][Primitive.LAYERS]

    narrow = FixedType(width=8, integer=3)
    assert cast(narrow) == 0
    assert cast(replace(SIXTEEN, rounds=True, saturates=True)) == 0, "no bit is dropped"
    assert cast(replace(narrow, rounds=True)) > 0
    assert cast(replace(narrow, rounds=True, saturates=True)) > cast(replace(narrow, rounds=True))
    assert cast(narrow, "relu") > 0


def test_what_a_cast_has_to_do() -> None:
    before = FixedType(width=12, integer=4)
    for after, rounds, clips in [
        (FixedType(width=12, integer=4, rounds=True, saturates=True), False, False),
        (FixedType(width=10, integer=4, rounds=True, saturates=True), True, False),
        (FixedType(width=10, integer=2, rounds=True, saturates=True), False, True),
        (FixedType(width=12, integer=4, signed=False, saturates=True), False, True),
        (FixedType(width=8, integer=2), False, False),
    ]:
        assert (rounding(before, after), clipping(before, after)) == (rounds, clips), after


def test_inputs_that_vivado_does_not_split_lie_in_block_ram() -> None:
    """4,096 inputs are registers with a selector each; one more, and they are a memory. Vitis splits all."""

    def layer(inputs: int, tool: BackendName) -> tuple[float, float]:
        one = dense(np.full((inputs, 2), 683), reuse=2 * inputs, strategy=RESOURCE)
        found = counted(pipeline(one, tool=tool, dataflow=True)).layers[0]
        return found.primitives[Primitive.SELECTED], found.bram_18k

    registers, memory = layer(4096, BackendName.VIVADO), layer(4097, BackendName.VIVADO)
    assert registers[0] == 4096
    assert memory[0] == 0
    assert memory[1] > registers[1]
    assert layer(4097, BackendName.VITIS)[0] == 4097
