"""Events of our own: inside the format, of every kind, and fewer where a network is large."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fpgacnn.flow.inputs import InputChoice
from fpgacnn.flow.stimulus import FEWEST_EVENTS, OWN_EVENTS, own_events, stimulus
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape, SourceLayer, SourceModel
from fpgacnn.numeric.fixed import fits, parse_format


def network(shape: Shape, layers: int) -> SourceModel:
    names = ["x", *(f"relu{number}" for number in range(layers))]
    made = [SourceLayer(name="x", kind="", operation=src.Input(), inputs=(), shape=shape)]
    for before, name in pairwise(names):
        made.append(SourceLayer(name=name, kind="", operation=src.Activate(function=src.Relu()), inputs=(before,), shape=shape))
    return SourceModel(name="m", digest="", framework="", layers=tuple(made), inputs=("x",), outputs=(names[-1],))


@pytest.mark.parametrize(("shape", "layers", "count"), [((8,), 3, OWN_EVENTS), ((256, 256, 16), 40, FEWEST_EVENTS), ((128, 128, 8), 16, 30)])
def test_large_networks_get_fewer_events(shape: Shape, layers: int, count: int) -> None:
    choice = InputChoice(name="x", format=parse_format("fixed<8,3>"), reason="")
    assert own_events(network(shape, layers), [choice]).count == count


@pytest.mark.parametrize("events", [0, 1, 2, 6, 7, 96])
def test_events_fit_their_format_and_are_not_all_constant(events: int) -> None:
    form = parse_format("fixed<8,3>")
    found = stimulus(form, (4, 4, 2), events)
    assert found.shape == (events, 4, 4, 2)
    assert fits(found, form).all()
    constant = [float(np.ptp(one)) == 0 for one in found]
    assert sum(constant) == (3 if events > 6 else 0)
