"""Points of a study are trained with their own quantizers, and the better ones longer."""

from __future__ import annotations

from pathlib import Path

import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.jobs.explore.points.tune_point import tune_point
from fpgacnn.jobs.explore.record import Level
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.space import Searched
from fpgacnn.jobs.quantize.record import QuantizeRequest
from fpgacnn.passes.widths.pruning import pruned
from fpgacnn.passes.widths.widths import Part, Widths
from fpgacnn.training.keras.loop import TrainingSettings
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


def test_weights_that_a_point_cuts_stay_zero_in_training_and_the_others_learn(tmp_path: Path) -> None:
    study = small_study(tmp_path, trials=50, searched=(Searched.WIDTHS, Searched.PRUNING))
    cut = {"conv/0": 60, "last": 60}
    point = next(one for one in study.points if study.settings.space.pruned(one.values) == cut)
    request = QuantizeRequest(
        model=tmp_path,
        data="",
        output=tmp_path / "q.h5",
        widths=Widths(bits=2),
        settings=TrainingSettings(epochs=4, learning_rate=0.01),
    )
    record = tune_point(Path(study.folder), point.number, request)
    assert record.best_epoch > 0
    start = kernels(pruned(frontends.load(tmp_path / "small.h5"), cut))
    trained = kernels(frontends.load(tmp_path / "q.h5"))
    for before, after in zip(start, trained, strict=True):
        assert (before == 0).sum() == round(0.6 * before.size)
        assert not after[before == 0].any()
        assert (after[before != 0] != before[before != 0]).any()


def kernels(network: src.SourceModel) -> list[src.FloatArray]:
    return [one.operation.kernel.values for one in network.layers if isinstance(one.operation, src.Linear)]
