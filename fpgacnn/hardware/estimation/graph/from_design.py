"""The hardware graph of a design, from the layer list that hls4ml would get; no code is generated for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design, IoType, Strategy
from fpgacnn.errors import InternalError
from fpgacnn.hardware.estimation.graph.graph import (
    FixedType,
    HardwareGraph,
    Role,
    TemplateCall,
    WeightSummary,
    summarize,
    without_dead,
)
from fpgacnn.hardware.hls.da.adder_graph import AdderGraph
from fpgacnn.hardware.hls.da.kernels import kernel_codes, kernels_of
from fpgacnn.hardware.hls.lower import Lowered, lower
from fpgacnn.hardware.hls.node import (
    DISTRIBUTED_ARITHMETIC,
    MULTI_THRESHOLD,
    RESIZE_BY_LINES,
    TRANSPOSE_BY_BANKS,
    TRANSPOSE_PIXELS,
    HlsNode,
)
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import Shape

ROLES: Mapping[str, Role] = {
    "InputLayer": Role.INPUT,
    "Conv1D": Role.CONVOLUTION,
    "Conv2D": Role.CONVOLUTION,
    "DepthwiseConv1D": Role.DEPTHWISE,
    "DepthwiseConv2D": Role.DEPTHWISE,
    "Dense": Role.DENSE,
    "BatchNormalization": Role.SCALE,
    "LeakyReLU": Role.SCALE,
    "PReLU": Role.SCALE,
    "Activation": Role.COMPARE,
    "ThresholdedReLU": Role.COMPARE,
    "UnaryLUT": Role.TABLE,
    MULTI_THRESHOLD: Role.THRESHOLDS,
    "Softmax": Role.SOFTMAX,
    "Merge": Role.MERGE,
    "Concatenate": Role.MOVE,
    "Transpose": Role.MOVE,
    RESIZE_BY_LINES: Role.MOVE,
    TRANSPOSE_PIXELS: Role.MOVE,
    TRANSPOSE_BY_BANKS: Role.MOVE,
    "Repack": Role.MOVE,
    "Resize": Role.MOVE,
    "ZeroPadding1D": Role.PAD,
    "ZeroPadding2D": Role.PAD,
    "Cropping1D": Role.MOVE,
    "Cropping2D": Role.MOVE,
    "MaxPooling1D": Role.POOL,
    "MaxPooling2D": Role.POOL,
    "AveragePooling1D": Role.POOL,
    "AveragePooling2D": Role.POOL,
    "GlobalMaxPooling1D": Role.GLOBAL_POOL,
    "GlobalMaxPooling2D": Role.GLOBAL_POOL,
    "GlobalAveragePooling1D": Role.GLOBAL_POOL,
    "GlobalAveragePooling2D": Role.GLOBAL_POOL,
}
CONSTANTS = ("weight", "scale", "param")
"""hls4ml's names of the types of multiplied or compared constants."""

Summaries: TypeAlias = dict[tuple[str, str, Shape, Format], WeightSummary]
"""Summaries of constants by node, name of the type, shape and format."""


