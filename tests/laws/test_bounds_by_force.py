"""No code leaves its interval and no real value is further from its code than the plan says.

Random networks, by brute force.
"""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgacnn.ir import ranges, shapes
from fpgacnn.passes.precision import bounds, correlation, function_tables, legalize, softmax
from fpgacnn.passes.precision.planner import Planner
from tests.support.real_networks import broken_claims, case

planner_module, legalize_module = (inspect.getmodule(one) for one in (Planner, legalize))
SEEDS = range(400)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_codes_stay_in_their_intervals_and_errors_within_their_bounds(seed: int) -> None:
    assert not list(broken_claims(case(seed)))


ENDS = "np.maximum(left.low, right.low), np.maximum(left.high, right.high)"
WORSE, BETTER = (f"{one}(left.error, right.error)" for one in ("max", "min"))

MUTANTS = {
    "M01: padding in front is counted among a mean's cells": (shapes, "covered_cells", "- max(start, 0)", "- start"),
    "padding behind is counted among a mean's cells": (
        shapes,
        "covered_cells",
        "min(start + window, size)",
        "start + window",
    ),
    "M02: a maximum or minimum is as exact as the better of its inputs": (
        bounds,
        "merge",
        WORSE,
        BETTER,
    ),
    "a maximum's interval is that of its first input": (
        ranges,
        "merge",
        ENDS,
        "left.low, left.high",
    ),
    "a sum is as exact as the worse of its inputs": (
        bounds,
        "merge",
        "error = left.error + right.error",
        "error = max(left.error, right.error)",
    ),
    "a mean of two divides the error by four": (bounds, "merge", "right.error) / 2", "right.error) / 4"),
    "a difference takes the wrong ends": (
        ranges,
        "merge",
        "left.low - right.high, left.high - right.low",
        "left.low - right.low, left.high - right.high",
    ),
    "a product forgets one input's error": (
        bounds,
        "merge",
        "magnitude_of(right.interval) + right.error * max(map(abs, left.reals))",
        "magnitude_of(right.interval)",
    ),
    "a product takes its inputs for exact numbers": (
        bounds,
        "merge",
        "right.error * max(map(abs, left.reals))",
        "right.error * magnitude_of(left.interval) * 0.75",
    ),
    "what is taken away is added": (correlation, "multiples", "left.plus(right)", "right.times(-1.0).plus(left)"),
    "errors of related tensors cancel out though they add up": (
        correlation,
        "multiples",
        "float(line.trained.slope[0]), scale",
        "-abs(float(line.trained.slope[0])), scale",
    ),
    "two tensors side by side are as exact as the first": (
        bounds,
        "concatenate",
        "max(part.error for part in given)",
        "given[0].error",
    ),
    "a cast carries nothing one step further": (bounds, "_steps_apart", "floor(steps) + 1", "max(floor(steps), 1)"),
    "a cast that wraps is taken for one that keeps the order": (
        bounds,
        "_keeps_order",
        "return iv.keeps_order",
        "return True or iv.keeps_order",
    ),
    "only codes decide whether a cast wraps": (bounds, "_keeps_order", "min(low, least), max(high, most)", "low, high"),
    "a leaky ReLU has exact slopes": (bounds, "leaky_relu", "+ off)", ")"),
    "a threshold does not jump": (
        bounds,
        "threshold_relu",
        "given.error and given.error + magnitude_of(source)",
        "given.error",
    ),
    "a scale multiplies no error": (
        bounds,
        "affine",
        "given.error * float(np.abs(operation.trained.slope).max())",
        "given.error",
    ),
    "rounded constants cost nothing": (
        bounds,
        "affine",
        "error + magnitude_of(source) * off[0] + off[1]",
        "error",
    ),
    "a rounded shift costs nothing": (bounds, "affine", "* off[0] + off[1]", "* off[0]"),
    "a sum of products adds up the smallest weights": (
        bounds,
        "linear",
        "weights.max()",
        "weights.min()",
    ),
    "weights of a float layer are exact": (bounds, "linear", "operation.errors is not None", "False"),
    "an input that is off has no part in a float layer's error": (
        bounds,
        "linear",
        "fraction + given.error",
        "fraction",
    ),
    "padding brings no zero into a convolution": (
        ranges,
        "input_ends",
        "iv.with_zero(channels) if any(operation.pads) else channels",
        "channels",
    ),
    "padding brings no zero into an image": (
        ranges,
        "moved",
        "iv.with_zero(iv.hull(given))",
        "iv.hull(given)",
    ),
    "a mean over three cells loses nothing": (bounds, "windows", "0.0 if lossless else 2.0**-source.fraction", "0.0"),
    "a table is four times flatter": (
        function_tables,
        "_slope",
        "return _SLOPES[kind]",
        "return _SLOPES[kind] / 4",
    ),
    "a table's entries are not rounded": (
        function_tables,
        "_narrow_error",
        "float(np.abs(table.values - curve.values(inputs)).max()) + ",
        "",
    ),
    "a softmax hardly hears its input's error": (softmax, "softmax_tables", "input_error / 2", "input_error / 4"),
    "an argmax is always right": (planner_module, "_softmax", "1.0 if given.error else 0.0", "0.0"),
    "a limit on the values limits errors too much": (
        bounds,
        "ranged",
        "max(high - reals[0], reals[1] - low)",
        "min(high - reals[0], reals[1] - low)",
    ),
    "the exact values of a ReLU end with its codes": (
        bounds,
        "relu",
        "max(given.reals[1], 0.0)",
        "0.0 + magnitude_of(ranges.relu(given.interval))",
    ),
    "an average pool keeps a sixteenth of the error": (
        bounds,
        "windows",
        "error = given.error +",
        "error = given.error / 16 +",
    ),
    "the padding of a convolution adds no zero": (
        ranges,
        "input_ends",
        "iv.with_zero(channels) if any(operation.pads) else channels",
        "channels",
    ),
    "every input of a dense layer has the interval of the first": (
        ranges,
        "input_ends",
        "wide.low.reshape(-1), wide.high.reshape(-1)",
        "np.full(wide.low.size, wide.low.flat[0]), np.full(wide.low.size, wide.high.flat[0])",
    ),
    "the channels of a window are taken place by place": (
        ranges,
        "as_matrix",
        "np.tile(low, repeats)[:, None], np.tile(high, repeats)[:, None]",
        "np.repeat(low, repeats)[:, None], np.repeat(high, repeats)[:, None]",
    ),
    "a depthwise kernel has its channels first": (
        ranges,
        "as_matrix",
        "kernel.reshape(prod(kernel.shape[:2]), -1)",
        "kernel.reshape(-1, prod(kernel.shape[:2])).T",
    ),
    "a negative weight turns no ends": (
        ranges,
        "products",
        "return np.minimum(*ends), np.maximum(*ends)",
        "return ends",
    ),
    "padding adds no zero": (ranges, "moved", "iv.with_zero(iv.hull(given))", "iv.hull(given)"),
    "a permutation turns the channels around": (
        ranges,
        "moved",
        "wide.low.transpose(operation.axes), wide.high.transpose(operation.axes)",
        "*(end.transpose(operation.axes)[..., ::-1] for end in (wide.low, wide.high)),",
    ),
    "a reshape keeps the order of columns": (
        ranges,
        "moved",
        "wide.low.reshape(result), high=wide.high.reshape(result)",
        'wide.low.reshape(result, order="F"), high=wide.high.reshape(result, order="F")',
    ),
    "a pooling has the smallest end of its cells twice": (
        ranges,
        "pooled",
        "high=cells.high.reshape(-1)",
        "high=cells.low.reshape(-1)",
    ),
    "the last step that is reached is left out": (
        ranges,
        "steps",
        "row[start : end + 1]",
        "row[start : max(end, start + 1)]",
    ),
    "the first step that is reached is left out": (
        ranges,
        "steps",
        "row[start : end + 1]",
        "row[min(start + 1, end) : end + 1]",
    ),
}


def mutate(monkeypatch: pytest.MonkeyPatch, module: ModuleType, function: str, old: str, new: str) -> None:
    """One function of a module with one piece of its text changed."""
    original = getattr(module, function)
    text = inspect.getsource(original)
    assert text.count(old) == 1, "the text to be changed is not there, or not once"
    namespace = dict(vars(module))
    exec(compile(text.replace(old, new), f"<{function}>", "exec"), namespace)  # noqa: S102  # our own text
    for user in (ranges, shapes, bounds, correlation, function_tables, softmax, planner_module, legalize_module):
        if getattr(user, function, None) is original:
            monkeypatch.setattr(user, function, namespace[function])


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_of_the_bounds_breaks_the_law(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, function, old, new = MUTANTS[name]
    mutate(monkeypatch, module, function, old, new)
    assert any(list(broken_claims(case(seed))) for seed in SEEDS)
