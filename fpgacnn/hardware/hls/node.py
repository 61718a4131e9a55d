"""One layer of the list for hls4ml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Multiplier
from fpgacnn.hardware.hls.moves import in_memory
from fpgacnn.ir.fixed_point import CodeArray, Format

Attribute: TypeAlias = int | float | bool | str | list[int] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTemplate:
    """A layer that fpgacnn adds to hls4ml: its kind in the layer list, and the C++ function of a header of fpgacnn's.

    `numbers` are the attributes that its configuration has as numbers, `weights` those that are constants of a type of
    their own. The configuration is derived from `{function}_config`.
    """

    kind: str
    function: str
    header: str
    numbers: tuple[str, ...]
    weights: tuple[str, ...] = ()


MULTI_THRESHOLD = "FpgacnnMultiThreshold"
"""A step function by comparisons."""

RESIZE_BY_LINES = "FpgacnnResizeByLines"
TRANSPOSE_PIXELS = "FpgacnnTransposePixels"
TRANSPOSE_BY_BANKS = "FpgacnnTransposeByBanks"
"""Moves in a stream whose values wait in memories."""

OWN_TEMPLATES = {
    one.kind: one
    for one in (
        OwnTemplate(
            kind=MULTI_THRESHOLD,
            function="multi_threshold",
            header="nnet_multi_threshold.h",
            numbers=("n_in", "n_filt", "n_rows", "n_levels", "table_size"),
            weights=("threshold", "value"),
        ),
        OwnTemplate(
            kind=RESIZE_BY_LINES,
            function=in_memory.RESIZE,
            header=in_memory.HEADER,
            numbers=("n_in", "height", "width", "n_chan", "new_height", "new_width"),
        ),
        OwnTemplate(
            kind=TRANSPOSE_PIXELS,
            function=in_memory.PIXELS,
            header=in_memory.HEADER,
            numbers=("n_in", "n_blocks", "n_rows", "n_cols", "n_chan"),
        ),
        OwnTemplate(
            kind=TRANSPOSE_BY_BANKS,
            function=in_memory.BANKS,
            header=in_memory.HEADER,
            numbers=(
                "n_in",
                "n_blocks",
                "n_others",
                "n_banks",
                "n_groups",
                "n_chan",
                "from_rows",
                "channels_first",
            ),
        ),
    )
}
"""By their kind."""

KIND_OF = {one.function: one.kind for one in OWN_TEMPLATES.values()}
"""The kind of a layer by the function of its template."""

DISTRIBUTED_ARITHMETIC = "Distributed_Arithmetic"
"""hls4ml's name of the strategy `da`; the others are Latency and Resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsNode:
    """One layer of hls4ml's layer list.

    `types` are formats by hls4ml's name of the type (`result`, `accum`, `weight`, `exp_table_t`, ...). `node` is the
    hardware node whose result it computes, or empty for layers that only prepare its input. `codes` are the constants
    that the hardware multiplies with or adds to products, by the name of their type (`weight`, `scale`, `param`,
    `bias`): the same numbers as in `attributes`, as int64 codes; a matrix has its outputs last. `multiplier` is what
    makes the products with them.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    types: Mapping[str, Format]
    node: str = ""
    reuse: int = 1
    strategy: str = "Latency"
    extra_types: Mapping[str, Format] = field(default_factory=dict)
    codes: Mapping[str, CodeArray] = field(default_factory=dict)
    multiplier: Multiplier = Multiplier.AUTO
