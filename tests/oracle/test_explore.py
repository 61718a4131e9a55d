"""Points of a study are trained with their own quantizers, and the better ones longer."""

from __future__ import annotations

from pathlib import Path

import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.jobs.explore.points.tune_point import tune_point
from fpgacnn.jobs.explore.prepare import prepare
from fpgacnn.jobs.explore.record import Level
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.space import Searched
from fpgacnn.jobs.quantize.record import QuantizeRequest
from fpgacnn.passes.widths.pruning import pruned
from fpgacnn.passes.widths.widths import Part, Widths
from fpgacnn.training.keras.loop import TrainingSettings
from tests.support.studies import small_request, small_study

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


def test_networks_with_other_numbers_of_filters_learn_and_become_projects(tmp_path: Path) -> None:
    options = {"scale_filters": (0.5, 1.0, 1.5), "training": TrainingSettings(epochs=3, learning_rate=0.01)}
    study = small_study(tmp_path, trials=50, **options)
    half, given, more = study.settings.networks
    assert (half.best_epoch > 0, given.best_epoch, more.best_epoch > 0) == (True, 0, True)
    for one, filters in ((half, 2), (more, 6)):
        saved = frontends.load(tmp_path / "study" / one.file)
        assert [kernel.shape for kernel in kernels(saved)] == [(3, 3, 1, filters), (4 * filters, 3)]
        assert set(one.names) == {layer.name for layer in frontends.load(tmp_path / "small.h5").layers}
    network = next(one for one in study.points if study.settings.space.network(one.values) == 2)
    record = fpgacnn.convert(study.folder, point=network.number, output=tmp_path / "hls", csim_events=0)
    assert record.holds
    assert network.result.resources is not None
    assert record.estimate.after_synthesis.lut.value == network.result.resources.lut.value
    tuned = fpgacnn.quantize(study.folder, None, tmp_path / "q.h5", point=network.number, epochs=1)
    assert [kernel.shape[-1] for kernel in kernels(frontends.load(tmp_path / "q.h5"))] == [6, 3]
    assert tuned.quality[-1].fine_tuned > 0


def test_training_again_gives_the_same_network(tmp_path: Path) -> None:
    """The same seed, events and epochs give the same weights, in another study too."""
    options = {"scale_filters": (1.0, 1.5), "training": TrainingSettings(epochs=2, learning_rate=0.01)}
    found = [prepare(small_request(tmp_path, name, **options)) for name in ("one", "two")]
    assert found[0].context.digest == found[1].context.digest
    assert found[0].settings.networks == found[1].settings.networks
