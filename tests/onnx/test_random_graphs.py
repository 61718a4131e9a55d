"""Random graphs answer as the evaluators of ONNX and QONNX; `tools/random_networks.py` runs more of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.frontends.onnx import fold
from fpgacnn.frontends.onnx.graph_builder import GraphBuilder
from fpgacnn.frontends.onnx.operations import choose, elementwise, shaping
from fpgacnn.frontends.onnx.values import TensorView
from tests.random_reading.law import READ_SHARE, Outcome, Tally, verdicts

COUNT = int(os.environ.get("FPGACNN_RANDOM_NETWORKS", "100"))


@pytest.mark.parametrize("framework", ["onnx", "qonnx"])
def test_random_networks_answer_as_their_framework(framework: str) -> None:
    tally = Tally.empty()
    for verdict in verdicts(framework, range(COUNT)):
        tally.add(verdict)
    assert not tally.wrong, "\n\n".join(f"seed {one.seed} {one.outcome}: {one.why}\n{one.text}" for one in tally.wrong)
    assert tally.share >= READ_SHARE, tally.refusals


def _flipped(patch: pytest.MonkeyPatch) -> None:
    """Constants lie along the right axis, in the wrong order."""
    by_channel = GraphBuilder.by_channel

    def flipped(builder, view, arrays):
        found, vectors = by_channel(builder, view, arrays)
        return found, [np.flip(one) for one in vectors]

    patch.setattr(GraphBuilder, "by_channel", flipped)


def _by_number_of_elements(patch: pytest.MonkeyPatch) -> None:
    """A constant of as many elements as the last axis has is taken for a vector along it, whatever its shape."""
    joined = elementwise._joined

    def flattened(call, constants):
        found, view = joined(call, constants), next(one for one in call.inputs if isinstance(one, TensorView))
        return found.moved(np.ravel) if found.values.size == view.shape[-1] and found.grid is None else found

    patch.setattr(elementwise, "_joined", flattened)


def _from_the_wrong_end(patch: pytest.MonkeyPatch) -> None:
    """Negative axes are counted as if the events had none."""
    axis_of = fold.axis_of

    def shifted(call, axis, rank, *, end=False):
        return axis_of(call, max(axis - 1, -rank) if axis < 0 else axis, rank, end=end)

    for module in (fold, choose, shaping):
        patch.setattr(module, "axis_of", shifted)


def _filled_up_at_the_end(patch: pytest.MonkeyPatch) -> None:
    """Of tensors with fewer axes than others, the last axes are taken for missing, not the first."""
    alike = elementwise._alike

    def filled(call, views):
        rank = max(len(view.shape) for view in views)
        longer = [replace(view, shape=(*view.shape, *(1,) * (rank - len(view.shape)))) for view in views]
        return alike(call, longer)

    patch.setattr(elementwise, "_alike", filled)


def _constants_filled_up_at_the_end(patch: pytest.MonkeyPatch) -> None:
    """Of constants with fewer axes than the data, the last axes are taken for missing, not the first."""
    joined = elementwise._joined

    def filled(call, constants):
        found, view = joined(call, constants), next(one for one in call.inputs if isinstance(one, TensorView))
        missing = len(view.shape) - found.values.ndim - 1
        return found.moved(lambda array: array.reshape(*array.shape, *(1,) * max(missing, 0)))

    patch.setattr(elementwise, "_joined", filled)


def _parts_of_the_first_axes(patch: pytest.MonkeyPatch) -> None:
    """The parts that a slice takes belong to the first axes of the data, as if no axis before them were whole."""
    slices = fold.slices

    def moved(call, shape):
        first, *rest = slices(call, shape)
        cut = [part for part in rest if part != slice(None)]
        return (first, *cut, *(slice(None),) * (len(rest) - len(cut)))

    patch.setattr(choose, "slices", moved)


@pytest.mark.parametrize(
    "mistake",
    [
        _flipped,
        _by_number_of_elements,
        _from_the_wrong_end,
        _filled_up_at_the_end,
        _constants_filled_up_at_the_end,
        _parts_of_the_first_axes,
    ],
    ids=lambda mistake: mistake.__name__.strip("_"),
)
def test_the_law_finds_a_mistake_that_changes_no_shape(
    monkeypatch: pytest.MonkeyPatch, mistake: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """All axes have one length, so that only answers show which axis was taken. The fixed seeds of CI find each."""
    mistake(monkeypatch)
    assert any(verdict.outcome is Outcome.DIFFERS for verdict in verdicts("onnx", range(COUNT)))
