"""Small structures for tests of the estimate, with types that are easy to multiply in one's head."""

from __future__ import annotations

from typing import Any

import numpy as np

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role, TemplateCall, summarize

EIGHT = FixedType(width=8, integer=1)
SIXTEEN = FixedType(width=16, integer=6)


def dense(kernel: Any, name: str = "dense", **changes: Any) -> TemplateCall:
    """A dense layer with real weights, 16 bits everywhere."""
    codes = np.asarray(kernel, np.int64)
    fields: dict[str, Any] = {
        "name": name,
        "role": Role.DENSE,
        "what": "dense",
        "in_shape": (1, 1, codes.shape[0]),
        "out_shape": (1, 1, codes.shape[1]),
        "input": SIXTEEN,
        "output": SIXTEEN,
        "weight": SIXTEEN,
        "accumulator": SIXTEEN,
        "weights": summarize(codes),
    }
    return TemplateCall(**(fields | changes))


def convolution(kernel: Any, shape: tuple[int, int], name: str = "conv", **changes: Any) -> TemplateCall:
    """A convolution without padding, stride 1; kernel (rows, columns, in, out)."""
    codes = np.asarray(kernel, np.int64)
    rows, columns, channels, filters = codes.shape
    after = (shape[0] - rows + 1, shape[1] - columns + 1, filters)
    fields: dict[str, Any] = {
        "name": name,
        "role": Role.CONVOLUTION,
        "what": "conv_2d_cl",
        "in_shape": (*shape, channels),
        "out_shape": after,
        "window": (rows, columns),
        "partitions": after[0] * after[1],
        "input": SIXTEEN,
        "output": SIXTEEN,
        "weight": SIXTEEN,
        "accumulator": SIXTEEN,
        "weights": summarize(codes),
    }
    return TemplateCall(**(fields | changes))


def elementwise(role: Role, shape: tuple[int, int, int], name: str = "layer", **changes: Any) -> TemplateCall:
    """A layer without weights whose result has the shape of its input."""
    fields: dict[str, Any] = {
        "name": name,
        "role": role,
        "what": role.value,
        "in_shape": shape,
        "out_shape": shape,
        "input": SIXTEEN,
        "output": SIXTEEN,
    }
    return TemplateCall(**(fields | changes))


def model(*layers: TemplateCall, **changes: Any) -> HardwareGraph:
    """Layers behind one another; a stream for Vivado on a ZCU102 unless changed."""
    fields: dict[str, Any] = {
        "layers": layers,
        "io": IoType.STREAM,
        "tool": BackendName.VIVADO,
        "dataflow": True,
        "part": "xczu9eg-ffvb1156-2-e",
        "clock_ns": 5.0,
        "outputs": (layers[-1].name,) if layers else (),
        "version": "2019.2",
    }
    return HardwareGraph(**(fields | changes))


def pipeline(*layers: TemplateCall, **changes: Any) -> HardwareGraph:
    """Layers behind one another in one pipeline (io_parallel)."""
    return model(*layers, **({"io": IoType.PARALLEL, "dataflow": False} | changes))


RESOURCE = Strategy.RESOURCE
