"""Lowering: every node of a design becomes layers of hls4ml with fixed types everywhere.

What hls4ml is known to get wrong is lowered another way here or refused before any code is written:
padding is a layer of its own in streams; a flattened stream that anything but Dense reads is repacked; casts that
change nothing are left out; a maximum over padded unsigned data pads with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import assert_never

from fpgacnn.design import Design, IoType, Strategy
from fpgacnn.errors import InternalError, UnsupportedOptionError
from fpgacnn.hardware.hls import reuse as reuse_factors
from fpgacnn.hardware.hls.fanout import limit_fanout
from fpgacnn.hardware.hls.helpers import pool_attributes, shifted, threshold_attributes
from fpgacnn.hardware.hls.node import MULTI_THRESHOLD, Attribute, HlsNode
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Format
from fpgacnn.ir.source import PoolKind, Shape
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.passes.quantization.names import Namer


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """The layer list, and under which hls4ml name each node's result is found (several nodes may share one)."""

    nodes: tuple[HlsNode, ...]
    name_of: dict[str, str]
    notes: tuple[str, ...] = ()
    overlapping: bool = False


def lower(design: Design) -> Lowered:
    """The layer list for hls4ml.

    Raises UnsupportedOptionError for what cannot be built right with the design's io type and strategy.
    """
    lowering = _Lowering(design=design, names=Namer(layer.name for layer in design.model.layers))
    for layer in design.model.layers:
        lowering.add(layer)
    ends = lowering.checked_outputs()
    nodes = tuple(lowering.nodes)
    if lowering.streams:
        nodes = limit_fanout(
            nodes, ends, {lowering.name_of[layer.name]: layer.shape for layer in design.model.layers}, lowering.names
        )
    return Lowered(nodes=nodes, name_of=lowering.name_of, notes=tuple(lowering.notes), overlapping=lowering.overlapping)


