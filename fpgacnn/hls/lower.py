"""Lowering: every node of a design becomes layers of hls4ml with fixed types everywhere.

What hls4ml is known to get wrong is lowered another way here or refused before any code is written:
padding is a layer of its own in streams; a flattened stream that anything but Dense reads is repacked; casts that
change nothing are left out; a maximum over padded unsigned data pads with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import assert_never

from fpgacnn.design import Design, IoType, Strategy
from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.hls import reuse as reuse_factors
from fpgacnn.hls.node import Attribute, HlsNode
from fpgacnn.ir import layers as hw
from fpgacnn.ir.source import PoolKind, Shape
from fpgacnn.numeric.fixed import Format
from fpgacnn.precision import LayerPrecision

MAX_CLONES = 7
"""hls4ml copies a stream at most seven times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """The layer list, and under which hls4ml name each node's result is found (several nodes may share one)."""

    nodes: tuple[HlsNode, ...]
    name_of: dict[str, str]
    notes: tuple[str, ...] = ()


def lower(design: Design) -> Lowered:
    """The layer list for hls4ml.

    Raises UnsupportedOptionError for what cannot be built right with the design's io type and strategy.
    """
    lowering = _Lowering(design=design)
    for layer in design.model.layers:
        lowering.add(layer)
    lowering.check_outputs()
    return Lowered(nodes=tuple(lowering.nodes), name_of=lowering.name_of, notes=tuple(lowering.notes))


