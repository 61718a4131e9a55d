"""Lowering: every node of a design becomes layers of hls4ml with fixed types everywhere.

Known faults of hls4ml are avoided here, or the design is refused before any code is written:
padding is a layer of its own in streams; a flattened stream that anything but Dense reads is repacked; casts that
change nothing are left out; a maximum over padded unsigned data pads with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import assert_never

from fpgacnn.design import Design, Multiplier, Strategy
from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.hardware.hls.da.rules import check_distributed_arithmetic, is_product
from fpgacnn.hardware.hls.fanout import limit_fanout
from fpgacnn.hardware.hls.helpers import threshold_attributes
from fpgacnn.hardware.hls.node import MULTI_THRESHOLD, Attribute, HlsNode
from fpgacnn.hardware.hls.window_layers import WindowLayers
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format
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
    check_distributed_arithmetic(design)
    _check_multipliers(design)
    lowering = _Lowering(design=design, names=Namer(layer.name for layer in design.model.layers))
    for layer in design.model.layers:
        lowering.add(layer)
    lowering.check_inputs()
    ends = lowering.checked_outputs()
    nodes = tuple(lowering.nodes)
    if lowering.streams:
        nodes = limit_fanout(
            nodes, ends, {lowering.name_of[layer.name]: layer.shape for layer in design.model.layers}, lowering.names
        )
    return Lowered(nodes=nodes, name_of=lowering.name_of, notes=tuple(lowering.notes), overlapping=lowering.overlapping)


def _check_multipliers(design: Design) -> None:
    """Raise UnsupportedOptionError for a layer whose multipliers are chosen and that has none to choose."""
    multiplies = {
        layer.sums_of: layer for layer in design.model.layers if isinstance(layer.operation, hw.Linear | hw.Affine)
    }
    for source, kind in design.target.multiplier_of.items():
        setting = f"--set {source}.multiplier={kind}"
        if kind is Multiplier.AUTO:
            continue
        if source not in multiplies:
            why = "only dense layers, convolutions and normalizations multiply by constants"
            raise UnsupportedOptionError(layer=source, why=why, do=f"leave {setting} out")
        if design.strategy(source) is Strategy.DA and is_product(multiplies[source].operation):
            why = "the strategy da has no multipliers"
            raise UnsupportedOptionError(layer=source, why=why, do=f"leave {setting} out, or use another strategy")


class _Lowering(WindowLayers):
    """The layers of all nodes so far, node by node."""

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
                self._transpose(layer, operation, inputs)
            case src.Reshape():
                self._reshape(layer, inputs)
            case hw.Merge():
                self._append(layer, "Merge", inputs, {"op": operation.kind.value})
            case src.Concatenate():
                rank = len(layer.shape)
                self._append(layer, "Concatenate", inputs, {"op": f"concatenate{rank}d", "axis": operation.axis + 1})
            case hw.Softmax():
                self._softmax(layer, operation, inputs)
            case _:
                assert_never(operation)

    def _cast(self, layer: hw.Layer, inputs: tuple[str, ...]) -> None:
        if self.result(layer.name) == self.result(layer.inputs[0]):
            self.name_of[layer.name] = inputs[0]
            return
        self._append(layer, "Activation", inputs, {"activation": "linear", "n_in": prod(layer.shape)})

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
        self._append(layer, "Dense", inputs, attributes, types, codes={"weight": kernel.array, "bias": bias.array})

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
        """Whether only reshapes follow, which hls4ml removes at an output."""
        return all(
            isinstance(reader.operation, src.Reshape) and self._ends(reader.name)
            for reader in self.design.model.consumers(name)
        )

    def _not_behind_transpose(self, layer: hw.Layer, inputs: tuple[str, ...]) -> tuple[str, ...]:
        """Insert a step after a transpose before a flatten.

        hls4ml would drop the transpose and not reorder the weights.
        """
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

    def check_inputs(self) -> None:
        """Refuse a stream without a reader: it fills up, and its writer waits forever.

        Raises UnsupportedOptionError.
        """
        read = {name for layer in self.design.model.layers for name in layer.inputs}
        for name in self.design.model.inputs:
            if self.streams and name not in read:
                raise UnsupportedOptionError(
                    layer=self.design.model.layer(name).source,
                    why="nothing reads this input, and its stream would never be emptied",
                    do="remove the input from the network, or use `--io parallel`",
                )

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