def hardware_graph(
    design: Design, counted: Summaries | None = None, *, lowered: Lowered | None = None
) -> HardwareGraph:
    """The template calls of a design.

    `counted` keeps the summaries of constants for further calls with the same network and another target. `lowered` is
    the design's layer list, where the caller has it.
    Raises UnsupportedOptionError for what cannot be built, and for distributed arithmetic the errors of `kernel_codes`.
    """
    lowered = lowered or lower(design)
    calls = template_calls(design, lowered, counted)
    dataflow = is_dataflow(calls.layers, design.target.io, node_strategies(lowered))
    return HardwareGraph(
        layers=calls.layers if dataflow else without_dead(calls.layers, kernels(lowered)),
        io=design.target.io,
        tool=design.target.backend,
        dataflow=dataflow,
        part=design.target.part,
        clock_ns=design.target.clock_ns,
        outputs=calls.outputs,
        fifo_depths=design.fifo_depths,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCalls:
    """The template calls of a design, the layers of the file that they belong to, and the names of its outputs.

    `sources`: "" for helpers, on which no strategy and no reuse factor has an effect.
    """

    layers: tuple[TemplateCall, ...]
    sources: tuple[str, ...]
    outputs: tuple[str, ...]


def template_calls(design: Design, lowered: Lowered, counted: Summaries | None = None) -> TemplateCalls:
    """The template calls of a layer list, before any is optimized; `counted` as in `hardware_graph`.

    Raises the errors of `kernel_codes` for distributed arithmetic.
    """
    codes = kernel_codes(kernels_of(lowered.nodes))
    source_of = {layer.name: layer.sums_of for layer in design.model.layers}
    shape_of = {layer.name: layer.shape for layer in design.model.layers}
    found = _CallBuilder(
        shape_of=shape_of,
        seen={},
        alias={},
        counted={} if counted is None else counted,
        adder_graphs={name: code.graph for name, code in codes.items()},
    )
    pairs = [(layer, node) for node in lowered.nodes if (layer := found.layer(node)) is not None]
    return TemplateCalls(
        layers=tuple(layer for layer, _ in pairs),
        sources=tuple(source_of[node.node] if node.node else "" for _, node in pairs),
        outputs=tuple(found.name(lowered.name_of[name]) for name in design.model.outputs),
    )


def is_dataflow(layers: Iterable[TemplateCall], io: IoType, strategies: Iterable[Strategy]) -> bool:
    """Whether layers run side by side; else the top function is one pipeline. `strategies` are those of all nodes."""
    loops = any(layer.role in {Role.CONVOLUTION, Role.DEPTHWISE} and layer.partitions != 1 for layer in layers)
    return io is IoType.STREAM or loops or Strategy.RESOURCE in strategies


def node_strategies(lowered: Lowered) -> set[Strategy]:
    """The strategies of the nodes of a layer list."""
    return {_strategy(node) for node in lowered.nodes}


def _strategy(node: HlsNode) -> Strategy:
    if node.strategy == DISTRIBUTED_ARITHMETIC:
        return Strategy.DA
    return Strategy.RESOURCE if node.strategy == "Resource" else Strategy.LATENCY


def kernels(lowered: Lowered) -> dict[str, NDArray[np.int64]]:
    """The codes of all matrices of dense layers, (inputs, outputs) int64, by node."""
    return {node.name: node.codes["weight"] for node in lowered.nodes if node.kind == "Dense"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _CallBuilder:
    """Shapes and formats of the nodes so far; `alias` maps nodes without hardware to their inputs.

    `shape_of` are the shapes of the network's nodes.
    """

    shape_of: Mapping[str, Shape]
    seen: dict[str, tuple[Shape, Format]]
    alias: dict[str, str]
    counted: Summaries
    adder_graphs: Mapping[str, AdderGraph]

    def summary(self, node: HlsNode, weights: str) -> WeightSummary:
        """The summary of a node's constants of one type."""
        codes = node.codes[weights]
        key = (node.name, weights, codes.shape, node.types[weights])
        if key not in self.counted:
            self.counted[key] = summarize(codes)
        return self.counted[key]

    def name(self, node: str) -> str:
        return self.alias.get(node, node)

    def layer(self, node: HlsNode) -> TemplateCall | None:
        """One node; None if it is only another name of its input."""
        shape, result = self._shape(node), node.types["result"]
        self.seen[node.name] = (shape, result)
        if node.kind == "Reshape":
            self.alias[node.name] = self.name(node.inputs[0])
            return None
        inputs = tuple(self.name(name) for name in node.inputs)
        before, form = self.seen[inputs[0]] if inputs else (shape, result)
        role = _role(node)
        weights = next((name for name in CONSTANTS if name in node.codes), None)
        table = node.extra_types.get("exp_table_t", node.types.get("table"))
        after = _three(shape)
        return TemplateCall(
            name=node.name,
            role=role,
            what=_what(node),
            inputs=inputs,
            in_shape=_three(before),
            out_shape=after,
            window=_pair(node, ("pool_height", "filt_height"), ("pool_width", "filt_width")),
            strides=_pair(node, ("stride_height",), ("stride_width",)),
            reuse=node.reuse,
            strategy=_strategy(node),
            partitions=after[0] * after[1] if role in {Role.CONVOLUTION, Role.DEPTHWISE} else 1,
            input=FixedType.of(form),
            output=FixedType.of(result),
            weight=FixedType.of(node.types[weights]) if weights else None,
            accumulator=FixedType.of(node.types["accum"]) if "accum" in node.types else None,
            table=FixedType.of(table) if table else None,
            table_entries=_entries(node),
            weights=self.summary(node, weights) if weights else None,
            zero_biases=int(np.count_nonzero(node.codes["bias"] == 0)) if "bias" in node.codes else 0,
            average="Average" in node.kind,
            borders=_borders(node),
            adder_graph=self.adder_graphs.get(node.name),
            multiplier=node.multiplier,
            blocks=_number(node, "n_blocks"),
            groups=_number(node, "n_groups"),
        )

    def _shape(self, node: HlsNode) -> Shape:
        """The result's shape: the network's, or for helpers that of their attributes."""
        if node.node:
            return self.shape_of[node.node]
        attributes = node.attributes
        target = attributes.get("target_shape")
        if isinstance(target, list):
            return tuple(target)
        channels = attributes.get("n_chan", attributes.get("n_filt"))
        if "out_width" in attributes:
            sides = [attributes[name] for name in ("out_height", "out_width") if name in attributes]
            return tuple(int(side) for side in (*sides, channels) if isinstance(side, int))
        if "n_out" in attributes and isinstance(channels, int):
            return (int(str(attributes["n_out"])), channels)
        if node.inputs:
            return self.seen[node.inputs[0]][0]
        raise InternalError(what=f"helper '{node.name}' without a shape")


def _what(node: HlsNode) -> str:
    """The kind of template: hls4ml makes pointwise convolutions of one-dimensional ones with one tap."""
    if node.kind == "Conv1D" and node.attributes.get("filt_width") == 1:
        return "pointwise_conv_1d_cl"
    return str(node.attributes.get("activation", node.attributes.get("op", node.kind))).lower()


def _role(node: HlsNode) -> Role:
    if node.attributes.get("implementation") == "argmax":
        return Role.ARGMAX
    return ROLES.get(node.kind, Role.UNKNOWN)


def _three(shape: Shape) -> tuple[int, int, int]:
    """Rows, columns, channels."""
    padded = (1, 1, 1, *shape)[-3:] if len(shape) <= 3 else (prod(shape[:-2]), *shape[-2:])
    return padded[0], padded[1], padded[2]


def _pair(node: HlsNode, rows: tuple[str, ...], columns: tuple[str, ...]) -> tuple[int, int]:
    def first(names: tuple[str, ...]) -> int:
        found = next((node.attributes[name] for name in names if name in node.attributes), 1)
        assert isinstance(found, int)
        return found

    return first(rows), first(columns)


def _number(node: HlsNode, name: str) -> int:
    """A number of a template of fpgacnn's own; 1 for layers without it."""
    found = node.attributes.get(name, 1)
    assert isinstance(found, int)
    return found


def _borders(node: HlsNode) -> tuple[int, int, int, int]:
    """Padding or cropping: top, bottom, left, right."""

    def side(name: str) -> int:
        found = node.attributes.get(f"pad_{name}", node.attributes.get(f"crop_{name}", 0))
        assert isinstance(found, int)
        return found

    if not node.kind.startswith(("ZeroPadding", "Cropping")):
        return 0, 0, 0, 0
    return side("top"), side("bottom"), side("left"), side("right")


def _entries(node: HlsNode) -> int:
    size = node.attributes.get("exp_table_size")
    if isinstance(size, int):
        return size
    if node.kind == MULTI_THRESHOLD:
        return int(str(node.attributes["table_size"]))
    table = node.attributes.get("table_data")
    return table.size if isinstance(table, np.ndarray) else 0
