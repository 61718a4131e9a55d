"""Bounds of single operations against every code and every real value that it may stand for."""

from __future__ import annotations

import inspect
import math
from itertools import product
from types import ModuleType

import numpy as np
import pytest

from fpgacnn.ir import functions, graph, ranges
from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, quantize_values, requantize
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import Function, FunctionKind
from fpgacnn.passes.precision import bounds, nodes
from fpgacnn.passes.precision.bounds import Bound

FRACTION = 3
ERRORS = (0.0, 0.25, 1.5, 4.0)
"""Of a last bit."""

SPANS = ((-6, 9), (-9, -2), (1, 7), (0, 5))
SLOPES = ((1, 2), (3, 0), (5, 1), (-1, 1), (-3, 0), (0, 1))
"""Code and fraction bits of a slope: 0.25, 3, 2.5, -0.5, -3 and 0."""


def given(span: tuple[int, int], error: float) -> Bound:
    low, high = (np.array([end]) for end in span)
    return bounds.ranged(Interval(low=low, high=high, fraction=FRACTION), error * 2.0**-FRACTION)


def codes_and_reals(bound: Bound) -> tuple[np.ndarray, np.ndarray]:
    """Every code of a bound, (codes, 1), and real values that it may stand for, (codes, 9)."""
    codes = np.arange(int(bound.interval.low[0]), int(bound.interval.high[0]) + 1)[:, None]
    return codes, codes * 2.0**-FRACTION + np.linspace(-bound.error, bound.error, 9)


