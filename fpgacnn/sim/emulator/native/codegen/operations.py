"""C text for operations on one or two numbers: scales, activations, merges, means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format
from fpgacnn.ir.source import MergeKind, PoolKind
from fpgacnn.sim.emulator.native.codegen.casts import cast, lifted
from fpgacnn.sim.emulator.native.codegen.doubles import affine_in_doubles
from fpgacnn.sim.emulator.native.codegen.values import (
    CHANNEL_PADDING,
    Code,
    Ends,
    Value,
    call,
    ends,
    fits32,
    narrowed,
    widened,
)

EXACT_DOUBLE = 1 << 52


def multiplied(code: Code, value: Value, factors: Ends, fraction: int, index: str = "c") -> Value:
    """The exact product with a constant for each channel."""
    products = [value.low * factors, value.high * factors]
    low, high = np.minimum(*products), np.maximum(*products)
    fraction += value.fraction
    factor32 = fits32(int(factors.min()), int(factors.max()))
    if not value.wide and factor32 and fits32(int(low.min()), int(high.max())):
        text = f"v_mul({value.text}, {code.each(factors, wide=False, index=index)})"
        return _with_fraction(code.let(text, value, low=low, high=high), fraction)
    if not value.wide and factor32:
        text = f"product({value.text}, {code.each(factors, wide=False, index=index)})"
    else:
        text = f"w_mul({widened(code, value).text}, {code.each(factors, wide=True, index=index)})"
    return _with_fraction(code.let(text, value, low=low, high=high, wide=True), fraction)


def _with_fraction(value: Value, fraction: int) -> Value:
    return replace(value, fraction=fraction)


def plus(code: Code, value: Value, amounts: Ends) -> Value:
    """The exact sum with a constant for each channel."""
    if not any(amounts):
        return value
    low, high = value.low + amounts, value.high + amounts
    small = fits32(int(low.min()), int(high.max())) and fits32(int(amounts.min()), int(amounts.max()))
    value = value if small else widened(code, value)
    return narrowed(code, call(code, "add", value, code.each(amounts, wide=value.wide), low=low, high=high))


def affine(code: Code, value: Value, operation: hw.Affine, result: Format) -> Value:
    """`x * scale + shift`, cast to the result."""
    in_doubles = affine_in_doubles(code, value, operation, result)
    if in_doubles is not None:
        return in_doubles
    fraction = value.fraction + operation.scale.format.fraction
    common = max(fraction, operation.shift.format.fraction)
    scaled = multiplied(code, value, ends(operation.scale.array), operation.scale.format.fraction)
    raised = _with_fraction(lifted(code, scaled, common - fraction), common)
    return cast(
        code,
        plus(code, raised, ends(operation.shift.array) * (1 << (common - operation.shift.format.fraction))),
        result,
    )


def relu(code: Code, value: Value, result: Format) -> Value:
    """`max(x, 0)`, cast to the result."""
    if value.hull[0] < 0:
        value = call(
            code,
            "max",
            value,
            code.scalar(0, wide=value.wide),
            low=np.maximum(value.low, 0),
            high=np.maximum(value.high, 0),
        )
    return cast(code, value, result)


def leaky(code: Code, value: Value, slopes: Codes, result: Format, index: str) -> Value:
    """`x if x > 0 else slope * x`, both cast to the result. `index` is the C text of a slope's place among them."""
    mask = call(code, "above", value, code.scalar(0, wide=value.wide))
    given = value if index == "c" else one_for_all(value)
    if code.measured is not None:  # counts of a cast are those of the numbers that it gives
        low, high = np.minimum(given.low, 0), np.maximum(given.high, 0)
        given = call(code, "drop", given, mask.text, low=low, high=high)
        value = call(code, "and", value, mask.text, low=np.minimum(value.low, 0), high=np.maximum(value.high, 0))
    below = one_for_all(cast(code, multiplied(code, given, ends(slopes.array), slopes.format.fraction, index), result))
    above = one_for_all(cast(code, value, result))
    mask_text = mask.text
    if above.wide or below.wide:
        above, below = widened(code, above), widened(code, below)
    if above.wide != mask.wide:
        mask_text = f"widen({mask_text})" if above.wide else f"narrow({mask_text})"
    low, high = np.minimum(above.low, below.low), np.maximum(above.high, below.high)
    return code.let(f"{above.letter}_pick({mask_text}, {above.text}, {below.text})", above, low=low, high=high)


