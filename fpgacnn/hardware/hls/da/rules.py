"""What the strategy `da` (distributed arithmetic) can build, and what is refused by name."""

from __future__ import annotations

import numpy as np

from fpgacnn.design import Design, Strategy
from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray, Overflow, Rounding, odd_parts

SIGNIFICANT_BITS = 24
"""da4ml keeps weights as float32."""


PLAIN = (Rounding.TRN, Overflow.WRAP)
"""Modes of an accumulator that keeps every bit."""


def is_product(operation: hw.Operation) -> bool:
    """Whether an operation is a product with a constant matrix."""
    return isinstance(operation, hw.Convolution | hw.Depthwise | hw.Dense)


def check_distributed_arithmetic(design: Design) -> None:
    """Raise UnsupportedOptionError for the first layer that cannot have the strategy `da`."""
    products = {layer.sums_of for layer in design.model.layers if is_product(layer.operation)}
    for source, strategy in design.target.strategy_of.items():
        if strategy is Strategy.DA and source not in products:
            why = "the strategy da is for dense layers and convolutions, which multiply by a constant matrix"
            raise UnsupportedOptionError(layer=source, why=why, do=f"leave --set {source}.strategy=da out")
    for layer in design.model.layers:
        if is_product(layer.operation) and design.strategy(layer.sums_of) is Strategy.DA:
            _check(layer, design)


def _check(layer: hw.Layer, design: Design) -> None:
    reuse = design.reuse(layer.sums_of)
    if reuse != 1:
        why = f"a reuse factor of {reuse} with the strategy da, which has no multiplier to reuse"
        raise UnsupportedOptionError(layer=layer.sums_of, why=why, do="use a reuse factor of 1, or --strategy resource")
    operation = layer.operation
    assert isinstance(operation, hw.Convolution | hw.Depthwise | hw.Dense)
    bits = significant_bits(operation.kernel.array)
    if bits > SIGNIFICANT_BITS:
        why = f"weights of {bits} significant bits; da4ml keeps {SIGNIFICANT_BITS}"
        do = f"use --set {layer.sums_of}.strategy=latency, or narrower weights"
        raise UnsupportedOptionError(layer=layer.sums_of, why=why, do=do)
    accumulator = design.plan.layers[layer.name].accumulator
    if accumulator is not None and (accumulator.format.rounding, accumulator.format.overflow) != PLAIN:
        why = "its accumulator rounds or saturates, and an adder graph keeps every bit"
        raise UnsupportedOptionError(layer=layer.sums_of, why=why, do=f"use --set {layer.sums_of}.strategy=latency")


def significant_bits(codes: CodeArray) -> int:
    """Bits of the longest code without its trailing zeros."""
    return int(odd_parts(codes.astype(np.int64)).max(initial=0)).bit_length()
