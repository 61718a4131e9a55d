"""Multiply a scale into the weights of the layer behind it, so that the scale needs no layer of its own.

`w * (s * x + t) + b` is `(w * s) * x + (w * t + b)`: the products of the codes are exact, so both ways give the same
codes. Where scales are short (`short_scales`), the products with the weights are rounded to as many significant bits,
once, and the bound includes it. Padded cells hold 0 behind the scale, so a layer with padding takes a scale without
a shift only.

A product has the bits of both factors. Weights of few signed digits are adders, and with a scale in them they are
multipliers. So both ways are planned, and one way is kept by what its products cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import WidthLimitError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, smallest_format, trailing_zeros
from fpgacnn.ir.source import FloatArray
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.bounds import Bound
from fpgacnn.passes.precision.narrowing.product_costs import ProductLayers, Products, is_cheaper, matrix
from fpgacnn.passes.precision.narrowing.short_scales import SIGNIFICANT_BITS, Shortening, fewest_digits
from fpgacnn.passes.precision.nodes import Node, PlannedAffine, node
from fpgacnn.passes.precision.planner import FLOAT_WEIGHTS, Planner

NumberT = TypeVar("NumberT", np.float64, np.int64)

MOST_BITS = 48
"""Bits of a weight with a scale in it: its codes are exact in float64, and so are their products with short data."""

LARGEST = 2.0**52
"""Codes are below, so that float64 has them exactly."""

# --- where ------------------------------------------------------------------------------------------------------------


def chains(model: q.QuantizedModel, other: AbstractSet[str]) -> dict[str, tuple[q.Layer, ...]]:
    """A scale, perhaps a flatten, and the linear layer behind, each the only reader of the one before; by the last.

    `other` are nodes that something else becomes of.
    """
    found = {}
    for layer in model.layers:
        if isinstance(layer.operation, q.Affine) and layer.is_result and layer.name not in other:
            behind = _chain(model, layer)
            if behind:
                found[behind[-1].name] = (layer, *behind)
    return found


def _chain(model: q.QuantizedModel, layer: q.Layer) -> tuple[q.Layer, ...]:
    """The nodes from the only reader of a scale to the linear layer; none where there is none."""
    behind: list[q.Layer] = []
    while (reader := _only_reader(model, layer)) is not None:
        behind.append(reader)
        match reader.operation:
            case q.Linear():
                return tuple(behind)
            case src.Reshape() if len(reader.shape) == 1 and len(behind) == 1:
                layer = reader
            case _:
                return ()
    return ()


def _only_reader(model: q.QuantizedModel, layer: q.Layer) -> q.Layer | None:
    readers = model.consumers(layer.name)
    alone = len(readers) == 1 and layer.name not in model.outputs and len(readers[0].inputs) == 1
    return readers[0] if alone else None


# --- how --------------------------------------------------------------------------------------------------------------


def with_scale(
    operation: q.Linear, line: PlannedAffine, given: Bound, shortening: Shortening | None
) -> Iterator[q.Linear]:
    """The linear layer with a scale multiplied into its weights: in short weights where they are allowed, in all bits.

    `given` bounds the input of the scale. Nothing where zeros around the input are not zeros before the scale.
    """
    padded = not isinstance(operation.sums, hw.Dense) and any(operation.sums.pads)
    if padded and line.trained.shift.any():
        return
    exact = not any(bounds.constants_error(line)) and not given.error
    whole = _multiplied(operation, line)
    is_short = whole is not None and whole.sums.kernel.format.width <= SIGNIFICANT_BITS + 1
    if shortening is not None and (shortening.exact or not exact) and not is_short:
        short = _rounded(operation, line, given, coarse=shortening.coarse)
        if short is not None:
            yield short
    if whole is not None:
        yield whole


def _multiplied(operation: q.Linear, line: PlannedAffine) -> q.Linear | None:
    """The products of the codes of weights and constants; None where they have too many bits."""
    sums = operation.sums
    kernel, rows = sums.kernel, _rows(sums, line.scale.array)
    if np.abs(kernel.values).max() * np.abs(line.scale.values).max() == 0:
        return None
    if float(np.abs(kernel.array).max()) * float(np.abs(line.scale.array).max()) >= 2.0**MOST_BITS:
        return None
    weights = _codes(kernel.array * rows, kernel.format.fraction + line.scale.format.fraction)
    fraction = max(sums.bias.format.fraction, kernel.format.fraction + line.shift.format.fraction)
    moved = _across(sums, np.abs(kernel.values) * np.abs(_rows(sums, line.shift.values)))
    if np.ldexp(float((moved + np.abs(sums.bias.values)).max()), fraction) >= LARGEST:
        return None
    products = _across(sums, kernel.array * _rows(sums, line.shift.array))
    left = fraction - kernel.format.fraction - line.shift.format.fraction
    bias = _codes((products << left) + (sums.bias.array << fraction - sums.bias.format.fraction), fraction)
    if weights is None or bias is None:
        return None
    errors = _errors(operation, line, weights, bias, is_exact=not any(bounds.constants_error(line)))
    return replace(operation, sums=replace(sums, kernel=weights, bias=bias), errors=errors)


def _rounded(operation: q.Linear, line: PlannedAffine, given: Bound, *, coarse: bool) -> q.Linear | None:
    """Weights of SIGNIFICANT_BITS bits, and a bias with the step of the products; None if float64 has not its codes."""
    sums = operation.sums
    real, offset = _real(sums, line)
    if not real.any():
        return None
    step = int(np.frexp(np.abs(real).max())[1]) - SIGNIFICANT_BITS
    scaled = np.ldexp(real, -step)
    weights = _codes(fewest_digits(scaled) if coarse else np.rint(scaled).astype(np.int64), -step)
    fraction = given.interval.fraction - step
    codes = np.ldexp(offset, fraction)
    if weights is None or np.abs(codes).max() >= LARGEST:
        return None
    bias = _codes(np.rint(codes).astype(np.int64), fraction)
    if bias is None:
        return None
    errors = _errors(operation, line, weights, bias, is_exact=False)
    return replace(operation, sums=replace(sums, kernel=weights, bias=bias), errors=errors)


def _errors(
    operation: q.Linear, line: PlannedAffine, weights: Codes, bias: Codes, *, is_exact: bool
) -> q.WeightErrors | None:
    """The differences from the trained weights times the trained constants; `is_exact`: from rounding none.

    Each weight has its own, so that weights of 0 have none.
    """
    sums, before = operation.sums, operation.errors
    if is_exact and before is None:
        return None
    slope, shift = (np.abs(one) for one in (line.trained.slope, line.trained.shift))
    kernel, off = np.zeros(sums.kernel.array.shape), 0.0
    if not is_exact:
        real, offset = _real(sums, line)
        largest = _across(sums, np.abs(sums.kernel.values) * _rows(sums, shift)) + np.abs(sums.bias.values)
        terms = prod(sums.kernel.array.shape[:-1]) + 1
        kernel = np.abs(weights.values - real) + np.abs(real) * 2.0**-52
        off = float(np.abs(bias.values - offset).max()) + float(largest.max()) * terms * 2.0**-52
    if before is not None:
        given = np.broadcast_to(before.kernel, kernel.shape)
        kernel = kernel + given * _rows(sums, slope)
        off += before.bias + float(_across(sums, given * _rows(sums, shift)).max())
    return q.WeightErrors(kernel=kernel, bias=off)


def _real(sums: hw.Linear, line: PlannedAffine) -> tuple[FloatArray, FloatArray]:
    """Weights times trained slopes, and the bias with weights times trained shifts, in float64."""
    kernel = sums.kernel.values
    products = _across(sums, kernel * _rows(sums, line.trained.shift))
    return kernel * _rows(sums, line.trained.slope), products + sums.bias.values


def _rows(sums: hw.Linear, values: NDArray[NumberT]) -> NDArray[NumberT]:
    """Numbers for each channel (channels,) in the order of the inputs of a kernel (..., inputs, outputs)."""
    inputs = sums.kernel.array.shape[-2]
    return np.tile(values, inputs // values.size)[:, None]


def _across(sums: hw.Linear, products: NDArray[NumberT]) -> NDArray[NumberT]:
    """Sums of products (..., inputs, outputs) for each output."""
    rows = products.reshape(-1, products.shape[-2]) if isinstance(sums, hw.Depthwise) else products
    found: NDArray[NumberT] = rows.reshape(-1, rows.shape[-1]).sum(axis=0)
    return found


def _codes(array: CodeArray, fraction: int) -> Codes | None:
    """Codes without zeros at the end of all; None where they have more than MOST_BITS bits."""
    if not array.any():
        return Codes(array=array, format=Format(width=1, integer=1, signed=False))
    spare = trailing_zeros(array)
    array = array >> spare
    form = smallest_format(int(array.min()), int(array.max()), fraction - spare)
    return Codes(array=array, format=form) if form.width <= MOST_BITS else None


# --- which ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNodes:
    """Nodes in their order, the last one a linear layer, and a planner that has them."""

    nodes: Sequence[Node]
    planner: Planner

    @property
    def last(self) -> Node:
        """The linear layer."""
        return self.nodes[-1]

    def way(self) -> ProductLayers:
        """What is multiplied: weights, bits of the data, bits of the sums."""
        found, between = [], 0
        for one in self.nodes:
            if isinstance(one.operation, PlannedAffine | q.Linear):
                own, given = (self.planner.decided[name] for name in (one.name, one.inputs[0]))
                total = (own.accumulator or own.result).format.width
                weights = matrix(one.operation if isinstance(one.operation, PlannedAffine) else one.operation.sums)
                found.append((weights, given.result.format.width, total))
                between += 0 if one is self.last else own.result.format.width * one.shape[-1]
        return ProductLayers(layers=found, between=between)


def joined(
    chain: Sequence[q.Layer],
    line: PlannedAffine,
    planner: Planner,
    separate: PlannedNodes,
    products: Products,
    shortening: Shortening | None,
) -> PlannedNodes | None:
    """The nodes with the scale in the weights, if their products cost no more than those `separate`; None otherwise.

    `chain` are the nodes from the scale `line` to the linear layer, and `planner` has all before it. A flatten between
    them has values before the scale, which are no result of its layer.
    """
    scale, last = chain[0], chain[-1]
    assert isinstance(last.operation, q.Linear)
    for operation in with_scale(last.operation, line, planner.bounds[scale.inputs[0]], shortening):
        source, own, made = scale.inputs[0], planner.copy(), []
        try:
            for one in chain[1:]:
                own_operation, is_result = (operation, one.is_result) if one is last else (src.Reshape(), False)
                made.append(node(one, own_operation, inputs=(source,), is_result=is_result))
                own.add(made[-1])
                source = one.name
        except WidthLimitError:
            continue
        found = PlannedNodes(nodes=made, planner=own)
        if is_cheaper(products, found.way(), separate.way()):
            _explain(found, scale, separate)
            return found
    return None


def _explain(found: PlannedNodes, scale: q.Layer, separate: PlannedNodes) -> None:
    """Say what is in the weights, and which values are before it. Float32 rounds as it does for both layers."""
    name = found.last.name
    for one in found.nodes[:-1]:
        plan = found.planner.decided[one.name]
        reason = f"{plan.result.reason}; these are the values before the scale of {scale.source}"
        found.planner.decided[one.name] = replace(plan, result=replace(plan.result, reason=reason))
    plan = found.planner.decided[name]
    assert plan.accumulator is not None
    reason = f"{plan.accumulator.reason}; the scale of {scale.source} is in the weights"
    parts = [separate.planner.decided[one.name] for one in separate.nodes]
    found.planner.decided[name] = replace(
        plan,
        accumulator=replace(plan.accumulator, reason=reason),
        loss=plan.loss.replace(FLOAT_WEIGHTS, f"weights with the scale of {scale.source} in them", 1),
        rounds_in_float32=any(one.rounds_in_float32 for one in parts),
    )