def one_for_all(value: Value) -> Value:
    """The value with one interval for all channels."""
    low, high = value.hull
    return replace(value, low=ends(low), high=ends(high))


def threshold(code: Code, value: Value, operation: hw.ThresholdRelu, result: Format) -> Value:
    """`x if x > threshold else 0`, cast to the result."""
    limit, fraction = int(operation.threshold.array.ravel()[0]), operation.threshold.format.fraction
    edge = limit << (value.fraction - fraction) if value.fraction >= fraction else limit >> (fraction - value.fraction)
    low, high = value.hull
    edge = min(max(edge, low - 1), high)
    value = value if value.wide or fits32(edge, edge) else widened(code, value)
    mask = call(code, "above", value, code.scalar(edge, wide=value.wide))
    kept = call(code, "and", value, mask.text, low=np.minimum(value.low, 0), high=np.maximum(value.high, 0))
    return cast(code, kept, result)


def lookup(code: Code, value: Value, table: CodeArray, width: int, fraction: int) -> Value:
    """The table's entry for a code of `width` bits."""
    low, high = int(table.min()), int(table.max())
    wide = not fits32(low, high)
    place = narrowed(code, value)
    place = call(
        code, "and", place, code.scalar((1 << width) - 1, wide=False), low=ends(0), high=ends((1 << width) - 1)
    )
    name = code.table(table.astype(np.int64 if wide else np.int32), "int64_t" if wide else "int32_t")
    text = f"gather{'64' if wide else ''}({name}, {place.text})"
    return _with_fraction(code.let(text, place, low=ends(low), high=ends(high), wide=wide), fraction)


def steps(code: Code, value: Value, operation: hw.Thresholds, result: Format) -> Value:
    """The value at the position that a binary search in the thresholds of the number's channel finds."""
    thresholds, values = operation.thresholds.array, operation.values.array
    count, low, high = thresholds.shape[-1], int(values.min()), int(values.max())
    value = value if value.wide or fits32(int(thresholds.min()), int(thresholds.max())) else widened(code, value)
    edges, behind = _by_channel(code, thresholds, wide=value.wide)
    place = Value(text="v_zero()", wide=False, low=ends(0), high=ends(0), fraction=0)
    for level in reversed(range(operation.levels)):
        half = 1 << level
        probed = call(code, "add", place, code.scalar(half - 1, wide=False))
        edge = f"{'gather64' if value.wide else 'gather'}({edges}{behind(count)}, {probed.text})"
        below = code.let(f"{value.letter}_above({edge}, {value.text})", value)
        mask = f"w_mask({below.text})" if value.wide else below.text
        step = code.let(f"v_drop({code.scalar(half, wide=False)}, {mask})", place, low=ends(0), high=ends(half))
        place = call(code, "add", place, step.text, low=ends(0), high=place.high + half)
    wide = not fits32(low, high)
    table, behind = _by_channel(code, values, wide=wide)
    text = f"{'gather64' if wide else 'gather'}({table}{behind(count + 1)}, {place.text})"
    return _with_fraction(code.let(text, place, low=ends(low), high=ends(high), wide=wide), result.fraction)


def _by_channel(code: Code, rows: CodeArray, *, wide: bool) -> tuple[str, Callable[[int], str]]:
    """A table with one row for each channel, or one row for all, and C text for the start of a channel's row."""
    kind = "int64" if wide else "int32"
    shared = len(rows) == 1
    padded = rows if shared else np.concatenate([rows, np.zeros((CHANNEL_PADDING, rows.shape[-1]), np.int64)])
    name = code.table(padded.reshape(-1).astype(kind), f"{kind}_t")
    return name, lambda length: "" if shared else f" + {code.number(length)} * c"


