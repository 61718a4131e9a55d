"""Points of a study are trained with their own quantizers, and the better ones longer."""

from __future__ import annotations

from pathlib import Path

import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.jobs.explore.record import Level
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.passes.widths.widths import Part
from tests.support.studies import small_study

pytestmark = pytest.mark.train


def test_the_front_is_trained_by_halving_with_the_widths_of_its_points(tmp_path: Path) -> None:
    study = small_study(tmp_path, trials=20)
    found = fpgacnn.explore(
        tmp_path / "small.h5",
        str(tmp_path / "events.npz"),
        tmp_path / "study",
        trials=20,
        bits="2-5",
        io="parallel",
        storage="journal",
        workers=0,
        tune=2,
        epochs=2,
    )
    assert found.points == study.points
    tuned = [one for one in found.levels if one.level is Level.TUNED]
    assert len(tuned) == min(2, len(study.front))
    for one in tuned:
        point = study.points[one.number]
        bits = study.settings.space.widths(point.values)
        wanted = [width for place, width in bits.items() if place.part is Part.KERNEL]
        operations = [layer.operation for layer in frontends.load(Path(one.project)).layers]
        quantizers = [each.kernel.quantizer for each in operations if isinstance(each, src.Linear)]
        assert [each.bits for each in quantizers if isinstance(each, src.QuantizedBits)] == wanted
        assert one.quality is not None
        assert read_study(tmp_path / "study").level_of(one.number) is Level.TUNED