@dataclass(slots=True, kw_only=True)
class _Lowering:
    design: Design
    names: Namer
    nodes: list[HlsNode] = field(default_factory=list)
    name_of: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    overlapping: bool = False

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
            case hw.Depthwise():
                self._depthwise(layer, operation, inputs[0])
            case hw.Dense():
                self._dense(layer, operation, inputs)
            case hw.Affine():
                self._affine(layer, operation, inputs)
            case hw.Cast() | hw.Saturate():
                self._cast(layer, inputs)
            case hw.Relu():
                self._append(layer, "Activation", inputs, {"activation": "relu", "n_in": prod(layer.shape)})
            case hw.LeakyRelu():
                self._leaky(layer, operation, inputs)
            case hw.ThresholdRelu():
                threshold = float(operation.threshold.values.ravel()[0])
                attributes: dict[str, Attribute] = {
                    "activation": "thresholdedrelu",
                    "n_in": prod(layer.shape),
                    "activ_param": threshold,
                }
                codes = {"param": operation.threshold.array.reshape(-1, 1)}
                types = {"param": operation.threshold.format}
                self._append(layer, "ThresholdedReLU", inputs, attributes, types, codes=codes)
            case hw.Lookup():
                attributes = {
                    "activation": "unary_lut",
                    "n_in": prod(layer.shape),
                    "table_data": operation.table.values,
                }
                self._append(layer, "UnaryLUT", inputs, attributes, {"table": operation.table.format})
            case hw.Thresholds():
                types = {"threshold": operation.thresholds.format, "value": operation.values.format}
                self._append(layer, MULTI_THRESHOLD, inputs, threshold_attributes(operation, layer.shape), types)
            case hw.Pool():
                self._pool(layer, operation, inputs[0])
            case hw.GlobalPool():
                self._global_pool(layer, operation, inputs)
            case src.ZeroPad():
                self._append_padding(layer, inputs[0], operation.pads, layer.name, layer.name)
            case src.Crop():
                self._crop(layer, operation, inputs)
            case src.Upsample():
                self._upsample(layer, inputs)
            case src.Permute():
                self._append(layer, "Transpose", inputs, {"perm": list(operation.axes)})
            case src.Reshape():
                self._reshape(layer, inputs)
            case hw.Merge():
                self._append(layer, "Merge", inputs, {"op": operation.kind.value})
            case src.Concatenate():
                rank = len(layer.shape)
                self._append(layer, "Concatenate", inputs, {"op": f"concatenate{rank}d", "axis": operation.axis + 1})
            case hw.Softmax():
                self._softmax(layer, operation, inputs)
            case hw.Ternary() | hw.Round() | hw.Wrap() | hw.Function():
                raise InternalError(what=f"node '{layer.name}' was not refined")
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
        codes: dict[str, CodeArray] | None = None,
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
                codes=codes or {},
            )
        )
        self.name_of[layer.name] = layer.name

    def _reuse(self, layer: hw.Layer) -> int:
        """The reuse factor as hls4ml can have it; where the wish cannot be, a note says so."""
        wish, operation = self.design.reuse(layer.source), layer.operation
        if self.design.strategy(layer.source) is not Strategy.RESOURCE or not isinstance(
            operation, hw.Convolution | hw.Dense
        ):
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

    def _append_padding(
        self,
        layer: hw.Layer,
        source: str,
        pads: tuple[int, int, int, int],
        name: str,
        node: str,
        *,
        result: Format | None = None,
    ) -> Shape:
        """A padding layer before a window operation, or one of the network's own; gives the padded shape."""
        shape = self._input(layer).shape
        top, bottom, left, right = pads
        result = result or self.result(layer.inputs[0])
        padded = (*([shape[0] + top + bottom] if len(shape) > 2 else []), shape[-2] + left + right, shape[-1])
        attributes: dict[str, Attribute] = {
            "n_chan": shape[-1],
            "pad_left": left,
            "pad_right": right,
            "data_format": "channels_last",
        }
        attributes |= {"in_width": shape[-2], "out_width": padded[-2]}
        kind = "ZeroPadding1D"
        if len(shape) > 2:
            kind = "ZeroPadding2D"
            attributes |= {"in_height": shape[0], "out_height": padded[0], "pad_top": top, "pad_bottom": bottom}
        self.nodes.append(
            HlsNode(name=name, kind=kind, inputs=(source,), attributes=attributes, types={"result": result}, node=node)
        )
        self.name_of[node or name] = name
        return padded

    def _convolution(self, layer: hw.Layer, operation: hw.Convolution | hw.Depthwise, source: str) -> None:
        shape, pads = self._input(layer).shape, operation.pads
        if self.streams and any(pads):
            name = self.names.unique(f"{layer.name}_pad")
            shape, source, pads = self._append_padding(layer, source, pads, name, ""), name, (0, 0, 0, 0)
        height, width, channels, filters = operation.kernel.array.shape
        kernel, bias, kind, weights = operation.kernel, operation.bias, "Conv", "weight_data"
        if isinstance(operation, hw.Depthwise):
            filters, kind, weights = channels, "DepthwiseConv", "depthwise_data"
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
            "depth_multiplier": 1,
            weights: kernel.values,
        }
        if len(layer.shape) > 2:
            attributes |= {
                "in_height": shape[0],
                "out_height": layer.shape[0],
                "filt_height": height,
                "pad_top": pads[0],
            }
            attributes |= {"stride_height": operation.strides[0], "pad_bottom": pads[1]}
        else:
            attributes[weights] = kernel.values[0]
        types = {"weight": kernel.format, "bias": bias.format, "accum": self._accumulator(layer)}
        codes = kernel.array if isinstance(operation, hw.Convolution) else kernel.array.reshape(-1, 1)
        self._append(layer, f"{kind}{len(layer.shape) - 1}D", (source,), attributes, types, codes={"weight": codes})

    def _depthwise(self, layer: hw.Layer, operation: hw.Depthwise, source: str) -> None:
        """hls4ml's own depthwise convolution, but for the resource strategy, with which it aborts: there a full one."""
        if self.design.strategy(layer.source) is Strategy.RESOURCE:
            full = hw.Convolution(
                kernel=hw.across_channels(operation.kernel),
                bias=operation.bias,
                strides=operation.strides,
                pads=operation.pads,
            )
            self._convolution(replace(layer, operation=full), full, source)
            return
        self._convolution(layer, operation, source)

    def _leaky(self, layer: hw.Layer, operation: hw.LeakyRelu, inputs: tuple[str, ...]) -> None:
        slope = operation.slope
        codes = {"param": slope.array.reshape(-1, 1)}
        if slope.array.size == 1:
            attributes: dict[str, Attribute] = {
                "activation": "leakyrelu",
                "n_in": prod(layer.shape),
                "activ_param": float(slope.values.ravel()[0]),
            }
            self._append(layer, "LeakyReLU", inputs, attributes, {"param": slope.format}, codes=codes)
            return
        attributes = {"activation": "prelu", "n_in": prod(layer.shape), "param_data": slope.values.reshape(-1)}
        self._append(layer, "PReLU", inputs, attributes, {"param": slope.format}, codes=codes)

    def _crop(self, layer: hw.Layer, operation: src.Crop, inputs: tuple[str, ...]) -> None:
        shape = self._input(layer).shape
        top, bottom, left, right = operation.borders
        attributes: dict[str, Attribute] = {
            "n_chan": shape[-1],
            "crop_left": left,
            "crop_right": right,
            "data_format": "channels_last",
        }
        attributes |= {"in_width": shape[-2], "out_width": layer.shape[-2]}
        if len(shape) > 2:
            attributes |= {"in_height": shape[0], "out_height": layer.shape[0], "crop_top": top, "crop_bottom": bottom}
        self._append(layer, f"Cropping{len(shape) - 1}D", inputs, attributes)

    def _upsample(self, layer: hw.Layer, inputs: tuple[str, ...]) -> None:
        shape = self._input(layer).shape
        attributes: dict[str, Attribute] = {"n_chan": shape[-1], "algorithm": "nearest", "data_format": "channels_last"}
        attributes |= {"in_width": shape[-2], "out_width": layer.shape[-2]}
        rows = (shape[0], layer.shape[0]) if len(shape) > 2 else (1, 1)
        attributes |= {"in_height": rows[0], "out_height": rows[1]}
        self._append(layer, "Resize", inputs, attributes)

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
        self._append(layer, "Dense", inputs, attributes, types, codes={"weight": kernel.array})

    def _affine(self, layer: hw.Layer, operation: hw.Affine, inputs: tuple[str, ...]) -> None:
        if (operation.scale.values == 1).all() and not operation.shift.values.any():
            self._cast(layer, inputs)  # hls4ml removes a normalization that only casts, and the cast with it
            return
        channels = layer.shape[-1]
        attributes: dict[str, Attribute] = {
            "n_in": prod(layer.shape),
            "n_filt": channels if len(layer.shape) > 1 else -1,
            "scale_data": operation.scale.values,
            "bias_data": operation.shift.values,
        }
        types = {"scale": operation.scale.format, "bias": operation.shift.format}
        codes = {"scale": operation.scale.array.reshape(-1, 1)}
        self._append(layer, "BatchNormalization", inputs, attributes, types, codes=codes)

    def _pool(self, layer: hw.Layer, operation: hw.Pool, source: str) -> None:
        self.overlapping = self.overlapping or (self.streams and operation.size != operation.strides)
        shape, pads = self._input(layer).shape, operation.pads
        form = self.result(layer.inputs[0])
        if operation.kind is PoolKind.MAX and any(pads) and not form.signed:
            name = self.names.unique(f"{layer.name}_pad")
            shape, source, pads = self._append_padding(layer, source, pads, name, ""), name, (0, 0, 0, 0)
        if self.streams and any(pads) and operation.kind is PoolKind.MAX:
            self._raised_pool(layer, operation, source)
            return
        if self.streams and any(pads):
            do = "use --io parallel, or padding='valid'"
            raise UnsupportedOptionError(
                layer=layer.source, why="average pooling with padding cannot be streamed", do=do
            )
        attributes = pool_attributes(operation, shape, layer.shape, pads)
        word = "Max" if operation.kind is PoolKind.MAX else "Average"
        self._append(
            layer, f"{word}Pooling{len(shape) - 1}D", (source,), attributes, {"accum": self._accumulator(layer)}
        )

    def _raised_pool(self, layer: hw.Layer, operation: hw.Pool, source: str) -> None:
        """A padded maximum of signed data in a stream: raised above 0, padded with zeros, pooled, and lowered again."""
        form, shape = self.result(layer.inputs[0]), self._input(layer).shape
        raised = Format(width=form.width, integer=form.integer, signed=False)
        height = -form.low * form.step
        names = [self.names.unique(f"{layer.name}_{word}") for word in ("raised", "pad", "max")]
        self.nodes.append(shifted(names[0], source, shape, height, raised))
        padded = self._append_padding(layer, names[0], operation.pads, names[1], "", result=raised)
        attributes = pool_attributes(operation, padded, layer.shape, (0, 0, 0, 0))
        types = {"result": raised, "accum": raised}
        kind = f"MaxPooling{len(shape) - 1}D"
        self.nodes.append(HlsNode(name=names[2], kind=kind, inputs=(names[1],), attributes=attributes, types=types))
        lowered = shifted(layer.name, names[2], layer.shape, -height, self.result(layer.name))
        self.nodes.append(replace(lowered, node=layer.name))
        self.name_of[layer.name] = layer.name

    def _global_pool(self, layer: hw.Layer, operation: hw.GlobalPool, inputs: tuple[str, ...]) -> None:
        shape = self._input(layer).shape
        attributes: dict[str, Attribute] = {"n_filt": shape[-1], "data_format": "channels_last"}
        attributes |= {"in_height": shape[0], "in_width": shape[1]} if len(shape) > 2 else {"n_in": shape[0]}
        word = "Max" if operation.kind is PoolKind.MAX else "Average"
        self._append(
            layer, f"Global{word}Pooling{len(shape) - 1}D", inputs, attributes, {"accum": self._accumulator(layer)}
        )

    def _reshape(self, layer: hw.Layer, inputs: tuple[str, ...]) -> None:
        readers = self.design.model.consumers(layer.name)
        at_output = layer.name in self.design.model.outputs
        only_dense = len(readers) == 1 and isinstance(readers[0].operation, hw.Dense) and not at_output
        attributes: dict[str, Attribute] = {"target_shape": list(layer.shape)}
        if self.streams and not only_dense:
            self._append(layer, "Repack", inputs, attributes)
        elif self._ends(layer.name):
            self.name_of[layer.name] = inputs[0]
        else:
            self._append(layer, "Reshape", self._not_behind_transpose(layer, inputs), attributes)

    def _ends(self, name: str) -> bool:
        """Whether nothing but reshapes follows, which hls4ml removes at an output."""
        return all(
            isinstance(reader.operation, src.Reshape) and self._ends(reader.name)
            for reader in self.design.model.consumers(name)
        )

    def _not_behind_transpose(self, layer: hw.Layer, inputs: tuple[str, ...]) -> tuple[str, ...]:
        """hls4ml drops a transpose right before a flatten and leaves the weights as they are; a step between prevents it."""
        if self.streams or not isinstance(self._input(layer).operation, src.Permute):
            return inputs
        name, size = self.names.unique(f"{layer.name}_rows"), prod(layer.shape)
        types = {"result": self.result(layer.name)}
        self.nodes.append(
            HlsNode(name=name, kind="Reshape", inputs=inputs, attributes={"target_shape": [size, 1]}, types=types)
        )
        return (name,)

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
            attributes |= {
                "implementation": "argmax",
                "table_size": 1024,
                "exp_table_size": 1024,
                "inv_table_size": 1024,
            }
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

    def checked_outputs(self) -> list[str]:
        """hls4ml's names of the outputs.

        Raises UnsupportedOptionError for outputs that hls4ml cannot wire.
        """
        model = self.design.model
        ends = [self.name_of[name] for name in model.outputs]
        for name, end in zip(model.outputs, ends, strict=True):
            source = model.layer(name).source
            if end in {self.name_of[one] for one in model.inputs}:
                raise UnsupportedOptionError(
                    layer=source, why="an output of the network is one of its inputs", do="remove that output"
                )
            if ends.count(end) > 1:
                raise UnsupportedOptionError(
                    layer=source, why="two outputs of the network are the same value", do="remove one of them"
                )
        return ends