def same_width(code: Code, *values: Value) -> tuple[Value, ...]:
    """All in 64 bits if one is."""
    return tuple(widened(code, value) for value in values) if any(value.wide for value in values) else values


def merge(code: Code, kind: MergeKind, left: Value, right: Value, result: Format) -> Value:
    """An elementwise operation of two tensors, cast to the result."""
    if kind is MergeKind.MULTIPLY:
        return cast(code, _multiply(code, left, right), result)
    fraction = max(left.fraction, right.fraction)
    one, other = (_with_fraction(lifted(code, value, fraction - value.fraction), fraction) for value in (left, right))
    match kind:
        case MergeKind.ADD | MergeKind.AVERAGE:
            low, high, function = one.low + other.low, one.high + other.high, "add"
        case MergeKind.SUBTRACT:
            low, high, function = one.low - other.high, one.high - other.low, "sub"
        case MergeKind.MAXIMUM:
            low, high, function = np.maximum(one.low, other.low), np.maximum(one.high, other.high), "max"
        case MergeKind.MINIMUM:
            low, high, function = np.minimum(one.low, other.low), np.minimum(one.high, other.high), "min"
        case _:
            assert_never(kind)
    if not fits32(int(low.min()), int(high.max())):
        one = widened(code, one)
    one, other = same_width(code, one, other)
    merged = call(code, function, one, other.text, low=low, high=high)
    return cast(code, _with_fraction(merged, fraction + 1) if kind is MergeKind.AVERAGE else merged, result)


def times(code: Code, value: Value, other: str, table: CodeArray, fraction: int) -> Value:
    """The exact product with a 32-bit variable that holds an entry of a table."""
    right = Value(text=other, wide=False, low=ends(table.min()), high=ends(table.max()), fraction=fraction)
    return _multiply(code, value, right)


def _multiply(code: Code, left: Value, right: Value) -> Value:
    corners = [one * other for one in (left.low, left.high) for other in (right.low, right.high)]
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    fraction = left.fraction + right.fraction
    if left.wide or right.wide:
        left, right = same_width(code, left, right)
        found = call(code, "mul", left, right.text, low=low, high=high)
    elif fits32(int(low.min()), int(high.max())):
        found = call(code, "mul", left, right.text, low=low, high=high)
    else:
        found = code.let(f"product({left.text}, {right.text})", left, low=low, high=high, wide=True)
    return _with_fraction(found, fraction)


def concatenated(code: Code, left: Value, right: Value, result: Format) -> Value:
    """Two parts of one tensor: where one has a number, the other has 0."""
    one, other = same_width(code, cast(code, left, result), cast(code, right, result))
    low, high = (
        join(*both)
        for join, both in ((np.minimum, (one.hull[0], other.hull[0])), (np.maximum, (one.hull[1], other.hull[1])))
    )
    return call(code, "or", one, other.text, low=ends(min(int(low), 0)), high=ends(max(int(high), 0)))


def window(
    code: Code,
    kind: PoolKind,
    load: Callable[[str], str],
    value: Value,
    cells: int,
    counts: CodeArray,
    formats: tuple[Format, Format],
) -> Value:
    """Maximum or mean of the `cells` numbers of a window; `load` is the C text that reads the cell of a number.

    `counts` gives the number of real cells of each window, for every position.
    """
    accumulator, result = formats
    number = code.number(cells)
    if kind is PoolKind.MAX:
        largest = call(code, "max", value, value.text)
        code.lines.append(
            f"for (int64_t k = 1; k < {number}; k++) {largest.text} = {value.letter}_max({largest.text}, {load('k')});"
        )
        return cast(code, cast(code, largest, accumulator), result)
    total = _total(code, load, value, cells, number, accumulator)
    return cast(code, _mean(code, total, counts), result)


