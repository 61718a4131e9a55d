"""Changes to the headers that hls4ml copies into a project, each with its reason and its test."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources import files as resources

from fpgacnn.design import BackendName
from fpgacnn.hardware.hls.node import OWN_TEMPLATES

DEPTHWISE_1D = "firmware/nnet_utils/nnet_sepconv1d_latency.h"
POOLING = "firmware/nnet_utils/nnet_pooling_stream.h"

_SAME_STRIDE = (
    b"assert(CONFIG_T::pool_height == CONFIG_T::stride_height && CONFIG_T::pool_width == CONFIG_T::stride_width);",
    b"assert(CONFIG_T::pool_width == CONFIG_T::stride_width);",
)


def allow_overlapping_pooling(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Take out the asserts that a streamed pooling window and its stride be equal.

    The line buffer below them counts strides of any size, as that of convolutions does; agreement with the emulator
    is tested for overlapping and for gapped windows (tests/agree/test_layers.py, pooling).
    """
    header = files[POOLING]
    for line in _SAME_STRIDE:
        header = header.replace(line, b"// fpgacnn: windows may overlap; the line buffer below counts any stride")
    return {**files, POOLING: header}


PLACED_MULT = "nnet_placed_mult.h"
VIVADO_CORES = {
    b"BIND_OP variable=result op=mul impl=dsp": b"RESOURCE variable=result core=DSP48",
    b"BIND_OP variable=result op=mul impl=fabric": b"RESOURCE variable=result core=Mul_LUT",
}
"""Pragmas of Vitis HLS, and those of Vivado HLS that say the same (UG902, "RTL Cores")."""


def with_placed_multipliers(files: Mapping[str, bytes], backend: BackendName) -> dict[str, bytes]:
    """Add the header of products whose multipliers are DSP slices or LUTs, in the words of the tool."""
    header = resources("fpgacnn.hardware.hls").joinpath(PLACED_MULT).read_bytes()
    if backend is BackendName.VIVADO:
        for vitis, vivado in VIVADO_CORES.items():
            header = header.replace(vitis, vivado)
    return {**files, f"firmware/nnet_utils/{PLACED_MULT}": header}


def with_own_templates(files: Mapping[str, bytes], kinds: Collection[str]) -> dict[str, bytes]:
    """Add the headers of the templates of fpgacnn's own; `kinds` are those of all layers."""
    headers = sorted({OWN_TEMPLATES[kind].header for kind in kinds if kind in OWN_TEMPLATES})
    found = {name: resources("fpgacnn.hardware.hls").joinpath(name).read_bytes() for name in headers}
    return {**files, **{f"firmware/nnet_utils/{name}": content for name, content in found.items()}}


def own_include_guard(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the one-dimensional depthwise header a guard of its own.

    hls4ml 1.3.0 lets it share the two-dimensional one's.

    With both in one project the second header came out empty, and the code did not compile.
    """
    header = files[DEPTHWISE_1D].replace(b"NNET_SEPARABLE_CONV2D_LATENCY_H_", b"NNET_SEPARABLE_CONV1D_LATENCY_H_")
    return {**files, DEPTHWISE_1D: header}