@dataclass(slots=True, kw_only=True)
class _Lowering:
    design: Design
    nodes: list[HlsNode] = field(default_factory=list)
    name_of: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def streams(self) -> bool:
        return self.design.target.io is IoType.STREAM

    def precision(self, name: str) -> LayerPrecision:
        return self.design.plan.layers[name]

    def result(self, name: str) -> Format:
        return self.precision(name).result.format

    def add(self, layer: hw.Layer) -> None:
        """Append the hls4ml layers of one node."""
        operation = layer.operation
        inputs = tuple(self.name_of[name] for name in layer.inputs)
        match operation:
            case hw.Input():
                self._append(layer, "InputLayer", (), {"input_shape": list(layer.shape)})
            case hw.Convolution():
                self._convolution(layer, operation, inputs[0])
            case hw.Dense():
                self._dense(layer, operation, inputs)
            case hw.Affine():
                self._affine(layer, operation, inputs)
            case hw.Cast() | hw.Saturate():
                self._cast(layer, inputs)
            case hw.Relu():
                self._append(layer, "Activation", inputs, {"activation": "relu", "n_in": prod(layer.shape)})
            case hw.LeakyRelu():
                slope = float(operation.slope.values.ravel()[0])
                attributes: dict[str, Attribute] = {"activation": "leakyrelu", "n_in": prod(layer.shape), "activ_param": slope}
                self._append(layer, "LeakyReLU", inputs, attributes, {"param": operation.slope.format})
            case hw.Pool():
                self._pool(layer, operation, inputs[0])
            case hw.GlobalPool():
                self._global_pool(layer, operation, inputs)
            case hw.ZeroPad():
                self._append_padding(layer, inputs[0], operation.pads, layer.name, layer.name)
            case hw.Reshape():
                self._reshape(layer, inputs)
            case hw.Merge():
                self._append(layer, "Merge", inputs, {"op": operation.kind.value})
            case hw.Concatenate():
                rank = len(layer.shape)
                self._append(layer, "Concatenate", inputs, {"op": f"concatenate{rank}d", "axis": operation.axis + 1})
            case hw.Softmax():
                self._softmax(layer, operation, inputs)
            case _:
                assert_never(operation)

    def _append(
        self,
        layer: hw.Layer,
        kind: str,
        inputs: tuple[str, ...],
        attributes: dict[str, Attribute],
        types: dict[str, Format] | None = None,
        *,
        extra: dict[str, Format] | None = None,
    ) -> None:
        strategy = self.design.strategy(layer.source)
        self.nodes.append(
            HlsNode(
                name=layer.name,
                kind=kind,
                inputs=inputs,
                attributes=attributes,
                types={"result": self.result(layer.name), **(types or {})},
                node=layer.name,
                reuse=self._reuse(layer),
                strategy="Resource" if strategy is Strategy.RESOURCE else "Latency",
                extra_types=extra or {},
            )
        )
        self.name_of[layer.name] = layer.name

    def _reuse(self, layer: hw.Layer) -> int:
        """The reuse factor as hls4ml can have it; where the wish cannot be, a note says so."""
        wish, operation = self.design.reuse(layer.source), layer.operation
        if self.design.strategy(layer.source) is not Strategy.RESOURCE or not isinstance(operation, hw.Convolution | hw.Dense):
            return wish
        inputs, outputs = prod(operation.kernel.array.shape[:-1]), operation.kernel.array.shape[-1]
        largest = inputs if isinstance(operation, hw.Convolution) else inputs * outputs
        explicit = layer.source in self.design.target.reuse_of
        reuse = reuse_factors.chosen(inputs, outputs, largest, wish, layer=layer.source, explicit=explicit)
        if reuse != wish:
            self.notes.append(f"{layer.name}: a reuse factor of {wish} is not legal for its size, {reuse} is used")
        return reuse

    def _accumulator(self, layer: hw.Layer) -> Format:
        accumulator = self.precision(layer.name).accumulator
        assert accumulator is not None
        return accumulator.format

    def _input(self, layer: hw.Layer, index: int = 0) -> hw.Layer:
        return self.design.model.layer(layer.inputs[index])

    def _cast(self, layer: hw.Layer, inputs: tuple[str, ...]) -> None:
        if self.result(layer.name) == self.result(layer.inputs[0]):
            self.name_of[layer.name] = inputs[0]
            return
        self._append(layer, "Activation", inputs, {"activation": "linear", "n_in": prod(layer.shape)})

    def _append_padding(self, layer: hw.Layer, source: str, pads: tuple[int, int, int, int], name: str, node: str) -> Shape:
        """A padding layer before a window operation, or one of the network's own; gives the padded shape."""
        shape = self._input(layer).shape
        top, bottom, left, right = pads
        result = self.result(layer.inputs[0])
        padded = (*([shape[0] + top + bottom] if len(shape) > 2 else []), shape[-2] + left + right, shape[-1])
        attributes: dict[str, Attribute] = {"n_chan": shape[-1], "pad_left": left, "pad_right": right, "data_format": "channels_last"}
        attributes |= {"in_width": shape[-2], "out_width": padded[-2]}
        kind = "ZeroPadding1D"
        if len(shape) > 2:
            kind = "ZeroPadding2D"
            attributes |= {"in_height": shape[0], "out_height": padded[0], "pad_top": top, "pad_bottom": bottom}
        self.nodes.append(HlsNode(name=name, kind=kind, inputs=(source,), attributes=attributes, types={"result": result}, node=node))
        self.name_of[node or name] = name
        return padded

    def _convolution(self, layer: hw.Layer, operation: hw.Convolution, source: str) -> None:
        shape, pads = self._input(layer).shape, operation.pads
        if self.streams and any(pads):
            name = f"{layer.name}_pad"
            shape, source, pads = self._append_padding(layer, source, pads, name, ""), name, (0, 0, 0, 0)
        height, width, channels, filters = operation.kernel.array.shape
        kernel, bias = operation.kernel, operation.bias
        attributes: dict[str, Attribute] = {
            "data_format": "channels_last",
            "padding": "valid",
            "in_width": shape[-2],
            "n_chan": channels,
            "n_filt": filters,
            "filt_width": width,
            "stride_width": operation.strides[1],
            "out_width": layer.shape[-2],
            "pad_left": pads[2],
            "pad_right": pads[3],
            "use_bias": True,
            "bias_data": bias.values,
            "weight_data": kernel.values,
        }
        if len(layer.shape) > 2:
            attributes |= {"in_height": shape[0], "out_height": layer.shape[0], "filt_height": height, "pad_top": pads[0]}
            attributes |= {"stride_height": operation.strides[0], "pad_bottom": pads[1]}
        else:
            attributes["weight_data"] = kernel.values[0]
        types = {"weight": kernel.format, "bias": bias.format, "accum": self._accumulator(layer)}
        self._append(layer, "Conv2D" if len(layer.shape) > 2 else "Conv1D", (source,), attributes, types)

    def _dense(self, layer: hw.Layer, operation: hw.Dense, inputs: tuple[str, ...]) -> None:
        kernel, bias = operation.kernel, operation.bias
        attributes: dict[str, Attribute] = {
            "n_in": kernel.array.shape[0],
            "n_out": kernel.array.shape[1],
            "use_bias": True,
            "weight_data": kernel.values,
            "bias_data": bias.values,
        }
        types = {"weight": kernel.format, "bias": bias.format, "accum": self._accumulator(layer)}
        self._append(layer, "Dense", inputs, attributes, types)

    def _affine(self, layer: hw.Layer, operation: hw.Affine, inputs: tuple[str, ...]) -> None:
        channels = layer.shape[-1]
        attributes: dict[str, Attribute] = {
            "n_in": prod(layer.shape),
            "n_filt": channels if len(layer.shape) > 1 else -1,
            "scale_data": operation.scale.values,
            "bias_data": operation.shift.values,
        }
        types = {"scale": operation.scale.format, "bias": operation.shift.format}
        self._append(layer, "BatchNormalization", inputs, attributes, types)

    def _pool(self, layer: hw.Layer, operation: hw.Pool, source: str) -> None:
        shape, pads = self._input(layer).shape, operation.pads
        form = self.result(layer.inputs[0])
        if operation.kind is PoolKind.MAX and any(pads) and not form.signed:
            name = f"{layer.name}_pad"
            shape, source, pads = self._append_padding(layer, source, pads, name, ""), name, (0, 0, 0, 0)
        if self.streams and any(pads):
            do = "use --io parallel, or padding='valid'"
            raise UnsupportedOptionError(layer=layer.source, why="pooling of signed data with padding cannot be streamed", do=do)
        if self.streams and operation.size != operation.strides:
            do = "use --io parallel, or a stride as large as the window"
            raise UnsupportedOptionError(layer=layer.source, why="overlapping pooling cannot be streamed", do=do)
        attributes: dict[str, Attribute] = {
            "n_filt": shape[-1],
            "pool_width": operation.size[1],
            "stride_width": operation.strides[1],
            "pad_left": pads[2],
            "pad_right": pads[3],
            "count_pad": False,
            "data_format": "channels_last",
            "padding": "valid",
        }
        if len(shape) > 2:
            attributes |= {"in_height": shape[0], "in_width": shape[1], "out_height": layer.shape[0], "out_width": layer.shape[1]}
            attributes |= {"pool_height": operation.size[0], "stride_height": operation.strides[0], "pad_top": pads[0], "pad_bottom": pads[1]}
        else:
            attributes |= {"n_in": shape[0], "n_out": layer.shape[0]}
        word = "Max" if operation.kind is PoolKind.MAX else "Average"
        self._append(layer, f"{word}Pooling{len(shape) - 1}D", (source,), attributes, {"accum": self._accumulator(layer)})

    def _global_pool(self, layer: hw.Layer, operation: hw.GlobalPool, inputs: tuple[str, ...]) -> None:
        shape = self._input(layer).shape
        attributes: dict[str, Attribute] = {"n_filt": shape[-1], "data_format": "channels_last"}
        attributes |= {"in_height": shape[0], "in_width": shape[1]} if len(shape) > 2 else {"n_in": shape[0]}
        word = "Max" if operation.kind is PoolKind.MAX else "Average"
        self._append(layer, f"Global{word}Pooling{len(shape) - 1}D", inputs, attributes, {"accum": self._accumulator(layer)})

    def _reshape(self, layer: hw.Layer, inputs: tuple[str, ...]) -> None:
        readers = self.design.model.consumers(layer.name)
        at_output = layer.name in self.design.model.outputs
        only_dense = len(readers) == 1 and isinstance(readers[0].operation, hw.Dense) and not at_output
        attributes: dict[str, Attribute] = {"target_shape": list(layer.shape)}
        if self.streams and not only_dense:
            self._append(layer, "Repack", inputs, attributes)
        elif at_output and not readers:
            self.name_of[layer.name] = inputs[0]
        else:
            self._append(layer, "Reshape", inputs, attributes)

    def _softmax(self, layer: hw.Layer, operation: hw.Softmax, inputs: tuple[str, ...]) -> None:
        outer = prod(layer.shape[:-1])
        attributes: dict[str, Attribute] = {
            "activation": "softmax",
            "n_in": prod(layer.shape),
            "n_outer": outer,
            "n_inner": 1,
            "axis": -1,
            "exp_scale": 1.0,
            "parallelization_factor": -1,
        }
        tables = {name: decision.format for name, decision in self.precision(layer.name).tables.items()}
        if operation.kind is hw.SoftmaxKind.ARGMAX:
            unused = Format(width=18, integer=8)
            attributes |= {"implementation": "argmax", "table_size": 1024, "exp_table_size": 1024, "inv_table_size": 1024}
            extra = dict.fromkeys(("exp_table_t", "inv_table_t", "inv_inp_t", "accum_t"), unused)
            self._append(layer, "Softmax", inputs, attributes, extra=extra)
            return
        sizes = {"exp_table_size": 1 << tables["difference"].width, "inv_table_size": 1 << tables["index"].width}
        attributes |= {"implementation": "stable", "table_size": sizes["exp_table_size"], **sizes}
        extra = {
            "exp_table_t": tables["exponential"],
            "inv_table_t": tables["reciprocal"],
            "inv_inp_t": tables["index"],
            "inp_norm_t": tables["difference"],
            "accum_t": self._accumulator(layer),
        }
        self._append(layer, "Softmax", inputs, attributes, extra=extra)

    def check_outputs(self) -> None:
        """Refuse outputs that hls4ml cannot wire."""
        model = self.design.model
        ends = [self.name_of[name] for name in model.outputs]
        for name, end in zip(model.outputs, ends, strict=True):
            source = model.layer(name).source
            if end in {self.name_of[one] for one in model.inputs}:
                raise UnsupportedOptionError(layer=source, why="an output of the network is one of its inputs", do="remove that output")
            if ends.count(end) > 1:
                raise UnsupportedOptionError(layer=source, why="two outputs of the network are the same value", do="remove one of them")
        for node in self.nodes:
            uses = sum(other.inputs.count(node.name) for other in self.nodes) + ends.count(node.name)
            if self.streams and uses > MAX_CLONES:
                raise UnsupportedOptionError(
                    layer=node.name, why=f"its result is used {uses} times, at most {MAX_CLONES} can be streamed", do="use --io parallel"
                )