def _total(code: Code, load: Callable[[str], str], value: Value, cells: int, number: str, accumulator: Format) -> Value:
    """The sum of all cells, each cast to the accumulator, limited once at the end."""
    inner = code.inner()
    cell = cast(
        inner,
        Value(
            text="cell",
            wide=value.wide,
            low=np.minimum(value.low, 0),
            high=np.maximum(value.high, 0),
            fraction=value.fraction,
        ),
        accumulator,
    )
    low, high = np.minimum(cell.low, 0) * cells, np.maximum(cell.high, 0) * cells
    wide = cell.wide or not fits32(int(low.min()), int(high.max()))
    letter = "w" if wide else "v"
    total = Value(text=code.name(), wide=wide, low=low, high=high, fraction=accumulator.fraction)
    text = f"widen({cell.text})" if wide and not cell.wide else cell.text
    code.lines.append(f"{letter} {total.text} = {letter}_zero();")
    code.lines.append(
        f"for (int64_t k = 0; k < {number}; k++) {{ {value.letter} cell = {load('k')}; {' '.join(inner.lines)}"
    )
    code.lines.append(f"{total.text} = {letter}_add({total.text}, {text}); }}")
    return cast(code, total, accumulator)


def _mean(code: Code, total: Value, counts: CodeArray) -> Value:
    """The sum divided by the number of real cells, truncated toward zero."""
    smallest = int(counts.min())
    low, high = (mapped_division(end, smallest) for end in (np.minimum(total.low, 0), np.maximum(total.high, 0)))
    if counts.max() == smallest and smallest & (smallest - 1) == 0:
        places = smallest.bit_length() - 1
        if total.hull[0] < 0 and places:
            total = total if total.wide or fits32(total.hull[0], total.hull[1] + smallest) else widened(code, total)
            rest = call(code, "and", call(code, "sign", total), code.scalar(smallest - 1, wide=total.wide))
            total = call(code, "add", total, rest.text)
        return call(code, "sar", total, code.scalar(places, wide=total.wide), low=low, high=high) if places else total
    wide = widened(code, total)
    divide = "divide" if wide.magnitude < EXACT_DOUBLE else "divide_long"
    name = code.table(counts.astype(np.int64), "int64_t")
    return narrowed(code, code.let(f"{divide}({wide.text}, {name}[m])", wide, low=low, high=high))


def mapped_division(values: Ends, by: int) -> Ends:
    """Integer quotients, rounded toward zero."""
    return np.array([abs(int(value)) // by * (1 if value >= 0 else -1) for value in values], dtype=object)


def slopes_by_channel(operation: hw.LeakyRelu) -> Codes | None:
    """One slope, or one for each channel if all positions have the same; None if elements have their own."""
    slope = operation.slope.array
    if slope.size == 1:
        return operation.slope
    rows = slope.reshape(-1, slope.shape[-1])
    return Codes(array=rows[0], format=operation.slope.format) if (rows == rows[0]).all() else None


def unary(code: Code, value: Value, layer: hw.Layer, result: Format, given: Format) -> Value:
    """One elementwise operation. Slopes of single elements are read at the kernel's element `i`."""
    operation = layer.operation
    match operation:
        case hw.Affine():
            return affine(code, value, operation, result)
        case hw.Cast() | hw.Saturate():
            return cast(code, value, result)
        case hw.Relu():
            return relu(code, value, result)
        case hw.LeakyRelu():
            slopes = slopes_by_channel(operation)
            return leaky(code, value, slopes or operation.slope, result, "c" if slopes else "i")
        case hw.ThresholdRelu():
            return threshold(code, value, operation, result)
        case hw.Lookup():
            return lookup(code, value, operation.table.array, given.width, result.fraction)
        case hw.Thresholds():
            return steps(code, value, operation, result)
        case _:
            raise AssertionError(type(operation).__name__)


UNARY = (hw.Affine, hw.Cast, hw.Saturate, hw.Relu, hw.LeakyRelu, hw.ThresholdRelu, hw.Lookup, hw.Thresholds)
"""Operations of one number; `unary` writes their code."""
