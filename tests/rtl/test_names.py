"""Names of layers cannot make two names of the RTL equal, nor be words of SystemVerilog."""

from __future__ import annotations

import re
from dataclasses import replace

from fpgacnn.design import Design
from fpgacnn.hardware.rtl import backend
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.source import MergeKind, PoolKind
from tests.support.networks import Builder
from tests.support.rtl import rtl_design

HARD = (
    "x",
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
MORE = ("open", "begun", "clk", "rst", "u_pool_x", "stack_x", "part_x", "parts_x", "window_x", "together_x", "fifo_x")


def renamed(design: Design) -> Design:
    """The design with names that are hard for a generator of text."""
    names = {layer.name: name for layer, name in zip(design.model.layers, (*HARD, *MORE), strict=False)}
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


def network() -> Design:
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
    return renamed(rtl_design(build))


def test_every_name_of_the_top_module_is_declared_once() -> None:
    project = backend.convert(network(), trace=True)
    text = re.sub(r"//.*", "", project.files["rtl/myproject.sv"].decode())
    declared = [
        name.strip() for names in re.findall(r"\bwire (?:\[[^\]]*\] )?([\w, ]+)[;=]", text) for name in names.split(",")
    ]
    declared += re.findall(r"(?:input|output) (?:\[[^\]]*\] )?(\w+)", text)
    declared += re.findall(r"\) (u_\w+) \(", text) + re.findall(r"^  \w+ (u_\w+) \(", text, re.MULTILINE)
    assert len(declared) > 80
    assert sorted(declared) == sorted(set(declared))
    assert not {"begin", "module", "wire", "input"} & set(declared)


def test_every_module_is_defined_once_and_a_fold_is_among_them() -> None:
    project = backend.convert(network())
    modules = [
        one for data in project.files.values() for one in re.findall(r"^module (\w+)", data.decode(), re.MULTILINE)
    ]
    assert sorted(modules) == sorted(set(modules))
    assert any(name.startswith("weights_of_") for name in modules)