def broken_rounding() -> list[str]:
    """Roundings that the network does not have: what is claimed of their codes and errors and is not so."""
    found = []
    for span, error, dropped in product(SPANS, ERRORS, (1, 2)):
        form = Format(width=16, integer=16 - FRACTION + dropped, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
        source = given(span, error)
        claimed, (codes, reals) = bounds.narrowed(source, form), codes_and_reals(source)
        off = np.abs(requantize(codes, FRACTION, form) * form.step - reals).max()
        if not off <= claimed.error <= source.error + form.step:
            found.append(f"{span} {error} {dropped}: off by {off}, the bound is {claimed.error}")
    return found


def broken_leaky() -> list[str]:
    """Leaky ReLUs of every slope: codes outside their interval, and errors above their bound."""
    layer: nodes.Node = graph.Node(name="l", source="l", operation=q.Relu(), inputs=("x",), shape=(1,))
    found = []
    for span, error, (slope, fraction), off in product(SPANS, ERRORS, SLOPES, (0.0, 0.125)):
        form = Format(width=8, integer=8 - fraction)
        trained = np.array([slope * form.step + off])
        operation = q.LeakyRelu(slope=Codes(array=np.array([slope]), format=form), trained=trained)
        source = given(span, error)
        claimed, (codes, reals) = bounds.leaky_relu(layer, operation, source), codes_and_reals(source)
        answers = np.where(codes > 0, codes << fraction, codes * slope)
        exact = np.where(reals > 0, reals, trained * reals)
        (low, high), largest = claimed.interval.bounds, float(np.abs(answers * form.step / 8 - exact).max())
        if answers.min() < low or answers.max() > high or largest > claimed.error + 1e-12:
            found.append(f"{span} {error} {slope} {off}: {answers.min()}..{answers.max()}, off by {largest}")
    return found


def broken_steps() -> list[str]:
    """Step functions: answers outside what is claimed, or claims wider than the answers."""
    thresholds = np.array([[-5, -1, 2], [0, 3, 4]])
    values = np.array([[3, -2, 0, 7], [-4, 1, 5, -6]])
    form, found = Format(width=8, integer=5), []
    for span, rows in product((*SPANS, (-6, 2), (-9, 4)), (slice(0, 1), slice(0, 2))):
        steps, levels = (Codes(array=array[rows], format=form) for array in (thresholds, values))
        codes = np.arange(span[0], span[1] + 1)
        counts = (codes[:, None, None] >= thresholds[rows]).sum(axis=-1)
        answers = np.take_along_axis(
            np.broadcast_to(values[rows], (len(codes), *values[rows].shape)), counts[..., None], -1
        )
        claimed = ranges.steps(steps, levels, given(span, 0.0).interval, 2)
        wanted = (np.broadcast_to(end(answers[..., 0], axis=0), 2) for end in (np.min, np.max))
        if any((seen != said).any() for seen, said in zip(wanted, (claimed.low, claimed.high), strict=True)):
            found.append(f"{span}: {claimed}")
    return found


def broken_casts() -> list[str]:
    """Casts to fewer fraction bits than the codes have: errors above their bound."""
    found = []
    for span, error, mode in product(SPANS, ERRORS, Rounding):
        form = Format(width=16, integer=15, rounding=mode)
        source = given(span, error)
        claimed, (codes, reals) = bounds.cast(source, form), codes_and_reals(source)
        off = np.abs(requantize(codes, FRACTION, form) - quantize_values(reals, form)).max() * form.step
        if off > claimed.error:
            found.append(f"{span} {error} {mode}: off by {off}, the bound is {claimed.error}")
    return found


LAWS = {"rounding": broken_rounding, "leaky": broken_leaky, "steps": broken_steps, "casts": broken_casts}


@pytest.mark.parametrize("law", LAWS)
def test_no_claim_is_broken(law: str) -> None:
    assert not LAWS[law]()


MUTANTS = {
    "a rounding costs an eighth of a step": (bounds, "rounding", "narrowed", "form.step / 2", "form.step / 8"),
    "a rounding costs two steps": (bounds, "rounding", "narrowed", "form.step / 2", "form.step * 2"),
    "a leaky ReLU has no 0 between its ends": (
        ranges,
        "leaky",
        "leaky_relu",
        "[np.zeros_like(values[0])] if given.bounds[0] < 0 < given.bounds[1] else []",
        "[]",
    ),
    "a steep slope multiplies no error": (
        bounds,
        "leaky",
        "leaky_relu",
        "given.error * max(1.0, float(np.abs(operation.trained).max()))",
        "given.error",
    ),
    "a flat slope divides every error": (
        bounds,
        "leaky",
        "leaky_relu",
        "max(1.0, float(np.abs(operation.trained).max()))",
        "float(np.abs(operation.trained).max())",
    ),
    "a code on a threshold is below it": (
        ranges,
        "steps",
        "threshold_counts",
        'np.searchsorted(thresholds[0], codes, side="right")',
        'np.searchsorted(thresholds[0], codes, side="left")',
    ),
    "a code on a threshold of its channel is below it": (
        ranges,
        "steps",
        "threshold_counts",
        'np.searchsorted(row, codes[..., channel], side="right")',
        'np.searchsorted(row, codes[..., channel], side="left")',
    ),
    "the last step is not reached": (ranges, "steps", "steps", "start : end + 1", "start : max(end, start + 1)"),
    "codes between the steps are steps": (
        bounds,
        "casts",
        "_steps_apart",
        "and given.interval.fraction <= form.fraction",
        "",
    ),
    "a cast rounds errors down": (bounds, "casts", "_steps_apart", "floor(steps) + 1", "max(floor(steps), 1)"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_breaks_its_law(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, law, function, old, new = MUTANTS[name]
    mutate(monkeypatch, module, function, old, new)
    assert LAWS[law]()


def mutate(monkeypatch: pytest.MonkeyPatch, module: ModuleType, function: str, old: str, new: str) -> None:
    """One function of a module with one piece of its text changed."""
    text = inspect.getsource(getattr(module, function))
    assert text.count(old) == 1, "the text to be changed is not there, or not once"
    namespace = dict(vars(module))
    exec(compile(text.replace(old, new), f"<{function}>", "exec"), namespace)  # noqa: S102  # our own text
    monkeypatch.setattr(module, function, namespace[function])


def derivative(kind: FunctionKind, x: float) -> float:
    """Of a function that turns, by its formula."""
    sigmoid = 1.0 / (1.0 + math.exp(-x))
    match kind:
        case FunctionKind.SWISH:
            return sigmoid * (1.0 + x * (1.0 - sigmoid))
        case FunctionKind.GELU:
            return 0.5 * math.erfc(-x / math.sqrt(2.0)) + x * math.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
        case FunctionKind.MISH:
            inner = math.tanh(math.log1p(math.exp(x)))
            return inner + x * (1.0 - inner**2) * sigmoid
        case FunctionKind.HARD_SWISH:
            return x / 3.0 + 0.5
        case _:
            raise AssertionError(kind)


@pytest.mark.parametrize("kind", [kind for kind in FunctionKind if functions.turning_points(Function(kind=kind))])
def test_a_function_turns_where_its_derivative_is_zero(kind: FunctionKind) -> None:
    (turn,) = functions.turning_points(Function(kind=kind))
    if kind is FunctionKind.ELU:  # of negative alpha: it falls, then rises
        assert turn == 0.0
        return
    assert abs(derivative(kind, turn)) < 1e-15
    assert derivative(kind, turn - 1e-9) < 0 < derivative(kind, turn + 1e-9)
