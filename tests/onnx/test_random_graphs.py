"""Random graphs answer as the evaluators of ONNX and QONNX; `tools/random_networks.py` runs more of them."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fpgacnn.frontends.onnx.graph_builder import GraphBuilder
from tests.random_reading.law import READ_SHARE, Tally, verdicts

COUNT = int(os.environ.get("FPGACNN_RANDOM_NETWORKS", "100"))


@pytest.mark.parametrize("framework", ["onnx", "qonnx"])
def test_random_networks_answer_as_their_framework(framework: str) -> None:
    tally = Tally.empty()
    for verdict in verdicts(framework, range(COUNT)):
        tally.add(verdict)
    assert not tally.wrong, "\n\n".join(f"seed {one.seed} {one.outcome}: {one.why}\n{one.text}" for one in tally.wrong)
    assert tally.share >= READ_SHARE, tally.refusals


def test_the_law_finds_axes_that_are_taken_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """All axes have one length: constants put along the first axis instead of the last have the same shapes."""
    by_channel = GraphBuilder.by_channel

    def turned(builder, view, arrays):
        found, vectors = by_channel(builder, view, arrays)
        return found, [np.flip(one) for one in vectors]

    monkeypatch.setattr(GraphBuilder, "by_channel", turned)
    tally = Tally.empty()
    for verdict in verdicts("onnx", range(20)):
        tally.add(verdict)
    assert tally.wrong
