"""What hls4ml is told about one layer: the only vocabulary that its door understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import Format

Attribute: TypeAlias = int | float | bool | str | list[int] | NDArray[np.float64]

MULTI_THRESHOLD = "FpgacnnMultiThreshold"
"""Our own kind of layer: a step function by comparisons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsNode:
    """One layer of hls4ml's layer list.

    `types` are formats by hls4ml's name of the type (`result`, `accum`, `weight`, `exp_table_t`, ...). `node` is the
    hardware node whose result it computes, or empty for helpers.
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
