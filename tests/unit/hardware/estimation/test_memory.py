"""Block RAM, counted by hand: columns of 18 bits and 1,024 words."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.graph.graph import FixedType, Role
from fpgacnn.hardware.estimation.memory import Fifo, fifo_blocks, fifo_registers, fifos
from fpgacnn.hardware.estimation.primitives import Primitive
from fpgacnn.hardware.estimation.quantities import quantities
from tests.support.structures import RESOURCE, dense, elementwise, model, pipeline

TABLE = FixedType(width=18, integer=8)


def queue(depth: int, channels: int, bits: int) -> Fifo:
    return Fifo(depth=depth, channels=channels, bits=bits)


@pytest.mark.parametrize(
    ("depth", "channels", "bits", "blocks"),
    [
        (16, 8, 16, 0),
        (25, 4, 16, 0),
        (36, 4, 16, 4),
        (676, 4, 16, 4),
        (676, 32, 25, 64),
        (1156, 1, 32, 4),
        (3844, 4, 6, 8),
        (16384, 1, 32, 32),
        (4, 1, 1, 0),
    ],
)
def test_vivado_has_a_queue_for_each_channel(depth: int, channels: int, bits: int, blocks: int) -> None:
    assert fifo_blocks(queue(depth, channels, bits), model(dense([[1]]))) == blocks


@pytest.mark.parametrize(
    ("depth", "channels", "bits", "blocks"),
    [(720, 64, 16, 57), (112, 32, 16, 29), (36, 8, 16, 8), (9, 16, 16, 15), (1, 64, 16, 0), (4761, 3, 16, 24)],
)
def test_vitis_has_one_queue_of_all_channels(depth: int, channels: int, bits: int, blocks: int) -> None:
    layer = elementwise(Role.COMPARE, (1, depth, channels), name="a", output=FixedType(width=bits, integer=1))
    (queue,) = fifos(layer, model(layer, tool=BackendName.VITIS, version="2023.1", outputs=()))
    assert (queue.channels, queue.bits) == (1, channels * bits)
    assert fifo_blocks(queue, model(layer, tool=BackendName.VITIS, version="2023.1")) == blocks


@pytest.mark.parametrize(("version", "registers"), [("2022.2", 2 * 256 + 4), ("2024.1", 160)])
def test_vitis_registers_both_ends_of_a_queue_up_to_2022(version: str, registers: int) -> None:
    whole = model(dense([[1]]), tool=BackendName.VITIS, version=version)
    assert fifo_registers(Fifo(depth=169, channels=1, bits=256), whole) == registers


def test_a_stream_with_two_readers_is_copied() -> None:
    first = elementwise(Role.COMPARE, (8, 8, 4), name="a")
    left, right = (elementwise(Role.COMPARE, (8, 8, 4), name=name, inputs=("a",)) for name in ("b", "c"))
    found = quantities(model(first, left, right, outputs=("b", "c")), find_device("zcu102"))
    assert [len(one.queues) for one in found.layers] == [3, 0, 0]


@pytest.mark.parametrize(
    ("inputs", "outputs", "reuse", "blocks"),
    [(32, 10, 8, 18), (32, 10, 64, 3), (36, 8, 9, 15), (9, 4, 36, 0), (80, 32, 10, 114), (32, 10, 1, 0)],
)
def test_weights_lie_side_by_side_as_deep_as_they_are_reused(
    inputs: int, outputs: int, reuse: int, blocks: int
) -> None:
    layer = dense(np.ones((inputs, outputs)), reuse=reuse, strategy=RESOURCE)
    assert quantities(model(layer), find_device("zcu102")).layers[0].weight_blocks == blocks


def test_tables_share_a_block_in_pairs() -> None:
    sigmoid = elementwise(Role.TABLE, (1, 1, 10), table=TABLE, table_entries=1024)
    assert quantities(model(sigmoid), find_device("zcu102")).layers[0].table_blocks == 5
    small = elementwise(Role.TABLE, (1, 1, 10), table=FixedType(width=8, integer=1), table_entries=64)
    assert quantities(model(small), find_device("zcu102")).layers[0].table_blocks == 0


def test_softmax_has_a_table_more_for_its_reciprocal() -> None:
    layer = elementwise(Role.SOFTMAX, (1, 1, 5), table=TABLE, table_entries=1024)
    assert quantities(pipeline(layer), find_device("zcu102")).layers[0].table_blocks == 4


def test_between_tasks_that_hand_over_arrays_every_element_is_a_queue_of_two() -> None:
    layers = [
        elementwise(Role.COMPARE, (4, 4, 8), name="a"),
        elementwise(Role.COMPARE, (4, 4, 8), name="b", inputs=("a",)),
    ]
    vitis = quantities(model(*layers, io=IoType.PARALLEL, tool=BackendName.VITIS), find_device("zcu102"))
    assert [one.queues for one in vitis.layers] == [(Fifo(depth=2, channels=128, bits=16),), ()]
    assert [one.bram_18k for one in vitis.layers] == [0, 0]


def test_vivado_keeps_the_networks_input_as_one_word_in_block_ram() -> None:
    layers = [
        elementwise(Role.COMPARE, (10, 1, 14), name="a", input=FixedType(width=10, integer=3)),
        elementwise(Role.COMPARE, (10, 1, 14), name="b", inputs=("a",)),
    ]
    vivado = quantities(model(*layers, io=IoType.PARALLEL), find_device("zcu102"))
    assert [one.bram_18k for one in vivado.layers] == [78, 0]


def test_pipelines_have_no_queues() -> None:
    layer = elementwise(Role.COMPARE, (28, 28, 8), name="a")
    assert quantities(pipeline(layer), find_device("zcu102")).layers[0].queues == ()


def test_a_recurrent_layer_keeps_two_matrices_and_a_table_for_every_second_gate() -> None:
    layer = elementwise(
        Role.RECURRENT,
        (1, 1, 120),
        reuse=30,
        recurrent_reuse=30,
        gates=3,
        strategy=RESOURCE,
        in_shape=(1, 20, 6),
        weight=FixedType(width=16, integer=6),
    )
    found = quantities(model(layer), find_device("zcu102")).layers[0]
    assert (found.weight_blocks, found.table_blocks) == (32 + 640, 180)


def test_softmax_tables_by_tool() -> None:
    layer = elementwise(Role.SOFTMAX, (1, 1, 5), table=TABLE, table_entries=1024)
    blocks = [
        quantities(pipeline(layer, tool=BackendName.VITIS, version=version), find_device("zcu102"))
        .layers[0]
        .table_blocks
        for version in ("2021.1", "2022.2")
    ]
    assert blocks == [5, 8]


def test_a_step_function_is_a_comparison_for_each_bit_of_its_place_and_no_block_ram() -> None:
    found = []
    for entries in (4, 256):
        whole = model(elementwise(Role.THRESHOLDS, (4, 4, 3), table_entries=entries))
        amounts = quantities(whole, find_device(whole.part))
        assert amounts.layers[0].table_blocks == 0
        found.append(amounts.layers[0].primitives)
    assert [one[Primitive.COMPARE] for one in found] == [3 * 2, 3 * 8]
    assert [one[Primitive.COMPARE_BITS] for one in found] == [3 * 2 * 16, 3 * 8 * 16]
    assert [one[Primitive.MOVE] for one in found] == [3 * 4 * 32 / 64, 3 * 256 * 32 / 64]
