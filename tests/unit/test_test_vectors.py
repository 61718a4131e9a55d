"""Events of our own: inside the format, of every kind, and fewer where a network is large."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.errors import UsageError
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import fits, parse_format
from fpgacnn.ir.source import Shape, SourceLayer, SourceModel
from fpgacnn.pipeline.inputs import InputChoice
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import verify
from fpgacnn.pipeline.test_vectors import FEWEST_EVENTS, OWN_EVENTS, VALUE_WORK, affordable, make_vectors, own_events
from tests.support.files import entry, sequential_file, tiny_model


def network(shape: Shape, layers: int) -> SourceModel:
    names = ["x", *(f"relu{number}" for number in range(layers))]
    made = [SourceLayer(name="x", kind="", operation=src.Input(), inputs=(), shape=shape)]
    for before, name in pairwise(names):
        made.append(
            SourceLayer(name=name, kind="", operation=src.Activate(function=src.Relu()), inputs=(before,), shape=shape)
        )
    return SourceModel(name="m", digest="", framework="", layers=tuple(made), inputs=("x",), outputs=(names[-1],))


@pytest.mark.parametrize(
    ("shape", "layers", "count"), [((8,), 3, OWN_EVENTS), ((256, 256, 16), 40, FEWEST_EVENTS), ((128, 128, 8), 16, 30)]
)
def test_large_networks_get_fewer_events(shape: Shape, layers: int, count: int) -> None:
    choice = InputChoice(name="x", format=parse_format("fixed<8,3>"), reason="")
    assert own_events(network(shape, layers), [choice]).count == count


@pytest.mark.parametrize("events", [0, 1, 2, 6, 7, 96])
def test_events_fit_their_format_and_are_not_all_constant(events: int) -> None:
    form = parse_format("fixed<8,3>")
    found = make_vectors(form, (4, 4, 2), events)
    assert found.shape == (events, 4, 4, 2)
    assert fits(found, form).all()
    constant = [float(np.ptp(one)) == 0 for one in found]
    assert sum(constant) == (3 if events > 6 else 0)


def test_events_are_as_many_as_their_work_is_worth(tmp_path: Path) -> None:
    kernel = np.ones((3, 3, 2, 4), np.float32)
    kernel[0] = 0  # what is zero is not multiplied
    weights = {"kernel": kernel, "bias": np.zeros(4)}
    found = frontends.load(
        sequential_file(
            tmp_path / "m.h5", entry("Conv2D", "c", filters=4, kernel_size=[3, 3], weights=weights), shape=(10, 10, 2)
        )
    )
    work = 8 * 8 * 6 * 2 * 4 + VALUE_WORK * (10 * 10 * 2 + 8 * 8 * 4)
    assert affordable(found, 50 * work) == 50
    assert affordable(found, 51 * work - 1) == 50
    assert affordable(found, 1) == FEWEST_EVENTS


@pytest.mark.agree
def test_a_large_network_has_fewer_events_unless_more_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fpgacnn.pipeline.checking.checks.CSIM_WORK", 1)
    file = tiny_model(tmp_path / "m.h5")
    np.save(tmp_path / "x.npy", np.zeros((30, 4, 4, 1)))
    run = fpgacnn.convert(file, output=tmp_path / "out", io="parallel", input=tmp_path / "x.npy")
    assert run.verification[0].events == FEWEST_EVENTS
    assert "large network: C simulation ran on 2 events (--csim-events 30 takes more events and time)" in run.notes
    asked = fpgacnn.convert(file, output=tmp_path / "out", io="parallel", input=tmp_path / "x.npy", csim_events=20)
    assert (asked.verification[0].events, [note for note in asked.notes if "large" in note]) == (20, [])
    again = verify(tmp_path / "out", Request(model=tmp_path / "out", events=tmp_path / "x.npy", max_events=None))
    assert "large network: C simulation ran on 2 events (--all takes more events and time)" in again.notes
    every = fpgacnn.verify(tmp_path / "out", input=tmp_path / "x.npy")
    assert {report.events for report in every.verification} == {30}
    monkeypatch.setattr("fpgacnn.pipeline.stages.PROOF_WORK", 1)
    cut = fpgacnn.convert(file, output=tmp_path / "out", io="parallel", input=tmp_path / "x.npy")
    assert {report.events for report in cut.verification} == {FEWEST_EVENTS}
    assert [note for note in cut.notes if "checked on" in note] == [
        "large network: checked on the first 2 of 30 events (`--csim-events 1000` uses more, `verify --input` uses all)"
    ]
    assert not [note for note in (*run.notes, *asked.notes) if "checked on" in note]
    with pytest.raises(UsageError, match="events for C simulation of -1 is not between 0 and 1,099,511,627,776"):
        fpgacnn.convert(file, csim_events=-1)
