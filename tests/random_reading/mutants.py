"""Faults that a reader had, put back into the reader of today. Networks must find them, or they find no new one either.

The three are those of the early commit a597dc5, each by its own mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, Parser
from fpgacnn.frontends.keras.layer_config import Json, LayerConfig
from fpgacnn.frontends.keras.operations import channels_first, linear, slicing
from fpgacnn.ir.source import FloatArray
from fpgacnn.passes.precision.exact_steps.step_functions import StepFunction

_index = slicing._part
_constant = linear.constant
_levels = StepFunction.levels
_first = channels_first.parse

COARSE = 4
"""Fraction bits to which the mutant rounds the argument of a step function."""


def _ellipsis_as_one_axis(value: Json, settings: LayerConfig) -> object:
    """An ellipsis is read by its configuration alone, which is empty: one whole axis."""
    is_ellipsis = isinstance(value, dict) and value.get("class_name") == "__ellipsis__"
    return slice(None) if is_ellipsis else _index(value, settings)


def _constant_by_size(context: LayerContext, value: Json, key: str) -> FloatArray:
    """A constant with as many numbers as there are channels is one number a channel, whatever its shape."""
    numbers = _constant(context, value, key)
    return numbers.reshape(-1) if numbers.size == context.input[-1] else numbers


def _levels_of_rounded(self: StepFunction, values: FloatArray, channels: NDArray[np.int64]) -> FloatArray:
    """The argument of a step function is rounded, as for the index of a table."""
    return _levels(self, np.ldexp(np.rint(np.ldexp(values, COARSE)), -COARSE), channels)


def _flatten_as_it_is(context: LayerContext, parser: Parser) -> list[ParsedOperation]:
    """Flatten takes the values in the order of channels first, which Keras moves to the end before."""
    return parser(context) if context.kind == "Flatten" else _first(context, parser)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault: the attribute that holds the mistake, and the frameworks whose networks must find it."""

    owner: object
    attribute: str
    mistake: object
    frameworks: frozenset[str]


MUTANTS: Mapping[str, Mutant] = {
    "ellipsis": Mutant(
        owner=slicing,
        attribute=_index.__name__,
        mistake=_ellipsis_as_one_axis,
        frameworks=frozenset({"keras2", "keras3"}),
    ),
    "constants": Mutant(
        owner=linear,
        attribute=_constant.__name__,
        mistake=_constant_by_size,
        frameworks=frozenset({"keras2", "keras3"}),
    ),
    "flatten": Mutant(
        owner=channels_first,
        attribute=_first.__name__,
        mistake=_flatten_as_it_is,
        frameworks=frozenset({"channels_first"}),
    ),
    "steps": Mutant(
        owner=StepFunction,
        attribute=_levels.__name__,
        mistake=_levels_of_rounded,
        frameworks=frozenset({"qkeras"}),
    ),
}


def mutants_of(framework: str) -> tuple[str, ...]:
    """The names of the mutants that a framework's networks must find."""
    return tuple(name for name, one in MUTANTS.items() if framework in one.frameworks)


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """The reader with one fault; with none where the name is empty."""
    if not name:
        yield
        return
    one = MUTANTS[name]
    with mock.patch.object(one.owner, one.attribute, one.mistake):
        yield
