"""Lower layers with rows and columns: convolutions, pooling, padding, cropping, resizing."""

from __future__ import annotations

from dataclasses import replace

from fpgacnn.design import Strategy
from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.hardware.hls.helpers import pool_attributes, shifted
from fpgacnn.hardware.hls.layer_builder import LayerBuilder
from fpgacnn.hardware.hls.moves import in_memory
from fpgacnn.hardware.hls.moves.in_memory import InMemory
from fpgacnn.hardware.hls.node import KIND_OF, Attribute, HlsNode
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import PoolKind, Shape


class WindowLayers(LayerBuilder):
    """Adds the layers whose nodes have rows and columns."""

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
        self._append(
            layer,
            f"{kind}{len(layer.shape) - 1}D",
            (source,),
            attributes,
            types,
            codes={"weight": codes, "bias": bias.array},
        )

    def _depthwise(self, layer: hw.Layer, operation: hw.Depthwise, source: str) -> None:
        """hls4ml's depthwise convolution, or a full one for a strategy that has no depthwise template.

        With the resource strategy that template aborts. With distributed arithmetic, zeros of a full kernel cost
        nothing.
        """
        if self.design.strategy(layer.sums_of) is not Strategy.LATENCY:
            full = hw.Convolution(
                kernel=hw.across_channels(operation.kernel),
                bias=operation.bias,
                strides=operation.strides,
                pads=operation.pads,
            )
            self._convolution(replace(layer, operation=full), full, source)
            return
        self._convolution(layer, operation, source)

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

    def _in_memory(self, layer: hw.Layer, found: InMemory, inputs: tuple[str, ...]) -> None:
        """A layer of a stream that keeps its values in memories."""
        attributes: dict[str, Attribute] = {**found.numbers, "target_shape": list(layer.shape), "op": found.function}
        self._append(layer, KIND_OF[found.function], inputs, attributes)

    def _transpose(self, layer: hw.Layer, operation: src.Permute, inputs: tuple[str, ...]) -> None:
        found = in_memory.transpose(self._input(layer).shape, operation.axes) if self.streams else None
        if found is None:
            self._append(layer, "Transpose", inputs, {"perm": list(operation.axes)})
        else:
            self._in_memory(layer, found, inputs)

    def _upsample(self, layer: hw.Layer, inputs: tuple[str, ...]) -> None:
        shape = self._input(layer).shape
        found = in_memory.resize(shape, layer.shape) if self.streams else None
        if found is not None:
            self._in_memory(layer, found, inputs)
            return
        attributes: dict[str, Attribute] = {"n_chan": shape[-1], "algorithm": "nearest", "data_format": "channels_last"}
        attributes |= {"in_width": shape[-2], "out_width": layer.shape[-2]}
        rows = (shape[0], layer.shape[0]) if len(shape) > 2 else (1, 1)
        attributes |= {"in_height": rows[0], "out_height": rows[1]}
        self._append(layer, "Resize", inputs, attributes)

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
        """A padded maximum of signed data in a stream: shifted above 0, padded with zeros, pooled, and shifted back."""
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
