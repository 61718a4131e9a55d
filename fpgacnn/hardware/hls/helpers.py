"""Layers and attributes that several operations share in the list for hls4ml."""

from __future__ import annotations

from math import prod

import numpy as np

from fpgacnn.hardware.hls.node import Attribute, HlsNode
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Format, exact_codes
from fpgacnn.ir.source import Shape


def shifted(name: str, source: str, shape: Shape, shift: float, result: Format) -> HlsNode:
    """A layer that adds a constant."""
    bias = exact_codes(np.full(shape[-1:], shift))
    assert bias is not None
    attributes: dict[str, Attribute] = {
        "n_in": prod(shape),
        "n_filt": shape[-1] if len(shape) > 1 else -1,
        "scale_data": np.ones(shape[-1:]),
        "bias_data": bias.values,
    }
    types = {"result": result, "scale": Format(width=1, integer=1, signed=False), "bias": bias.format}
    return HlsNode(
        name=name,
        kind="BatchNormalization",
        inputs=(source,),
        attributes=attributes,
        types=types,
        codes={"scale": np.ones((shape[-1], 1), np.int64)},
    )


def pool_attributes(
    operation: hw.Pool, shape: Shape, after: Shape, pads: tuple[int, int, int, int]
) -> dict[str, Attribute]:
    """Window, stride, padding and sizes of a pooling layer."""
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
        attributes |= {"in_height": shape[0], "in_width": shape[1], "out_height": after[0], "out_width": after[1]}
        attributes |= {
            "pool_height": operation.size[0],
            "stride_height": operation.strides[0],
            "pad_top": pads[0],
            "pad_bottom": pads[1],
        }
    else:
        attributes |= {"n_in": shape[0], "n_out": after[0]}
    return attributes


def threshold_attributes(operation: hw.Thresholds, shape: Shape) -> dict[str, Attribute]:
    """Sizes, thresholds and values of a step function."""
    rows, places = operation.values.array.shape
    return {
        "n_in": prod(shape),
        "n_filt": shape[-1],
        "n_rows": rows,
        "n_levels": operation.levels,
        "table_size": places,
        "threshold_data": operation.thresholds.values,
        "value_data": operation.values.values,
    }
