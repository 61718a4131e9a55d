"""One layer of the list for hls4ml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Multiplier
from fpgacnn.ir.fixed_point import CodeArray, Format

Attribute: TypeAlias = int | float | bool | str | list[int] | NDArray[np.float64]

MULTI_THRESHOLD = "FpgacnnMultiThreshold"
"""A layer that fpgacnn adds to hls4ml: a step function by comparisons."""

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
