"""Names of layers cannot make two names of the RTL equal, nor be words of SystemVerilog."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import Design, IoType
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.rtl.testbench import bench_files
from fpgacnn.hardware.rtl.trace import with_trace
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import MergeKind, PoolKind
from tests.support.networks import Builder
from tests.support.rtl import rtl_design

HARD = (
    "x",
    "of_x",
    "bench",
    "valid_x",
    "data_x",
    "x_multiply",
    "multiply_x",
    "weights_of_x",
    "cell_x",
    "cast_x",
    "x_0",
    "begin",
    "module",
)
MORE = (
    "memory_of_x",
    "bench_of_myproject",
    "open",
    "begun",
    "clk",
    "rst",
    "u_pool_x",
    "stack_x",
    "part_x",
    "parts_x",
    "window_x",
    "together_x",
    "fifo_x",
)


NAMES = (*HARD, *MORE)
TURNS = 9
"""Designs of which each begins with another name, so that the names meet in many combinations."""


def renamed(design: Design, turn: int) -> Design:
    """The design with names that are hard for a generator of text, beginning with another one at each turn."""
    first = turn * len(NAMES) // TURNS
    turned = (*NAMES[first:], *NAMES[:first])
    names = {layer.name: name for layer, name in zip(design.model.layers, turned, strict=False)}
    layers = tuple(
        replace(
            layer, name=names[layer.name], source=names[layer.name], inputs=tuple(names[one] for one in layer.inputs)
        )
        for layer in design.model.layers
    )
    model = replace(
        design.model,
        layers=layers,
        inputs=tuple(names[one] for one in design.model.inputs),
        outputs=tuple(names[one] for one in design.model.outputs),
    )
    plan = replace(design.plan, layers={names[name]: one for name, one in design.plan.layers.items()})
    return Design(model=model, plan=plan, target=design.target)


def network(turn: int, io: IoType = IoType.STREAM) -> Design:
    build = Builder(seed=4)
    image = build.input((8, 8, 2))
    sums = build.convolution(image, (3, 3, 2, 4), (8, 8, 4), pads=(1, 1, 1, 1))
    small = build.cast(sums, (8, 8, 4), "fixed<6,3,RND,SAT>")
    pooled = build.add(hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0)), (4, 4, 4), small)
    twice = build.add(hw.Merge(kind=MergeKind.ADD), (4, 4, 4), pooled, pooled)
    both = build.add(src.Concatenate(axis=1), (4, 8, 4), twice, pooled)
    mean = build.add(hw.GlobalPool(kind=PoolKind.AVERAGE), (4,), both)
    flat = build.add(src.Reshape(), (64,), build.cast(twice, (4, 4, 4), "fixed<6,3,RND,SAT>"))
    dense = build.dense(flat, 64, 12)
    again = build.dense(build.cast(dense, (12,), "fixed<6,4,RND,SAT>"), 12, 4)
    build.end(build.add(src.Concatenate(axis=0), (8,), mean, again))
    build.end(build.add(hw.Softmax(kind=hw.SoftmaxKind.ARGMAX), (4,), again))
    return renamed(rtl_design(build, io), turn)


def test_every_name_is_used() -> None:
    assert {layer.name for turn in range(TURNS) for layer in network(turn).model.layers} == {*NAMES}


@pytest.mark.parametrize("io", IoType)
@pytest.mark.parametrize("turn", range(TURNS))
def test_every_name_of_the_top_module_is_declared_once(turn: int, io: IoType) -> None:
    project = with_trace(backend.convert(network(turn, io)))
    text = re.sub(r"//.*", "", project.files["rtl/myproject.sv"].decode())
    around = project.files["rtl/trace_of_myproject.sv"].decode()
    assert set(re.findall(r"layers\.(\w+)", around)) <= set(re.findall(r"\w+", text))
    ports = re.findall(r"(?:input|output) (?:\[[^\]]*\] )?(\w+)", around)
    assert sorted(ports) == sorted(set(ports))
    declared = [
        name.strip() for names in re.findall(r"\bwire (?:\[[^\]]*\] )?([\w, ]+)[;=]", text) for name in names.split(",")
    ]
    declared += re.findall(r"(?:input|output) (?:\[[^\]]*\] )?(\w+)", text)
    declared += re.findall(r"\) (u_\w+) \(", text) + re.findall(r"^ +\w+ (u_\w+) \(", text, re.MULTILINE)
    declared += re.findall(r"(?:genvar|begin :) (\w+)", text)
    assert len(declared) > 60
    assert sorted(declared) == sorted(set(declared))
    assert not {"begin", "module", "wire", "input"} & set(declared)


@pytest.mark.parametrize("turn", range(TURNS))
def test_every_module_is_defined_once_and_a_fold_is_among_them(turn: int) -> None:
    design = network(turn)
    project = backend.convert(design)
    shapes = [design.model.layer(name).shape for name in (*design.model.inputs, *design.model.outputs)]
    events = [
        Codes(array=np.zeros((1, *shape), np.int64), format=design.plan.layers[name].result.format)
        for name, shape in zip((*design.model.inputs, *design.model.outputs), shapes, strict=True)
    ]
    bench = bench_files(project, events[: len(design.model.inputs)], events[len(design.model.inputs) :])
    texts = [data.decode() for data in {**project.files, **bench}.values()]
    modules = [one for text in texts for one in re.findall(r"^module (\w+)", text, re.MULTILINE)]
    assert len(modules) == len(set(modules))
    assert any(name.startswith("memory_of_") for name in modules)
    top = re.sub(r"//.*", "", project.files["rtl/myproject.sv"].decode())
    wires = {
        one.strip() for names in re.findall(r"\bwire (?:\[[^\]]*\] )?([\w, ]+)[;=]", top) for one in names.split(",")
    }
    assert not wires & set(modules)
