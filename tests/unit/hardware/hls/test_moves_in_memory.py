"""Which streamed layers keep their values in memories, and that estimates of designs and of folders agree on them."""

from __future__ import annotations

from itertools import permutations
from math import prod
from pathlib import Path

import pytest

from fpgacnn.design import IoType
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation import estimate, moved
from fpgacnn.hardware.estimation.checks import layer_cautions
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph
from fpgacnn.hardware.estimation.quantities import quantities
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.hls.moves import in_memory
from fpgacnn.hardware.hls.node import OWN_TEMPLATES
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape
from fpgacnn.passes.quantization.names import safe_name
from tests.support.networks import Builder

SHAPE = (16, 32, 9)


def network(operation: hw.Operation, before: Shape, after: Shape) -> Builder:
    build = Builder(seed=3)
    build.end(build.add(operation, after, build.input(before)))
    return build


def moved_layer(graph: HardwareGraph) -> tuple[str, int, int, moved.Memories | None]:
    (found,) = [one for one in graph.layers if one.what in in_memory.FUNCTIONS]
    return found.what, found.blocks, found.groups, moved.memories(found)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_every_order_of_an_image_has_a_template_and_at_most_1024_memories(axes: tuple[int, ...]) -> None:
    found = in_memory.transpose(SHAPE, axes)
    assert found is not None
    assert found.function == (in_memory.PIXELS if axes[-1] == 2 else in_memory.BANKS)
    numbers = found.numbers
    assert numbers["n_in"] == prod(SHAPE)
    if found.function == in_memory.BANKS:
        assert numbers["n_banks"] * numbers["n_groups"] == SHAPE[axes[-1]], "a result has all values of its axis"
        assert numbers["n_banks"] * numbers["n_chan"] <= in_memory.MOST_MEMORIES
        assert numbers["n_blocks"] * numbers["n_others"] * SHAPE[axes[-1]] * numbers["n_chan"] == prod(SHAPE)
    design = network(src.Permute(axes=axes), SHAPE, tuple(SHAPE[axis] for axis in axes)).design(IoType.STREAM)
    assert moved_layer(hardware_graph(design))[0] == found.function


def test_a_word_of_many_values_is_gathered_in_several_cycles() -> None:
    found = in_memory.transpose((300, 20), (1, 0))
    assert found is not None
    assert (found.numbers["n_banks"], found.numbers["n_groups"]) == (50, 6), "50 * 20 is the most up to 1,024"


@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 3, 400, 2), (1, 0, 2, 3)), ((5000,), (0,)), ((16, 16, 16), (1, 0, 2))]
)
def test_other_orders_and_small_frames_keep_hls4mls_template(shape: Shape, axes: tuple[int, ...]) -> None:
    assert in_memory.transpose(shape, axes) is None


def test_arrays_are_no_streams() -> None:
    design = network(src.Permute(axes=(1, 0, 2)), SHAPE, (32, 16, 9)).design(IoType.PARALLEL)
    assert not [one for one in hardware_graph(design).layers if one.what in in_memory.FUNCTIONS]


@pytest.mark.parametrize(
    ("operation", "before", "after", "what"),
    [
        (src.Upsample(factors=(2, 4)), (3, 40, 16), (6, 160, 16), (in_memory.RESIZE, 1, 1)),
        (src.Permute(axes=(0, 2, 1)), (8, 50, 12), (8, 12, 50), (in_memory.BANKS, 8, 1)),
        (src.Permute(axes=(1, 0)), (300, 20), (20, 300), (in_memory.BANKS, 1, 6)),
        (src.Permute(axes=(1, 0, 2)), (40, 30, 5), (30, 40, 5), (in_memory.PIXELS, 1, 1)),
    ],
)
def test_a_design_and_its_folder_have_the_same_estimate(
    tmp_path: Path, operation: hw.Operation, before: Shape, after: Shape, what: tuple[str, int, int]
) -> None:
    design = network(operation, before, after).design(IoType.STREAM)
    for name, content in convert(design).files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    own, read = hardware_graph(design), read_project(tmp_path)
    assert moved_layer(own) == moved_layer(read)
    assert moved_layer(own)[:3] == what
    first, second = estimate(own), estimate(read)
    assert first.simulated is not None
    assert second.simulated is not None
    cycles = first.simulated.ii_cycles.value
    assert second.simulated.ii_cycles.value == cycles
    assert second.simulated.latency_cycles.value == first.simulated.latency_cycles.value
    words, (layer,) = prod(after[:-1]), [one for one in own.layers if one.what == what[0]]
    least = words * layer.groups + (0 if what[0] == in_memory.RESIZE else prod(before[:-1]))
    loops = 2 * before[0] if what[0] == in_memory.RESIZE else 2 * layer.blocks
    assert least <= cycles <= least + 2 * loops + 2, "a word a cycle, and the ends of the loops"
    assert not [one for layer in own.layers for one in layer_cautions(layer, own)]


def test_memories_of_a_large_frame_are_block_ram() -> None:
    design = network(src.Permute(axes=(1, 0, 2)), (64, 64, 3), (64, 64, 3)).design(IoType.STREAM)
    graph = hardware_graph(design)
    assert moved_layer(graph)[3] == moved.Memories(count=3, depth=4096)
    (layer,) = [one for one in quantities(graph, find_device(graph.part)).layers if one.layer.name == "n1"]
    assert layer.table_blocks == 3 * 2, "4,096 values of 6 bits are two blocks of 2,048 values of 9 bits"


def test_a_layer_named_like_a_number_of_a_template_gets_another_name() -> None:
    names = {name for one in OWN_TEMPLATES.values() for name in (*one.numbers, *one.weights)}
    assert names
    assert [name for name in sorted(names) if safe_name(name) == name] == []
