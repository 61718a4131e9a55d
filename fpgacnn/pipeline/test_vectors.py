"""Test vectors: random codes, extremes, and coarse grids that make ties likely; and how many events to check."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from fpgacnn.ir.element_types import shortened
from fpgacnn.ir.fixed_point import Format, to_values
from fpgacnn.ir.source import FloatArray, Shape, SourceModel
from fpgacnn.passes.widths.ebops import multiplications
from fpgacnn.pipeline.inputs import Events, InputChoice, input_shapes

SEED = 7
OWN_EVENTS = 96
FEWEST_EVENTS = 2
CONSTANT_EVENTS = 3

MAX_WORK = 1 << 26
"""Largest number of layer values in a check on generated events: large networks get fewer events."""

PROOF_WORK, CSIM_WORK = 1 << 38, 1 << 34
"""Multiplications that references and C simulation do in some minutes on two processors."""

VALUE_WORK = 25
"""Cost of one value, in multiplications: it is cast, clipped and copied."""


def affordable(network: SourceModel, work: int) -> int:
    """Number of events that a budget of multiplications allows, at least FEWEST_EVENTS."""
    values = sum(prod(layer.shape) for layer in network.layers)
    return max(FEWEST_EVENTS, work // (sum(multiplications(network).values()) + VALUE_WORK * values))


def make_vectors(form: Format, shape: Shape, events: int, *, seed: int = SEED) -> FloatArray:
    """`events` events within a format: a quarter each uniform, coarse, sparse and near the extremes.

    The first three are the lowest value, the highest and 0 everywhere, unless these would be most of the events.
    """
    random = np.random.default_rng(seed)
    codes = random.integers(form.low, form.high, size=(events, *shape), endpoint=True)
    kinds = np.arange(events) % 4
    coarse = 1 << max(form.width // 2, 1)
    codes[kinds == 1] = codes[kinds == 1] // coarse * coarse
    codes[kinds == 2] *= random.random(codes[kinds == 2].shape) < 0.1
    ends = random.choice(np.array([form.low, form.high]), size=codes.shape)
    codes[kinds == 3] = np.where(random.random(codes[kinds == 3].shape) < 0.8, ends[kinds == 3], codes[kinds == 3])
    if events > 2 * CONSTANT_EVENTS:
        codes[0], codes[1], codes[2] = form.low, form.high, 0
    return to_values(np.clip(codes, form.low, form.high), form.fraction)


def own_events(network: SourceModel, choices: Sequence[InputChoice]) -> Events:
    """Seeded random, extreme and tie events, for a run without events of the user."""
    shapes = input_shapes(network)
    work = sum(prod(layer.shape) for layer in network.layers)
    count = min(OWN_EVENTS, max(FEWEST_EVENTS, MAX_WORK // work))
    values = tuple(
        shortened(choice.element, make_vectors(choice.format, shapes[choice.name], count, seed=7 + number))
        for number, choice in enumerate(choices)
    )
    return Events(values=values, labels=None, origin="seeded random, extreme and tie events")
